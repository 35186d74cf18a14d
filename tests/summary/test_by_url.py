"""`--base-url` repeated: requests take turns in plan order, and there are figures for each URL and for all."""

import asyncio
from dataclasses import replace
from pathlib import Path

import numpy as np
import orjson
import pytest

from collector.records.record import Outcome
from collector.report.saved_report import again
from collector.saved import export
from collector.saved.run_folder import read_run
from collector.summary.summary import RunNotes, summarise
from loadgen.bodies.request import Request
from loadgen.transport.replicas import Replicas
from tests.engine.test_sender import Recorder
from tests.support.commands import T2I, bench, fetch, run, server
from tests.support.runs import info, records


def test_figures_of_each_url_are_those_of_its_requests_alone() -> None:
    # Requests 0, 2, 4 go to a and take 1, 2, 3 s; 1 and 3 to b, where 1 fails and 3 takes 5 s; 5 is never sent.
    found = records(
        (0, 0, 1, Outcome.OK),
        (1, 1, 9, Outcome.ERROR),
        (2, 2, 4, Outcome.OK),
        (3, 3, 8, Outcome.OK),
        (4, 4, 7, Outcome.OK),
    )
    known = replace(
        info([0, 1, 2, 3, 4, 5], [0, 1, 2, 3, 4, None]),
        urls=("http://a", "http://b"),
        slo_enabled=True,
        slo_ms=np.array([2000.0, 2000, 1500, 6000, np.nan, 2000]),
    )
    a, b = summarise(found, known, RunNotes())["by_url"]
    assert (a["url"], a["planned"], a["sent"], a["completed_requests"], a["failed_requests"]) == (
        "http://a",
        3,
        3,
        3,
        0,
    )
    assert (b["url"], b["planned"], b["sent"], b["completed_requests"], b["failed_requests"]) == (
        "http://b",
        3,
        2,
        1,
        1,
    )
    assert (a["response"]["p50"], a["response"]["max"], b["service"]["p50"]) == (2.0, 3.0, 5.0)
    assert (a["max_in_flight"], b["max_in_flight"]) == (1, 2)
    assert (a["throughput_qps"], b["throughput_qps"]) == (3 / 9, 1 / 9)
    assert (a["slo_met_success"], a["slo_attainment_rate"]) == (1, 0.5)  # of 0 and 2; 4 has no target
    assert (b["slo_met_success"], b["slo_attainment_rate"]) == (1, 1 / 3)
    assert b["outcomes"]["error"] == 1


def test_one_url_has_no_figures_of_its_own() -> None:
    known = replace(info([0], [0]), urls=("http://a",))
    assert summarise(records((0, 0, 1, Outcome.OK)), known, RunNotes())["by_url"] == []


def test_a_request_goes_to_the_server_that_it_is_for() -> None:
    async def main() -> None:
        one, two = Recorder(), Recorder()
        both = Replicas([one, two])  # type: ignore[list-item]
        for replica in (1, 0, 1):
            both.send(Request("POST", "/", "", b"%d" % replica, replica), print)
        assert [len(each.sent) for each in (one, two)] == [1, 2]
        assert both.name == "recorder"

    asyncio.run(main())


@pytest.mark.parametrize("senders", ["1", "2", "3"])
def test_requests_and_warm_ups_go_round_the_urls_in_plan_order(senders: str, tmp_path: Path) -> None:
    trace = tmp_path / "trace.txt"
    rows = (f"Request(prompt='p{k}', width={64 + 8 * (k % 2)}, height=64)\n" for k in range(10))
    trace.write_text("".join(rows))
    folder = tmp_path / "run"
    with server(base_ms=1, media="image") as one, server(base_ms=1, media="image", fail_rate=1) as two:
        result = bench("--task", "t2i", "--dataset", "trace", "--dataset-path", str(trace), "--num-prompts", "10",
                       "--base-url", one, "--base-url", two, "--senders", senders, "--max-concurrency", "4",
                       "--warmup-requests", "2", "--disable-tqdm", "--run-dir", str(folder))  # fmt: skip
        seen = [fetch(f"{url}/sim/log") for url in (one, two)]
    assert [len(each) for each in seen] == [7, 7]  # 5 requests and 2 warm-ups
    first, second = result["by_url"]
    assert (first["url"], first["completed_requests"], first["failed_requests"]) == (one, 5, 0)
    assert (second["url"], second["completed_requests"], second["failed_requests"]) == (two, 0, 5)
    assert (result["completed_requests"], result["failed_requests"]) == (5, 5)
    assert (result["warmup"]["requests"], result["warmup"]["ok"]) == (4, 2)
    saved = read_run(folder)
    assert orjson.loads(orjson.dumps(again(saved, saved.info)))["by_url"] == result["by_url"]
    columns = export.columns(saved, saved.info)
    assert columns["url"].tolist() == [one, two] * 5
    assert columns["width"].tolist() == [64, 72] * 5
    assert set(columns["outcome"][::2]) == {"ok"}


def test_a_job_is_polled_and_fetched_where_it_was_created() -> None:
    words = ("--task", "t2v", "--dataset", "random", "--width", "64", "--height", "32", "--num-frames", "2",
             "--backend", "v1/videos", "--num-prompts", "6", "--max-concurrency", "6", "--poll-interval", "0.05",
             "--warmup-requests", "1", "--disable-tqdm", "--verify", "decode")  # fmt: skip
    with server(base_ms=60, replicas=9) as one, server(base_ms=60, replicas=9) as two:
        result = bench(*words, "--base-url", one, "--base-url", two)
        kept = [len(fetch(f"{url}/sim/log")) for url in (one, two)]
    assert result["outcomes"]["ok"] == result["media"]["decoded"] == 6
    assert [own["completed_requests"] for own in result["by_url"]] == [3, 3]
    assert kept == [4, 4]
    assert result["warmup"]["ok"] == 2
    assert result["peak_memory_mb_max"] > 6_000


def test_a_url_that_does_not_answer_is_named_before_the_start() -> None:
    with server(base_ms=1) as url:
        code, _, err = run("bench", *T2I, "--base-url", url, "--base-url", "http://127.0.0.1:9", "--num-prompts", "1")
    assert code == 2
    assert "--base-url http://127.0.0.1:9" in err


def test_the_report_has_a_row_for_each_url_and_no_credentials() -> None:
    with server(base_ms=1) as one, server(base_ms=1) as two:
        secret = two.replace("http://", "http://me:hunter2@")
        code, out, err = run(
            "bench", *T2I, "--base-url", one, "--base-url", secret, "--num-prompts", "4", COLUMNS="120"
        )
    assert code == 0, err
    assert "hunter2" not in out + err
    assert f" {one} " in out
    assert f" {two} " in out
