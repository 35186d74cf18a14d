"""The folder of `--run-dir`: made before the run, described at its start, summed up at its end."""

import hashlib
import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from collector import saved, shared
from collector.folder import NEW
from collector.hiccup import HICCUP
from collector.record import RECORD
from collector.report import json
from collector.shared import Descriptor
from loadgen.errors import UsageError
from loadgen.plan import Plan

_DTYPES: Final = {saved.PLAN: saved.PLANNED, saved.RECORDS: RECORD, saved.HICCUPS: HICCUP}


class RunDir:
    """Writes a run folder; collector/saved.py says what is in it, and reads it."""

    def __init__(self, folder: Path) -> None:
        """Make the folder; UsageError where that fails, or where it holds a run already."""
        self.folder = folder
        try:
            folder.mkdir(mode=0o755, parents=True, exist_ok=True)
            taken = any(os.path.lexists(folder / name) for name in saved.FILES)
            shared_by_all = folder.stat().st_mode & stat.S_IWOTH
        except OSError as error:
            raise UsageError(f"--run-dir {folder}: {error.strerror}; name a folder that can be made") from None
        if taken:
            raise UsageError(f"--run-dir {folder}: holds a run already, which is never overwritten; name a new folder")
        if shared_by_all:
            raise UsageError(f"--run-dir {folder}: everybody may write in it, records too; name a folder of your own")
        if not os.access(folder, os.W_OK | os.X_OK):
            raise UsageError(f"--run-dir {folder}: may not be written; choose another place or change its permissions")

    def open(self, name: str) -> Descriptor:
        """Open a new file of the folder for appending."""
        try:
            return Descriptor(os.open(self.folder / name, os.O_RDWR | os.O_APPEND | NEW, 0o600))
        except OSError as error:
            raise self._unusable(error) from None

    def begin(self, plan: Plan, slo_ms: NDArray[np.float64], facts: Mapping[str, Any]) -> None:
        """Write what is known before the start; `facts` has `started_ns`, `terms` and the circumstances.

        Raises UsageError where there is no room.
        """
        rows = np.empty(len(plan), saved.PLANNED)
        rows["arrival_ns"], rows["slo_ms"] = plan.arrivals_ns, slo_ms
        for column, name in enumerate(("width", "height", "frames", "steps")):
            rows[name] = plan.shapes[plan.entries, column]
        about = {"requests": len(plan), "digest": digest(plan), "source": plan.source}
        dtypes = {name: saved.describe(dtype) for name, dtype in _DTYPES.items()}
        run = {"layout": saved.LAYOUT, **facts, "plan": about, "dtypes": dtypes}
        try:
            self._replace(saved.PLAN, rows.tobytes())
            self._replace(saved.RUN, json.dump(run))
        except OSError as error:
            raise self._unusable(error) from None

    def finish(self, result: Mapping[str, Any]) -> list[str]:
        """Write the summary, which says that the run came to its end; return what is wrong where that fails."""
        try:
            self._replace(saved.SUMMARY, json.dump(result))
        except OSError as error:
            return [f"{saved.SUMMARY}: {error.strerror}"]
        return []

    def _unusable(self, error: OSError) -> UsageError:
        return UsageError(f"--run-dir {self.folder}: {error.strerror}; make room, or name another place")

    def _replace(self, name: str, content: bytes) -> None:
        draft = self.folder / f".{name}"
        try:
            with os.fdopen(os.open(draft, os.O_WRONLY | NEW, 0o644), "wb") as file:
                file.write(content)
            draft.replace(self.folder / name)
        finally:
            draft.unlink(missing_ok=True)


def digest(plan: Plan) -> str:
    """SHA-256 of what will be sent and when: two runs with the same one did the same work."""
    hasher = hashlib.sha256(plan.arrivals_ns.tobytes())
    hasher.update(plan.entries.tobytes())
    for name in ("offsets", "bodies"):
        hasher.update(shared.attach(plan.store[name].fileno(), np.uint8).data)
    return hasher.hexdigest()
