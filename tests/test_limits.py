"""Limits of the client machine: descriptors, ports, disk, memory, and a sender that is paused."""

import os
import resource
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import orjson
import pytest

from collector.ledger import Ledger
from collector.record import RECORD
from collector.saved import read_run
from loadgen.errors import UsageError
from loadgen.memory import CONNECTION_BYTES, available_bytes, shortage
from loadgen.simulator.png import png
from loadgen.sweepdir import SweepDir
from tests.commands import LIMIT_S, ROOT, run, server
from tests.test_stops import children, end, under_way

LOADGEN = f"{shlex.quote(sys.executable)} -m loadgen"
SMALL = "--task t2i --dataset random --width 64 --height 64 --disable-tqdm --senders 1"
FAST = "--simulate='--base-ms 5 --replicas 50'"


def shell(script: str) -> "subprocess.CompletedProcess[str]":
    """Run a script of one shell, as somebody types it."""
    return subprocess.run(["bash", "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=LIMIT_S)


def can_unshare(what: str) -> bool:
    return subprocess.run(["unshare", what, "true"], capture_output=True).returncode == 0


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
    (reason,) = [reason for reason in result["verdict"]["reasons"] if reason["what"] == "ports"]
    assert (result["verdict"]["state"], reason["by"]) == ("INVALID", "machine")
    assert "ip_local_port_range" in reason["text"]


@pytest.mark.skipif(not can_unshare("--mount"), reason="needs a disk of its own")
def test_a_full_disk_for_the_run_folder_costs_neither_the_figures_nor_what_is_there(tmp_path: Path) -> None:
    disk, kept = tmp_path / "disk", tmp_path / "kept"
    disk.mkdir()
    load = f"--num-prompts 1000 --request-rate 1000 --max-concurrency 100 --run-dir {disk}/run --output-file -"
    script = (
        f"mount -t tmpfs -o size=80k none {disk}; {LOADGEN} bench {SMALL} {FAST} {load}; code=$?;"
        f" cp -r {disk}/run {kept}; exit $code"
    )
    found = shell(f"unshare --mount bash -c {shlex.quote(script)}")
    result = orjson.loads(found.stdout)
    assert found.returncode == 1
    assert (result["outcomes"]["ok"], "Traceback" in found.stderr) == (1000, False)
    assert "1000 planned, 1000 sent" in found.stderr
    assert f"--run-dir {disk}/run:" in found.stderr
    assert "No space left on device" in " ".join(found.stderr.split())
    saved = read_run(kept)
    assert 0 < len(saved.records) < 1000
    assert not saved.complete


@pytest.mark.skipif(not can_unshare("--mount"), reason="needs a disk of its own")
def test_a_full_disk_for_the_answers_costs_no_figure_and_is_exit_1(tmp_path: Path) -> None:
    load = f"--num-prompts 100 --request-rate 100 --max-concurrency 100 --save-dir {tmp_path} --output-file -"
    script = f"mount -t tmpfs -o size=40k none {tmp_path}; {LOADGEN} bench {SMALL} {FAST} {load}"
    found = shell(f"unshare --mount bash -c {shlex.quote(script)}")
    result = orjson.loads(found.stdout)
    assert (found.returncode, result["outcomes"]["ok"], "Traceback" in found.stderr) == (1, 100, False)
    assert result["media"]["lost"]["count"] == 100 - result["media"]["saved_files"] > 0
    assert "No space left on device" in result["media"]["lost"]["example"]


@pytest.mark.skipif(not can_unshare("--mount"), reason="needs a disk of its own")
@pytest.mark.parametrize("size", ["24k", "96k"])  # for the plan, for the records
def test_a_full_disk_ends_a_sweep_with_one_line_and_without_a_figure(size: str, tmp_path: Path) -> None:
    load = f"--num-prompts 1000 --rates 1000,2000 --sweep-dir {tmp_path}"
    script = f"mount -t tmpfs -o size={size} none {tmp_path}; {LOADGEN} sweep {SMALL} {FAST} {load}"
    found = shell(f"unshare --mount bash -c {shlex.quote(script)}")
    assert (found.returncode, found.stdout) == (1 if size == "96k" else 2, "")
    assert (len(found.stderr.splitlines()), str(tmp_path) in found.stderr) == (1, True), found.stderr
    assert "No space left on device" in found.stderr


@pytest.mark.skipif(not can_unshare("--mount"), reason="needs a disk of its own")
def test_a_disk_that_is_full_before_the_start_is_a_usage_error(tmp_path: Path) -> None:
    script = f"mount -t tmpfs -o size=8k none {tmp_path}; {LOADGEN} bench {SMALL} {FAST} --run-dir {tmp_path}/run"
    found = shell(f"unshare --mount bash -c {shlex.quote(script + ' --num-prompts 2000')}")
    assert found.returncode == 2
    assert found.stderr.startswith(f"loadgen: --run-dir {tmp_path}/run: No space left on device")


@pytest.mark.parametrize("to", ["--output-file /dev/full", "> /dev/full", "--output-file - > /dev/full"])
def test_a_full_disk_for_the_output_still_ends_with_a_report_and_exit_1(to: str, tmp_path: Path) -> None:
    found = shell(f"export TMPDIR={tmp_path}; {LOADGEN} bench {SMALL} {FAST} --num-prompts 5 {to}")
    assert found.returncode == 1
    assert "Traceback" not in found.stderr
    assert "No space left on device; it is kept in" in found.stderr
    assert ("5 planned, 5 sent" in found.stdout + found.stderr) == (to != "> /dev/full")
    (rescued,) = tmp_path.glob("loadgen-result-*.json")
    assert orjson.loads(rescued.read_bytes())["completed_requests"] == 5


@contextmanager
def file_limit(size: int) -> Iterator[None]:
    """No file of this process may grow beyond `size` bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_sweep_that_cannot_be_written_down_is_one_line_and_leaves_what_was_there(tmp_path: Path) -> None:
    folder = SweepDir(tmp_path, {})
    folder.write({"rates": [1.0]})
    before = (tmp_path / "sweep.json").read_bytes()
    with file_limit(len(before)), pytest.raises(UsageError, match=f"^--sweep-dir {tmp_path}: File too large"):
        folder.write({"rates": [1.0, 2.0]})
    folder.close()
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [before]


@pytest.mark.parametrize("size", [0, 1, 56, 100, 112, 300])
def test_a_ledger_keeps_what_its_file_does_not_take_and_leaves_whole_rows_in_it(size: int, tmp_path: Path) -> None:
    rows = np.zeros(6, RECORD)
    rows["index"] = range(6)
    descriptor = os.open(tmp_path / "records", os.O_RDWR | os.O_CREAT | os.O_APPEND)
    ledger = Ledger(descriptor)
    with file_limit(size):
        for first in range(0, 6, 2):
            ledger.append(rows[first : first + 2])
    assert ledger.records()["index"].tolist() == list(range(6))
    assert ledger.count == 6
    assert ledger.fault is not None
    assert os.fstat(descriptor).st_size == size // RECORD.itemsize * RECORD.itemsize
    os.close(descriptor)


def test_a_paused_sender_shows_in_the_lag_and_the_verdict_says_so() -> None:
    with server(base_ms=5, replicas=50) as url:
        process = under_way(url, "--num-prompts", "200")
        sender = children(process.pid)["loadgen.sender_process"]
        os.kill(sender, signal.SIGSTOP)
        time.sleep(1.5)
        os.kill(sender, signal.SIGCONT)
        code, result, _ = end(process)
    assert code == 0
    assert result["outcomes"]["ok"] == 200
    assert result["lag"]["max"] > 1.0
    assert result["verdict"]["state"] == "INVALID"
    assert [reason["by"] for reason in result["verdict"]["reasons"] if reason["what"] == "lag"] == ["tool"]


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
    words = ("--task", "i2i", "--dataset", "vbench", "--dataset-path", str(large_images), "--num-prompts", count)
    load = ("--max-concurrency", count, "--request-rate", "inf", "--senders", "1", "--warmup-requests", "1")
    code, _, err = run("bench", *words, *load, "--simulate=--fail-rate 1", "--slo")
    assert code == 4  # the warm-up fails, and --slo needs it: nothing is sent
    assert "not enough memory" in err
