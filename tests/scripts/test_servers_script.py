"""`scripts/servers`: what it expects, how it judges, and its rows against the simulated server in each role."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from loadgen.datasets.vbench import images, prompts
from scripts.serving.__main__ import table
from scripts.serving.attempt import Attempt, attempt, faults
from scripts.serving.rows import FAILED, ROWS, Row
from scripts.serving.servers import SERVERS, simulated_servers
from scripts.serving.stand_in import fill

NAMES = [server.name for server in SERVERS]
GOOD = "outcomes       5 ok\n"
NO_FLAGS = [(row, name) for row in ROWS if row.section == "defaults" and not row.flags for name in row.servers]
SECTIONS = {
    row.section: (row, row.servers[-1]) for row in reversed(ROWS) if not row.real_only and row.section != "defaults"
}


@pytest.fixture(scope="module")
def urls() -> Iterator[dict[str, str]]:
    with simulated_servers() as found:
        yield found


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cache")
    fill(folder)
    return folder


def test_every_row_names_servers_of_the_table_and_the_defaults_are_tried_on_all() -> None:
    assert {name for row in ROWS for name in row.servers} <= set(NAMES)
    assert [name for _, name in NO_FLAGS] == ["v-image", "s-image", "v-edit", "s-edit", "v-video", "s-video"]


@pytest.mark.parametrize(
    ("row", "code", "text", "expected"),
    [
        (Row("a", ()), 0, GOOD, ()),
        (Row("a", ()), 4, "outcomes  4 ok, 1 error\n", ("exit 4", "not 5 ok")),
        (Row("a", ()), None, "", ("no exit in 60 s", "not 5 ok")),
        (Row("a", (), text=("1 -> 2",)), 0, GOOD + "1 -> 3", ("no 1 -> 2",)),
        (Row("a", (), code=FAILED), 0, GOOD, ("exit 0",)),
        (Row("a", (), code=FAILED, text=("http_404",)), 4, "5 x http_404", ()),
        (Row("a", (), figures={"n": 10}), 0, GOOD, ("n 5",)),
        (Row("a", (), figures={"m": 10}), 0, GOOD, ("m None",)),
    ],
)
def test_what_is_not_as_expected_is_named(row: Row, code: int | None, text: str, expected: tuple[str, ...]) -> None:
    assert faults(row, code, text, {"n": 5}) == expected


def test_the_table_tells_the_date_the_count_and_what_is_wrong() -> None:
    good = Attempt(ROWS[0], "v-image", "bench --base-url URL", "exit 0; 5 ok", ())
    text = table([good, replace(good, faults=("exit 4",), outcome="a|b")], simulated=True)
    assert "the simulated server in their roles: 1 of 2 rows as expected" in text
    assert "| v-image | vLLM-Omni 0.30.0 | defaults | `bench --base-url URL` | all ok   | exit 0; 5 ok | yes" in text
    assert "NO: exit 4 |" in text
    assert "a\\|b" in text


def test_the_stand_ins_lie_where_vbench_is_looked_for(cache: Path) -> None:
    assert len(prompts(cache / "diffusion-loadgen/vbench/subject_consistency.txt", None)) == 6
    assert images(cache / "diffusion-loadgen/vbench-i2v", 2, "i2v")[1].prompt == "a stand-in caption for 1.png"


@pytest.mark.parametrize(
    ("server", "flags"),
    [("s-image", "--task t2i --backend openai"), ("v-video", "--task t2v --backend v1/videos --poll-interval 0.05")],
)
def test_a_command_is_run_against_its_server_and_shown_without_its_address(
    urls: dict[str, str], cache: Path, server: str, flags: str
) -> None:
    made = attempt(Row("a", (server,), f"--dataset random {flags}"), server, urls[server], cache)
    assert (made.faults, made.outcome) == ((), "exit 0; 5 ok")
    assert made.command == f"bench --base-url URL --dataset random {flags} --num-prompts 5"


@pytest.mark.parametrize(("row", "server"), [*NO_FLAGS, *SECTIONS.values()])
def test_a_row_is_as_expected_on_the_simulated_server(urls: dict[str, str], cache: Path, row: Row, server: str) -> None:
    made = attempt(row, server, urls[server], cache)
    assert made.faults == (), made.outcome
