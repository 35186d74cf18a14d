"""`--save-dir`: files that are named safely and never overwritten, and disks that are full or slow."""

import os
import resource
import signal
from collections.abc import Iterable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.report.terminal import media
from loadgen.capture.answer_capture import AnswerCapture
from loadgen.capture.answer_writer import SUFFIX, AnswerWriter
from loadgen.capture.media_decoder import MediaDecoder, safe, write
from loadgen.capture.ring_buffer import RingBuffer
from loadgen.capture.write_errors import NAMED, WriteErrors
from loadgen.simulator.engine.png import png
from tests.faults.test_stops import children, end, under_way, wait_for
from tests.support.commands import bench, fetch, server

HOSTILE = "../../etc/passwd"
PICTURE = png(8, 8)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("req-7_a", "req-7_a"),
        (HOSTILE, "etc_passwd"),
        ("..", ""),
        ("a/b\\c\0d", "a_b_c_d"),
        ("a.b..c", "a_b_c"),
        ("ärger\n", "rger"),
        ("x" * 10_000, "x" * 60),
        ("", ""),
        ("CON:|?*", "CON"),
    ],
)
def test_of_an_id_only_what_is_safe_comes_into_a_name(text: str, name: str) -> None:
    assert safe(text) == name


def test_a_file_that_is_there_is_never_overwritten_nor_followed(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "a.png").symlink_to(outside)
    for _ in range(3):
        write(folder, "a", PICTURE)
    assert not outside.exists()
    assert sorted(path.name for path in folder.iterdir()) == ["a-2.png", "a-3.png", "a-4.png", "a.png"]


def buffer(folder: Path | None, *, decode: bool = False) -> MediaDecoder:
    def extract(body: bytes) -> Iterable[bytes]:
        if body == b"no json":
            raise ValueError("no json")
        return (body, PICTURE)

    return MediaDecoder(folder, decode, extract, lambda index: HOSTILE if index % 2 else "")


class Desk:
    """An answer capture and its answer writer, in one process."""

    def __init__(self, folder: Path, size: int = 1 << 20) -> None:
        self.ring = RingBuffer.create(size)
        numbers = {name: each.fileno() for name, each in self.ring.items()}
        self.wakeup, wakeup = os.pipe()
        self.capture = AnswerCapture(RingBuffer(numbers), wakeup)
        self.writer = AnswerWriter({"answers": str(folder), "rings": [numbers], "wakeup": self.wakeup})
        self._ends = (self.wakeup, wakeup)

    def finish(self, time_limit_s: float = 60) -> WriteErrors:
        for each in self._ends:
            os.close(each)
        return WriteErrors(**self.writer.finish(time_limit_s)["lost"])


def kept(folder: Path, *bodies: bytes) -> Path:
    folder.mkdir()
    desk = Desk(folder)
    for index, body in enumerate(bodies):
        desk.capture.keep(index, body)
    assert os.read(desk.wakeup, 100) == bytes(len(bodies))
    assert desk.finish() == desk.capture.write_errors == WriteErrors()
    return folder


def never() -> bool:
    return False


def test_kept_answers_become_files_named_by_index_and_id(tmp_path: Path) -> None:
    answers = kept(tmp_path / "answers", b"what is this", PICTURE)
    done = buffer(tmp_path).decode_all(answers, print, never)
    assert sorted(path.name for path in tmp_path.glob("*.*")) == [
        "000000-0.bin",
        "000000-1.png",
        "000001-etc_passwd-0.png",
        "000001-etc_passwd-1.png",
    ]
    assert (done.saved, done.write_errors, done.refused, done.decoded) == (4, WriteErrors(), {}, 0)
    assert list(answers.iterdir()) == []


def test_answers_that_hold_nothing_or_cannot_be_written_are_counted_and_named(tmp_path: Path) -> None:
    answers = kept(tmp_path / "answers", PICTURE, b"no json", PICTURE)
    nowhere = tmp_path / "gone"
    done = buffer(nowhere, decode=True).decode_all(answers, print, never)
    assert (done.saved, done.write_errors.count, done.write_errors.requests) == (0, 3, [0, 1, 2])
    assert str(nowhere) in done.write_errors.example
    assert (done.decoded, done.undecoded, list(done.refused)) == (3, 0, [1])
    assert "no json" in done.refused[1]


def test_a_stop_leaves_the_rest_and_says_so(tmp_path: Path) -> None:
    answers = kept(tmp_path / "answers", PICTURE, PICTURE, PICTURE)
    asked = iter([False, True])
    done = buffer(tmp_path, decode=True).decode_all(answers, print, lambda: next(asked))
    assert (done.saved, done.decoded, done.undecoded) == (2, 1, 2)
    assert (done.write_errors.count, done.write_errors.requests) == (2, [1, 2])


def test_a_slow_disk_costs_files_and_is_waited_for_no_longer_than_said(tmp_path: Path) -> None:
    desk = Desk(tmp_path, size=4_096)
    for index in range(6):
        desk.capture.keep(index, bytes(1_000))  # 1,024 with its head and padding
    assert (desk.capture.write_errors.count, desk.capture.write_errors.requests) == (2, [4, 5])
    assert "slower than the answers" in desk.capture.write_errors.example
    write_errors = desk.finish(0)
    assert (write_errors.count, write_errors.requests) == (4, [0, 1, 2, 3])
    assert "took more than 0 s" in write_errors.example
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_costs_files_and_leaves_no_half_ones(tmp_path: Path) -> None:
    before, handler = resource.getrlimit(resource.RLIMIT_FSIZE), signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    desk = Desk(tmp_path)
    for index, size in enumerate((900, 5_000, 800)):
        desk.capture.keep(index, bytes(size))
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000, before[1]))
    try:
        write_errors = desk.finish()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    assert (write_errors.count, write_errors.requests) == (1, [1])
    assert "File too large" in write_errors.example
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"000000{SUFFIX}", f"000002{SUFFIX}"]


def test_a_body_is_copied_before_its_memory_is_used_again(tmp_path: Path) -> None:
    desk, memory = Desk(tmp_path), bytearray(b"first")
    desk.capture.keep(0, memoryview(memory))
    memory[:] = b"other"
    desk.finish()
    assert (tmp_path / f"000000{SUFFIX}").read_bytes() == b"first"


@given(st.lists(st.one_of(st.integers(0, 300), st.none()), max_size=60))
def test_a_ring_buffer_gives_back_what_it_took_in_order_however_it_wraps(steps: list[int | None]) -> None:
    """Numbers are sizes of bodies to put in, None takes everything out; a deque of the same says what must come."""
    memory = RingBuffer.create(512)
    ring = RingBuffer({name: each.fileno() for name, each in memory.items()})
    inside: list[tuple[int, bytes]] = []
    for index, size in enumerate(steps):
        if size is None:
            assert ring.waiting() == [number for number, _ in inside]
            assert [(number, bytes(body)) for number, body in ring.take()] == inside
            inside = []
        elif ring.put(index, body := os.urandom(size)):
            inside.append((index, body))
        else:
            assert inside or size > 512 // 2 - 16
    assert [(number, bytes(body)) for number, body in ring.take()] == inside


def test_a_body_larger_than_the_ring_buffer_is_a_write_error_and_nothing_else(tmp_path: Path) -> None:
    desk = Desk(tmp_path, size=4_096)
    for index, size in enumerate((10, 4_096, 20)):
        desk.capture.keep(index, bytes(size))
    assert desk.capture.write_errors.requests == [1]
    assert desk.finish() == WriteErrors()
    assert len(list(tmp_path.iterdir())) == 2


def test_losses_of_many_are_counted_and_the_first_are_named() -> None:
    write_errors = WriteErrors()
    for index in range(NAMED + 5):
        write_errors.add(index, f"reason {index}")
    assert (write_errors.count, write_errors.example, write_errors.requests) == (
        NAMED + 5,
        "reason 0",
        list(range(NAMED)),
    )


def test_hostile_ids_of_a_trace_name_files_inside_the_folder(tmp_path: Path) -> None:
    trace = tmp_path / "trace.txt"
    trace.write_text("".join(f"Request(prompt='a', request_id={HOSTILE!r}, width=64, height=64)\n" for _ in range(3)))
    words = ("--task", "t2i", "--dataset", "trace", "--dataset-path", str(trace), "--num-prompts", "3", "--simulate")
    result = bench(*words, "--save-dir", str(tmp_path / "saved"), "--disable-tqdm")
    assert sorted(path.name for path in (tmp_path / "saved").iterdir()) == [
        f"{index:06}-etc_passwd-0.png" for index in range(3)
    ]
    assert (result["media"]["saved_files"], result["media"]["lost"]["count"]) == (3, 0)


def test_write_errors_list_their_requests() -> None:
    lost = {"count": 3, "example": "/mnt: No space left on device", "requests": [4, 7]}
    told = dict(media.lines({"save_dir": "/mnt", "saved_files": 9, "lost": lost}))
    assert told == {
        "saved": "9 files in /mnt",
        "not saved": "3 answers (/mnt: No space left on device): requests 4, 7, ...",
    }


def test_an_answer_writer_that_hangs_and_dies_costs_files_that_are_all_counted(tmp_path: Path) -> None:
    with server(base_ms=5, replicas=20, media="image") as url:
        process = under_way(url, "--save-dir", str(tmp_path))
        writer = children(process.pid)["loadgen.capture.answer_writer"]
        os.kill(writer, signal.SIGSTOP)
        seen = fetch(f"{url}/sim/stats")["requests"]
        wait_for("answers that nobody saves", lambda: fetch(f"{url}/sim/stats")["requests"] > seen + 20)
        os.kill(writer, signal.SIGKILL)
        seen = fetch(f"{url}/sim/stats")["requests"]
        wait_for("a run that goes on", lambda: fetch(f"{url}/sim/stats")["requests"] > seen + 5)
        process.send_signal(signal.SIGINT)
        code, result, _ = end(process)
    lost = result["media"]["lost"]
    assert code == 130
    assert "died" in result["processes"]["writer"]
    assert lost["count"] >= 10
    assert "the writer process died" in lost["example"]
    assert result["media"]["saved_files"] + lost["count"] == result["completed_requests"]
    assert len(list(tmp_path.iterdir())) == result["media"]["saved_files"]


def test_of_an_interrupted_run_everything_that_succeeded_is_saved(tmp_path: Path) -> None:
    with server(base_ms=5, replicas=20, media="image") as url:
        process = under_way(url, "--save-dir", str(tmp_path), "--verify", "decode")
        process.send_signal(signal.SIGINT)
        code, result, _ = end(process)
    assert code == 130
    assert result["media"]["lost"]["count"] == result["media"]["undecoded"] == 0
    assert len(list(tmp_path.iterdir())) == result["media"]["decoded"] == result["completed_requests"] > 0
