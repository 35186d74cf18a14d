"""Limits of the client machine: descriptors, ports, memory, and a sender that is paused."""

import ast
import os
import resource
import shlex
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import orjson
import pytest

from loadgen.errors import ProcessError
from loadgen.processes.child_processes import ChildProcesses
from loadgen.runs.memory_check import CONNECTION_BYTES, available_bytes, shortage
from loadgen.simulator.engine.png import png
from loadgen.system.temporary_folder import temporary_folder
from tests.faults.test_stops import children, end, under_way
from tests.support.commands import FAST, LOADGEN, ROOT, SMALL, can_unshare, run, server, shell


def test_descriptors_are_raised_as_far_as_they_may() -> None:
    found = shell(f"ulimit -Sn 64; {LOADGEN} bench {SMALL} {FAST} --num-prompts 300 --max-concurrency 100")
    assert found.returncode == 0, found.stderr
    assert "300 ok" in found.stdout


@pytest.mark.parametrize(
    ("flags", "needed", "named"),
    [
        ("--senders 1 --max-concurrency 100", 100 + 1 + 64, "--max-concurrency"),
        ("--senders 4 --max-concurrency 100", 25 + 4 + 64, None),
        ("--senders 50 --max-concurrency 10", 4 * 50 + 64, "--senders 50"),
    ],
)
def test_too_few_descriptors_are_a_usage_error_with_the_number_needed(
    flags: str, needed: int, named: str | None
) -> None:
    found = shell(f"ulimit -n 128; {LOADGEN} bench {SMALL} {FAST} --num-prompts 100 {flags}")
    assert found.returncode == (2 if named else 0), found.stderr
    assert ("Traceback" in found.stderr, f"ulimit -n {needed}" in found.stderr) == (False, named is not None)
    assert named is None or named in found.stderr


@contextmanager
def no_descriptor() -> Iterator[None]:
    """This process can open nothing."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    lowest = os.dup(0)
    os.close(lowest)
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_a_process_that_the_system_does_not_let_us_start_is_one_line_that_names_it() -> None:
    with no_descriptor(), pytest.raises(ProcessError, match=r"^sender 0 cannot be started: .*ulimit"):
        ChildProcesses().start("sender 0", "this")
    with (
        no_descriptor(),
        pytest.raises(ProcessError, match=r"^cannot start the process for a temporary folder"),
        temporary_folder("x-"),
    ):
        pass


@pytest.mark.skipif(not can_unshare("--net"), reason="needs a network of its own")
@pytest.mark.parametrize("transport", ["native", "aiohttp"])
def test_used_up_ports_have_an_error_kind_of_their_own_and_the_verdict_says_whose_fault_it_is(transport: str) -> None:
    load = f"--num-prompts 40 --request-rate 40 --max-concurrency 40 --warmup-requests 0 --transport {transport}"
    bench = f"{LOADGEN} bench {SMALL} --simulate='--base-ms 2000 --replicas 99' {load} --output-file -"
    ports = "ip link set lo up; echo 50000 50007 > /proc/sys/net/ipv4/ip_local_port_range"
    found = shell(f"unshare --net bash -c {shlex.quote(f'{ports}; {bench}')}")
    result = orjson.loads(found.stdout)
    assert list(result["errors"]) == ["no_port"]
    assert result["outcomes"]["ok"] + result["errors"]["no_port"]["count"] == 40
    assert result["outcomes"]["ok"] >= 4
    (reason,) = [reason for reason in result["verdict"]["reasons"] if reason["rule"] == "ports"]
    assert (result["verdict"]["state"], reason["cause"]) == ("INVALID", "machine")
    assert "ip_local_port_range" in reason["text"]


def test_a_paused_sender_shows_in_the_lag_and_the_verdict_says_so() -> None:
    with server(base_ms=5, replicas=50) as url:
        process = under_way(url, "--num-prompts", "200")
        sender = children(process.pid)["loadgen.engine.sender_process"]
        os.kill(sender, signal.SIGSTOP)
        time.sleep(1.5)
        os.kill(sender, signal.SIGCONT)
        code, result, _ = end(process)
    assert code == 0
    assert result["outcomes"]["ok"] == 200
    assert result["lag"]["max"] > 1.0
    assert result["verdict"]["state"] == "INVALID"
    assert [reason["cause"] for reason in result["verdict"]["reasons"] if reason["rule"] == "lag"] == ["tool"]


WALL_CLOCKS = {"time.time", "time.time_ns", "time.CLOCK_REALTIME", "datetime.now", "datetime.utcnow", "date.today"}


def wall_clocks(source: str) -> list[str]:
    """What in a file reads, or names, a clock that somebody may set; `from time import time` is such a name too."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            found.append(f"{node.value.id}.{node.attr}")
        elif isinstance(node, ast.ImportFrom):
            found += [f"{node.module}.{name.name}" for name in node.names]
    return [name for name in found if name in WALL_CLOCKS]


def test_a_clock_that_jumps_is_read_by_nobody_but_for_the_date_of_a_run() -> None:
    files = [path for folder in ("loadgen", "collector") for path in (ROOT / folder).rglob("*.py")]
    assert wall_clocks("import time\nfrom time import time_ns\ntime.time()") == ["time.time_ns", "time.time"]
    found = {path.relative_to(ROOT).as_posix(): clocks for path in files if (clocks := wall_clocks(path.read_text()))}
    assert found == {
        "loadgen/runs/run_metadata.py": ["datetime.now"],
        "loadgen/simulator/dialects/jobs.py": ["time.time"],  # `created_at`, which real servers have too
    }


MB = 1_000_000


@pytest.mark.parametrize(
    ("in_flight", "request_bytes", "answer", "available", "said"),
    [
        (100, 2 * MB, 3 * MB, None, None),  # nobody says what there is
        (100, 2 * MB, 3 * MB, 100 * (5 * MB + CONNECTION_BYTES), None),
        (100, 2 * MB, 3 * MB, 100 * (5 * MB + CONNECTION_BYTES) - 1, "2.0 MB a request and 3.0 MB an answer"),
        (5000, 30 * MB, 0, 64_000 * MB, "30.0 MB a request make 150.2 GB of 64.0 GB"),
    ],
)
def test_more_in_flight_than_memory_is_told_from_the_sizes(
    in_flight: int, request_bytes: int, answer: int, available: int | None, said: str | None
) -> None:
    text = shortage(in_flight, request_bytes, answer, available)
    assert (text is None) == (said is None)
    assert text is None or (said is not None and said in text and "--max-concurrency" in text)


def test_the_container_and_the_machine_both_limit_what_is_available(tmp_path: Path) -> None:
    meminfo = tmp_path / "meminfo"
    meminfo.write_text("MemTotal: 9000 kB\nMemAvailable: 8000 kB\n")
    assert available_bytes(meminfo, tmp_path) == 8000 * 1024
    (tmp_path / "memory.max").write_text("max\n")
    (tmp_path / "memory.current").write_text("1000000\n")
    assert available_bytes(meminfo, tmp_path) == 8000 * 1024
    (tmp_path / "memory.max").write_text("3000000\n")
    assert available_bytes(meminfo, tmp_path) == 2_000_000
    assert available_bytes(tmp_path / "none", tmp_path / "none") is None


@pytest.fixture
def large_images(tmp_path: Path) -> Path:
    """A folder with one image whose encoded request is 8 MB."""
    (tmp_path / "one.png").write_bytes(png(64, 64, 6 * MB))
    return tmp_path


def test_a_run_whose_requests_may_not_fit_says_so_before_the_start(large_images: Path) -> None:
    available = available_bytes()
    assert available is not None
    count = str(available // (8 * MB) + 100)
    words = ("--task", "i2i", "--backend", "vllm-omni", "--dataset", "vbench", "--dataset-path", str(large_images))
    load = ("--num-prompts", count, "--max-concurrency", count, "--senders", "1", "--warmup-requests", "1")
    code, _, err = run("bench", *words, *load, "--simulate=--fail-rate 1", "--slo")
    assert code == 4  # the warm-up fails, and --slo needs it: nothing is sent
    assert "not enough memory" in err
