"""The folder of `--sweep-dir`: sweep.json and a run folder for each rate; an interrupted sweep continues from it."""

import fcntl
import math
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from collector.report import json
from collector.saved.json_files import check_layout, read_object
from collector.saved.run_folder import RUN, SavedRun, read_run
from loadgen.errors import UsageError

SWEEP: Final = "sweep.json"
UNFINISHED: Final = "unfinished"  # folder of incomplete runs, which are made again
_FLAG: Final = "--sweep-dir"


class SweepDir:
    """Reads and writes a sweep folder. `saved` is the existing sweep.json, empty for a new folder.

    `config` is the config of the sweep, as in JSON.
    """

    def __init__(self, folder: Path, config: Mapping[str, Any]) -> None:
        """Make the folder or continue in it; UsageError if it has another config, is in use, or is not writable."""
        self.folder = folder
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._lock = os.open(folder, os.O_RDONLY)
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UsageError(
                f"{_FLAG} {folder}: another sweep is using it; wait for it, or name a new folder"
            ) from None
        except OSError as error:
            raise UsageError(f"{_FLAG} {folder}: {error.strerror}; name a folder that can be made") from None
        try:
            self.saved = read_object(folder / SWEEP) or {}
            self.config: dict[str, Any] = json.native(config)  # type: ignore[assignment]
            self._check()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Unlock the folder."""
        os.close(self._lock)

    @property
    def slo(self) -> Mapping[str, Any] | None:
        """How the SLO targets of the sweep were set; None before its first run."""
        slo: Mapping[str, Any] | None = self.saved.get("slo")
        return slo

    def finished(self, rate: float) -> SavedRun | None:
        """Return the completed run at a rate, if there is one; an incomplete run is set aside."""
        folder = self.run_folder(rate)
        if not folder.exists():
            return None
        run = read_run(folder) if (folder / RUN).exists() else None
        if run is not None and run.summary is not None and not run.summary.get("partial"):
            return run
        self.set_aside(rate)
        return None

    def run_folder(self, rate: float) -> Path:
        """The folder of the run at a rate."""
        return self.folder / f"rate-{rate:.6g}"

    def write(self, sweep: Mapping[str, Any]) -> None:
        """Write sweep.json atomically; UsageError if the disk is full."""
        draft = self.folder / f".{SWEEP}"
        try:
            draft.write_bytes(json.dump(sweep))
            draft.replace(self.folder / SWEEP)
        except OSError as error:
            draft.unlink(missing_ok=True)
            raise UsageError(
                f"{_FLAG} {self.folder}: {error.strerror}; free disk space, then run the same command to continue"
            ) from None

    def set_aside(self, rate: float) -> None:
        """Move an incomplete run at a rate, if there is one, so that a new run takes its place."""
        folder, aside, number = self.run_folder(rate), self.folder / UNFINISHED, 1
        if not folder.exists():
            return
        try:
            aside.mkdir(exist_ok=True)
            while (target := aside / f"{folder.name}-{number}").exists():
                number += 1
            folder.rename(target)
        except OSError as error:
            raise UsageError(
                f"{_FLAG} {self.folder}: {error.strerror}; free disk space, then run the same command to continue"
            ) from None

    def _check(self) -> None:
        if not os.access(self.folder, os.W_OK | os.X_OK):
            raise UsageError(f"{_FLAG} {self.folder}: is not writable; change its permissions, or name another folder")
        if not self.saved:
            if any(self.folder.iterdir()):
                raise UsageError(f"{_FLAG} {self.folder}: is not empty and holds no sweep; name a new folder")
            return
        path = self.folder / SWEEP
        check_layout(path, self.saved)
        known = self.saved.get("config")
        if not (isinstance(known, dict) and _are_rates(self.saved.get("rates")) and _is_slo(self.saved.get("slo"))):
            raise UsageError(f"{path}: is damaged (no config, or invalid rates or targets); name a new folder")
        if changed := list(differences(known, self.config)):
            shown = "; ".join(changed[:3])
            raise UsageError(f"{_FLAG} {self.folder}: holds a sweep with another config ({shown}); name a new folder")


def _are_rates(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(rate, int | float) and 0 < rate <= 1e9 for rate in value)


def _is_slo(value: Any) -> bool:
    """Whether later runs can take their SLO targets from it."""
    if value is None or not isinstance(value, dict):
        return value is None
    predicting = value.get("model") in ("linear", "affine")
    numbers = (value.get("unit_ms"), value.get("fixed_ms", 0.0)) if predicting else ()
    return all(isinstance(number, int | float) and 0 <= number < math.inf for number in numbers)


def differences(one: Any, other: Any, path: str = "") -> Iterator[str]:
    """Yield each leaf in which two JSON values differ, with its path."""
    if isinstance(one, dict) and isinstance(other, dict):
        for key in sorted({*one, *other}):
            yield from differences(one.get(key), other.get(key), f"{path}.{key}" if path else key)
    elif one != other:
        yield f"{path} was {one!r} and is {other!r}"


def read_rates(saved: Mapping[str, Any], requested: Sequence[float]) -> list[float]:
    """All rates of a continued sweep, ascending: its earlier ones and the requested ones."""
    return sorted({*(float(rate) for rate in saved.get("rates", [])), *requested})
