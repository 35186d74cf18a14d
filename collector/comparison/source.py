"""Reads what can be compared: a run folder, the result JSON of a run, or a sweep folder with one run per rate."""

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from collector.comparison.figures import estimates
from collector.errors import RunError
from collector.saved import json_files
from collector.saved.run_folder import RUN, SUMMARY, SavedRun, read_run


@dataclass(frozen=True, slots=True)
class Source:
    """A run to compare, with either `saved` (including records) or `result` (figures only).

    `digest` is that of its plan (None: unknown), `config` are the options of the run.
    """

    path: Path
    config: Mapping[str, Any]
    planned: int
    digest: str | None
    confidence: float
    saved: SavedRun | None = None
    result: Mapping[str, Any] | None = None


def read(path: Path) -> Source:
    """Read a run folder or a result file. Raises RunError, which names the file and the fault."""
    if not os.path.isdir(path):  # noqa: PTH112  (no error for an odd path)
        return _read_result(path)
    saved = read_run(path)
    digest = saved.run["plan"].get("digest")
    known = digest if isinstance(digest, str) and digest else None
    config, info = saved.run.get("config", {}), saved.info
    return Source(path, config, info.planned, known, info.confidence, saved=saved)


def runs_by_rate(path: Path) -> dict[float, Path] | None:
    """The run folders in a sweep folder by their rate (1/s; inf: closed loop); None if it is not a sweep folder.

    If a rate was run again after its run was killed, the complete run counts.
    """
    try:
        if not path.is_dir() or (path / RUN).exists():
            return None
        folders = [folder for folder in sorted(path.iterdir()) if (folder / RUN).is_file()]
        complete = {folder for folder in folders if (folder / SUMMARY).is_file()}
    except OSError as error:
        raise RunError(f"{path}: {error.strerror}; name a folder of --run-dir, or a file of --output-file") from None
    if not folders:
        raise RunError(
            f"{path}: holds neither a run ({RUN}) nor folders of runs; name a folder of --run-dir or --sweep-dir"
        )
    found: dict[float, Path] = {}
    for folder in folders:
        rate = _asked_rate(folder)
        if rate in found and (folder in complete) == (found[rate] in complete):
            raise RunError(f"{path}: {found[rate].name} and {folder.name} are both at {rate:g}/s; remove one of them")
        if rate not in found or folder in complete:
            found[rate] = folder
    return found


def _asked_rate(folder: Path) -> float:
    run = json_files.read_object(folder / RUN) or {}
    json_files.check_layout(folder / RUN, run)
    try:
        rate = float(run["parameters"]["asked_rate"])
    except (LookupError, TypeError, ValueError):
        rate = math.nan
    if not rate > 0:
        raise json_files.damaged(folder / RUN, "parameters.asked_rate is not a rate")
    return rate


def _read_result(path: Path) -> Source:
    result = json_files.read_object(path)
    if result is None:
        raise RunError(f"{path}: is missing; name a folder of --run-dir, or a file of --output-file")
    if "layout" in result or "verdict" in result:  # otherwise it is no result at all
        json_files.check_layout(path, result)
    try:
        config, planned, confidence = result["config"], result["offered"]["planned"], float(result["confidence"])
        estimates(result)
        verdict = result["verdict"]
        known = isinstance(config, dict) and verdict["state"] in ("VALID", "CAPPED", "INVALID")
        reasons = all(isinstance(reason[key], str) for reason in verdict["reasons"] for key in ("cause", "text"))
        if not (known and reasons and 0 < confidence < 1 and isinstance(planned, int)):
            raise ValueError("config, verdict, confidence or number of requests")
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        raise RunError(f"{path}: is not a result of --output-file (wrong or missing: {error})") from None
    return Source(path, config, planned, None, confidence, result=result)
