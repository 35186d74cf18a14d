"""The soak's own judgement: what counts as growth, and what as a record that nothing explains."""

from dataclasses import replace
from typing import Any

import orjson
import pytest

from collector.saved.run_folder import SavedRun, read_run
from loadgen.processes.simulated_server import simulated
from scripts.soaking.__main__ import SERVER
from scripts.soaking.discrepancies import discrepancies
from scripts.soaking.growth import Growth, Look, growths
from tests.support.commands import T2I, bench, fetch


@pytest.mark.parametrize(
    ("name", "after", "found"),
    [
        ("sender_process 7", Look(44.0, 18), None),
        ("sender_process 7", Look(48.5, 20), "sender_process 7: 40.0 MB became 48.5 MB"),
        ("sender_process 7", Look(40.0, 510), None),  # connections
        ("sender_process 7", Look(40.0, 511), "sender_process 7: 10 descriptors became 511"),
        ("scheduler 9", Look(40.0, 19), "scheduler 9: 10 descriptors became 19"),
        ("collect 8", Look(48.5, 10), None),  # 40 bytes for each of 100,000 records
        ("collect 8", Look(52.5, 10), "collect 8: 40.0 MB became 52.5 MB"),
    ],
)
def test_a_process_may_keep_ten_per_cent_and_a_little_and_the_collector_its_stages(
    name: str, after: Look, found: str | None
) -> None:
    assert Growth(name, Look(40.0, 10), after).excess(100_000) == found


def test_growth_is_from_when_it_had_settled_to_the_end_by_medians() -> None:
    looks = [Look(float(mb), 10) for mb in [10, 20, 30, *[40] * 15, 900, *[41] * 5]]
    (found,) = growths({"sender_process 7": looks, "gone 9": looks[:4]})
    assert (found.before.pss_mb, found.after.pss_mb) == (40.0, 41.0)


HOSTILE = replace(
    SERVER,
    base_ms=5.0,
    fail_rate=0.05,
    reset_rate=0.1,
    cut_rate=0.05,
    garbage_rate=0.05,
    stall=0.1,
    http_errors="429:0.05,503:0.05",
)


@pytest.fixture(scope="module")
def faulty(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], SavedRun, dict[str, int]]:
    """A short run against the soak's server, with ten times its faults: result, records, what the server counted."""
    folder = tmp_path_factory.mktemp("soak")
    with simulated(HOSTILE) as url:
        load = ("--num-prompts", "400", "--request-rate", "200", "--max-concurrency", "400", "--timeout", "8")
        result = bench(*T2I, *load, "--base-url", url, "--warmup-requests", "0", "--run-dir", str(folder))
        return result, read_run(folder), fetch(f"{url}/sim/faults")


def test_every_record_of_a_run_with_all_faults_is_explained(
    faulty: tuple[dict[str, Any], SavedRun, dict[str, int]],
) -> None:
    result, saved, faults = faulty
    assert set(faults) == {"fail", "reset", "cut", "garbage", "stall", "429", "503"}
    assert list(discrepancies(result, saved, faults)) == []


@pytest.mark.parametrize("fault", ["fail", "reset", "cut", "garbage", "stall", "429", "503"])
def test_a_fault_that_no_record_shows_is_told(
    fault: str, faulty: tuple[dict[str, Any], SavedRun, dict[str, int]]
) -> None:
    result, saved, faults = faulty
    (found,) = discrepancies(result, saved, {**faults, fault: faults[fault] + 1})
    assert found.startswith(f"faults `{fault}`: the server injected {faults[fault] + 1}")


def test_records_that_no_fault_explains_are_told(faulty: tuple[dict[str, Any], SavedRun, dict[str, int]]) -> None:
    result, saved, faults = faulty
    odd = orjson.loads(orjson.dumps(result))
    odd["errors"]["no_media"] = {"count": 2, "example": None}
    odd["outcomes"]["lost"] += 1
    found = list(discrepancies(odd, saved, faults))
    assert [line.split(":")[0] for line in found] == ["conservation", "unexplained", "unexplained"]
    rows = saved.records.copy()
    rows["first_byte_ns"][rows["outcome"] == 0] = 0
    (line,) = discrepancies(result, replace(saved, records=rows), faults)
    assert (
        line == f"{int((rows['outcome'] == 0).sum())} records with successes without status 200, a first byte or a body"
    )
