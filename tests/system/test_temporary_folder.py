"""Temporary folders that stay behind neither an end nor a kill -9 of whoever has them."""

import os
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from loadgen.errors import UsageError
from loadgen.system.temporary_folder import temporary_folder
from tests.faults.test_stops import LONG, alive, temporary, under_way, wait_for
from tests.support.commands import LIMIT_S, ROOT, T2I, command, server


@pytest.fixture
def tmp() -> Iterator[Path]:
    with temporary() as folder:
        yield folder


def cleaners(parent: int) -> list[int]:
    """Process ids of the cleaners of `parent`."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            status, words = (path / "stat").read_text(), (path / "cmdline").read_bytes()
        except OSError:
            continue
        if int(status.rpartition(")")[2].split()[1]) == parent and b"temporary_folder_cleaner.py" in words:
            found.append(int(path.name))
    return found


def test_a_temporary_folder_is_private_and_goes_with_all_that_is_in_it(tmp_path: Path) -> None:
    with temporary_folder("x-", tmp_path) as folder:
        assert (folder.parent, folder.name[:2], stat.S_IMODE(folder.stat().st_mode)) == (tmp_path, "x-", 0o700)
        (folder / "deep").mkdir()
        (folder / "deep" / "file").write_text("x")
    assert list(tmp_path.iterdir()) == []


def test_a_temporary_folder_goes_though_an_exception_or_the_death_of_its_cleaner(tmp_path: Path) -> None:
    with pytest.raises(KeyError), temporary_folder("x-", tmp_path):
        raise KeyError
    assert list(tmp_path.iterdir()) == []
    with temporary_folder("x-", tmp_path):
        (cleaner,) = cleaners(os.getpid())
        os.kill(cleaner, signal.SIGKILL)
    assert list(tmp_path.iterdir()) == []


def test_a_place_where_no_folder_can_be_made_is_one_line_that_names_it(tmp_path: Path) -> None:
    with (
        pytest.raises(UsageError, match=f"^{tmp_path}/none: .*No such file or directory"),
        temporary_folder("x-", tmp_path / "none"),
    ):
        pass


# The cleaner goes on trying: this is somebody who writes there for a second after the parent is dead.
WRITER = """
import pathlib, sys, time
for k in range(100):
    try:
        pathlib.Path(sys.argv[1], f"{k}").touch()
    except OSError:
        break
    time.sleep(0.01)
"""
PARENT = f"""
import os, signal, subprocess, sys
from loadgen.system.temporary_folder import temporary_folder
with temporary_folder("x-", sys.argv[1]) as folder:
    subprocess.Popen([sys.executable, "-c", {WRITER!r}, folder])
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_temporary_folder_goes_after_its_parent_though_somebody_still_writes_there(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", PARENT, str(tmp_path)], cwd=ROOT, timeout=LIMIT_S, check=False)
    assert done.returncode == -signal.SIGKILL
    wait_for("the folder to go", lambda: list(tmp_path.iterdir()) == [])


COMMANDS: dict[str, Sequence[str]] = {
    "bench": ("bench", *LONG, "--html", "page.html"),
    "sweep": ("sweep", "--rates", "50,60", "--num-prompts", "2000"),
    "search": ("search", "--min-attainment", "0.9", "--slo-ms", "100", "--time-limit", "60", "--start-rate", "50"),
}


@pytest.mark.parametrize("name", list(COMMANDS))
def test_a_command_whose_parent_is_killed_leaves_nothing_in_the_folder_for_temporary_files(
    name: str, tmp_path: Path, tmp: Path
) -> None:
    with server(base_ms=5, replicas=50) as url:
        verb, *words = COMMANDS[name]
        words = [str(tmp_path / word) if word.endswith(".html") else word for word in words]
        process = command(verb, *T2I, *words, "--base-url", url, "--warmup-requests", "0", TMPDIR=str(tmp))
        wait_for("records", lambda: bool(list(tmp.glob("loadgen-*/**/records.bin"))))
        pids = cleaners(process.pid)
        process.kill()
        process.communicate(timeout=LIMIT_S)
        wait_for("everything to go", lambda: list(tmp.iterdir()) == [])
        wait_for("the cleaner to end", lambda: not any(map(alive, pids)))
    assert len(pids) == 1


def test_answers_that_wait_to_be_saved_go_with_a_parent_that_is_killed(tmp_path: Path, tmp: Path) -> None:
    with server(base_ms=5, replicas=50, media="image") as url:
        process = under_way(url, "--save-dir", str(tmp_path), TMPDIR=str(tmp))
        wait_for("answers", lambda: bool(list(tmp_path.glob(".answers-*/*.answer"))))
        process.kill()
        process.communicate(timeout=LIMIT_S)
        wait_for("everything to go", lambda: [*tmp_path.iterdir(), *tmp.iterdir()] == [])
