"""The media decoder: decodes captured answers after the run, for `--save-dir` and `--verify decode`."""

import re
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from loadgen.capture.answer_writer import SUFFIX
from loadgen.capture.write_errors import WriteErrors
from loadgen.media.headers import describe
from loadgen.media.verification import decode_fault

REPORT_EVERY_S: Final = 2.0
_ID_CHARS: Final = 60  # of a request id, in a file name
_UNSAFE: Final = re.compile(r"[^A-Za-z0-9_-]+")  # no separators, dots or characters that file systems fold or refuse

Extract = Callable[[bytes], Iterable[bytes]]


@dataclass(slots=True)
class DecodedMedia:
    """The outcome of decoding.

    `saved` counts files, `write_errors` the answers without a file; `decoded` and `undecoded` count answers; `refused`
    gives, by plan index, the fault of answers that could not be decoded. `took_s` is the total time.
    """

    saved: int = 0
    write_errors: WriteErrors = field(default_factory=WriteErrors)
    decoded: int = 0
    undecoded: int = 0
    refused: dict[int, str] = field(default_factory=dict)
    took_s: float = 0.0


@dataclass(frozen=True, slots=True)
class MediaDecoder:
    """Saves the media of answers to `folder` (None: not at all) and, with `decode`, checks that they decode completely.

    `extract` returns the media of a body; `name` the id of request `index`, an arbitrary text.
    """

    folder: Path | None
    decode: bool
    extract: Extract
    name: Callable[[int], str]

    def decode_all(self, answers: Path, tell: Callable[[str], None], stopped: Callable[[], bool]) -> DecodedMedia:
        """Decode every captured answer, in plan order, until `stopped()`; `tell` gets a progress line now and then."""
        done, began = DecodedMedia(), time.monotonic()
        paths, reported = sorted(answers.glob(f"*{SUFFIX}"), key=lambda path: int(path.stem)), began
        for count, path in enumerate(paths):
            if stopped():
                self._skip(paths[count:], done)
                break
            if time.monotonic() - reported > REPORT_EVERY_S:
                reported = time.monotonic()
                tell(f"{count} of {len(paths)} answers {'decoded' if self.decode else 'saved'}; Ctrl-C skips the rest")
            self._decode_one(int(path.stem), path, done)
        done.took_s = time.monotonic() - began
        return done

    def _skip(self, rest: list[Path], done: DecodedMedia) -> None:
        done.undecoded += len(rest) if self.decode else 0
        for path in rest if self.folder else ():
            done.write_errors.add(int(path.stem), "stopped by Ctrl-C")

    def _decode_one(self, index: int, path: Path, done: DecodedMedia) -> None:
        try:
            media = tuple(self.extract(path.read_bytes()))
        except OSError as error:
            self._fail(index, f"{path}: {error.strerror}", done)
            return
        except Exception as error:  # malformed bodies must not prevent the report
            self._refuse(index, f"cannot be decoded: {type(error).__name__}: {error}", done)
            return
        if self.decode:
            done.decoded += 1
            if fault := next((fault for medium in media if (fault := decode_fault(medium))), ""):
                done.refused[index] = fault
        if self.folder:
            self._save(index, media, self.folder, done)
        path.unlink(missing_ok=True)

    def _refuse(self, index: int, fault: str, done: DecodedMedia) -> None:
        if self.decode:
            done.decoded += 1
            done.refused[index] = fault
        if self.folder:
            done.write_errors.add(index, fault)

    def _fail(self, index: int, why: str, done: DecodedMedia) -> None:
        done.undecoded += self.decode
        if self.folder:
            done.write_errors.add(index, why)

    def _save(self, index: int, media: tuple[bytes, ...], folder: Path, done: DecodedMedia) -> None:
        stem = "-".join(filter(None, (f"{index:06}", safe(self.name(index)))))
        try:
            for position, medium in enumerate(media):
                write(folder, f"{stem}-{position}", medium)
                done.saved += 1
        except OSError as error:
            done.write_errors.add(index, f"{folder}: {error.strerror}")


def safe(text: str) -> str:
    """Return a text as part of a file name: ASCII letters, digits, - and _, at most 60 of them."""
    return _UNSAFE.sub("_", text[: 4 * _ID_CHARS])[:_ID_CHARS].strip("_")


def write(folder: Path, stem: str, medium: bytes) -> None:
    """Write a new file with the suffix of its media type; never overwrite an existing one."""
    found = describe(medium)
    suffix = found.mime.partition("/")[2] if found else "bin"
    for attempt in range(1, 1_000_000):
        path = folder / f"{stem}{f'-{attempt}' if attempt > 1 else ''}.{suffix}"
        try:
            file = path.open("xb")
        except FileExistsError:
            continue
        try:
            with file:
                file.write(medium)
        except OSError:
            path.unlink(missing_ok=True)
            raise
        return
