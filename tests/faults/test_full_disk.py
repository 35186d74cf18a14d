"""A full disk, wherever it is: the figures are whole, what is saved is readable, and what is missing is said."""

import os
import resource
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import orjson
import pytest

from collector.records.record import RECORD
from collector.records.record_file import RecordFile
from collector.saved.run_folder import read_run
from loadgen.errors import UsageError
from loadgen.sweeps.sweep_folder import SweepDir
from tests.support.commands import FAST, LOADGEN, SMALL, can_unshare, shell


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
def test_a_full_disk_ends_a_sweep_with_one_line_and_its_torn_run_is_not_taken_for_a_whole_one(tmp_path: Path) -> None:
    load = f"--rates 500,1000 --num-prompts 1000 --max-concurrency 100 --cool-down 0 --sweep-dir {tmp_path}/sweep"
    sweep = f"{LOADGEN} sweep {SMALL} {FAST} {load}"
    script = f"mount -t tmpfs -o size=80k none {tmp_path}; {sweep}; code=$?; ls {tmp_path}/sweep/*; exit $code"
    found = shell(f"unshare --mount bash -c {shlex.quote(script)}")
    assert found.returncode == 1
    assert found.stderr.count("\n") == 1
    assert "No space left on device" in found.stderr
    assert "free disk space" in found.stderr
    assert "rate-500-1" in found.stdout  # in unfinished/


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
    assert "No space left on device; it was saved to" in found.stderr
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
def test_a_record_file_keeps_what_its_file_does_not_take_and_leaves_whole_rows_in_it(size: int, tmp_path: Path) -> None:
    rows = np.zeros(6, RECORD)
    rows["index"] = range(6)
    descriptor = os.open(tmp_path / "records", os.O_RDWR | os.O_CREAT | os.O_APPEND)
    record_file = RecordFile(descriptor)
    with file_limit(size):
        for first in range(0, 6, 2):
            record_file.append(rows[first : first + 2])
    assert record_file.records()["index"].tolist() == list(range(6))
    assert record_file.count == 6
    assert record_file.fault is not None
    assert os.fstat(descriptor).st_size == size // RECORD.itemsize * RECORD.itemsize
    os.close(descriptor)
