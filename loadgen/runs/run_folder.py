"""The folder of `--run-dir`: made before the run, with the plan at its start and the summary at its end."""

import hashlib
import os
import stat
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from collector.records import shared_memory
from collector.records.record import RECORD
from collector.records.shared_memory import Descriptor
from collector.records.stalls import STALL
from collector.report import json
from collector.saved import run_folder
from collector.saved.run_folder_writer import NEW
from collector.summary.result import LAYOUT
from loadgen.errors import UsageError
from loadgen.planning.plan import Plan

_DTYPES: Final = {run_folder.PLAN: run_folder.PLANNED, run_folder.RECORDS: RECORD, run_folder.STALLS: STALL}


class RunDir:
    """Writes a run folder; collector/saved/run_folder.py describes and reads it."""

    def __init__(self, folder: Path) -> None:
        """Make the folder; UsageError if that fails, or if it holds a run already."""
        self.folder, self._begun = folder, False
        try:
            folder.mkdir(mode=0o755, parents=True, exist_ok=True)
            taken = any(os.path.lexists(folder / name) for name in run_folder.FILES)
            shared_by_all = folder.stat().st_mode & stat.S_IWOTH
        except OSError as error:
            raise UsageError(f"--run-dir {folder}: {error.strerror}; name a folder that can be made") from None
        if taken:
            raise UsageError(f"--run-dir {folder}: holds a run already, which is never overwritten; name a new folder")
        if shared_by_all:
            raise UsageError(f"--run-dir {folder}: everybody may write in it; name a folder of your own")
        if not os.access(folder, os.W_OK | os.X_OK):
            raise UsageError(f"--run-dir {folder}: is not writable; name another folder or change its permissions")

    def open(self, name: str) -> Descriptor:
        """Open a new file of the folder for appending."""
        try:
            return Descriptor(os.open(self.folder / name, os.O_RDWR | os.O_APPEND | NEW, 0o600))
        except OSError as error:
            raise self._unusable(error) from None

    def begin(self, plan: Plan, slo_ms: NDArray[np.float64], info: Mapping[str, Any]) -> None:
        """Write the plan and run.json; `info` has `started_ns`, `parameters` and the run metadata.

        Raises UsageError if the disk is full.
        """
        rows = np.empty(len(plan), run_folder.PLANNED)
        rows["arrival_ns"], rows["slo_ms"] = plan.arrivals_ns, slo_ms
        for column, name in enumerate(("width", "height", "frames", "steps")):
            rows[name] = plan.shapes[plan.entries, column]
        summary = {"requests": len(plan), "digest": digest(plan), "source": plan.source}
        dtypes = {name: run_folder.describe(dtype) for name, dtype in _DTYPES.items()}
        run = {"layout": LAYOUT, **info, "plan": summary, "dtypes": dtypes}
        try:
            self._replace(run_folder.PLAN, rows.tobytes())
            self._replace(run_folder.RUN, json.dump(run))
            self._begun = True
        except OSError as error:
            raise self._unusable(error) from None

    def finish(self, result: Mapping[str, Any]) -> list[str]:
        """Write the summary, which marks the run as complete; return the error if that fails, else nothing."""
        try:
            self._replace(run_folder.SUMMARY, json.dump(result))
        except OSError as error:
            return [f"{run_folder.SUMMARY}: {error.strerror}"]
        return []

    def discard_unused(self) -> None:
        """Remove the files of a run that never began, so that the same command can be given again."""
        if self._begun:
            return
        with suppress(OSError):
            for name in run_folder.FILES:
                (self.folder / name).unlink(missing_ok=True)
            self.folder.rmdir()  # unless something else is in it

    def _unusable(self, error: OSError) -> UsageError:
        return UsageError(f"--run-dir {self.folder}: {error.strerror}; free disk space, or name another folder")

    def _replace(self, name: str, content: bytes) -> None:
        draft = self.folder / f".{name}"
        try:
            with os.fdopen(os.open(draft, os.O_WRONLY | NEW, 0o644), "wb") as file:
                file.write(content)
            draft.replace(self.folder / name)
        finally:
            draft.unlink(missing_ok=True)


def digest(plan: Plan) -> str:
    """SHA-256 of all requests and send times: runs with the same digest had the same load."""
    hasher = hashlib.sha256(plan.arrivals_ns.tobytes())
    hasher.update(plan.entries.tobytes())
    for name in ("offsets", "bodies"):
        hasher.update(shared_memory.attach(plan.store[name].fileno(), np.uint8).data)
    return hasher.hexdigest()
