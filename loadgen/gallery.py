"""The gallery: answers kept for `--save-dir`, without costing the timed path more than a queue.

While the run goes on, a thread writes bodies as they came, and the system call that does it lets the event loop run.
They are decoded into images and videos when nothing is timed any more.
"""

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from typing import Any, Final

from loadgen.media import describe

PENDING_BYTES: Final = 256 << 20  # bodies that wait for the disk; what comes on top is dropped and counted
_SUFFIX: Final = ".answer"

Extract = Callable[[bytes], Iterable[bytes]]


@dataclass(slots=True)
class Losses:
    """What could not be saved: how many answers, and why the first one."""

    count: int = 0
    example: str = ""

    def add(self, count: int, example: str) -> None:
        """Count more of them."""
        self.count += count
        self.example = self.example or example


class Gallery:
    """A sender's way to the disk."""

    def __init__(self, folder: Path) -> None:
        self._folder, self.losses = folder, Losses()
        self._queue: SimpleQueue[tuple[int, Any] | None] = SimpleQueue()
        self._pending = 0
        self._thread = threading.Thread(target=self._write, name="gallery", daemon=True)
        self._thread.start()

    def keep(self, index: int, body: bytes | memoryview) -> None:
        """Write the body of request `index`, soon."""
        if self._pending + len(body) > PENDING_BYTES:
            self.losses.add(1, f"the disk is slower than the answers ({PENDING_BYTES >> 20} MiB were waiting)")
            return
        self._pending += len(body)
        self._queue.put((index, bytes(body)))  # a view is good for now only

    def close(self) -> Losses:
        """Wait until everything is written; return what is not."""
        self._queue.put(None)
        self._thread.join()
        return self.losses

    def _write(self) -> None:
        while (item := self._queue.get()) is not None:
            index, body = item
            try:
                (self._folder / f"{index:06}{_SUFFIX}").write_bytes(body)
            except OSError as error:
                self.losses.add(1, f"{self._folder}: {error.strerror}")
            self._pending -= len(body)


def develop(answers: Path, folder: Path, extract: Extract, tell: Callable[[str], None]) -> tuple[int, Losses]:
    """Decode every kept answer into files of `folder`, named by plan index; return how many, and what failed.

    A file that is there already is never overwritten.
    """
    saved, losses = 0, Losses()
    kept = sorted(answers.glob(f"*{_SUFFIX}"))
    for done, path in enumerate(kept):
        if done and done % 1000 == 0:
            tell(f"saved {done} of {len(kept)} answers")
        try:
            for place, medium in enumerate(extract(path.read_bytes())):
                _save(folder, f"{path.stem}-{place}", medium)
                saved += 1
            path.unlink()
        except OSError as error:
            losses.add(1, f"{folder}: {error.strerror}")
        except Exception as error:  # what a server sends, or a full disk cut short, must not cost the report
            losses.add(1, f"request {path.stem}: {type(error).__name__}: {error}")
    return saved, losses


def _save(folder: Path, stem: str, medium: bytes) -> None:
    found = describe(medium)
    suffix = found.mime.partition("/")[2] if found else "bin"
    for attempt in range(1, 1_000_000):
        place = folder / f"{stem}{f'-{attempt}' if attempt > 1 else ''}.{suffix}"
        try:
            file = place.open("xb")
        except FileExistsError:
            continue
        try:
            with file:
                file.write(medium)
        except OSError:
            place.unlink(missing_ok=True)
            raise
        return
