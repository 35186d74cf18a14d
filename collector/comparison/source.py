"""What can be compared: a run folder, the JSON of a run, or a folder of runs, one for each rate."""

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
    """A run to be compared; it has either `saved` (with its records) or `result` (figures only).

    `digest` is that of its plan, None where nobody wrote it down; `config` are the options of the run.
    """

    path: Path
    config: Mapping[str, Any]
    planned: int
    digest: str | None
    confidence: float
    saved: SavedRun | None = None
    result: Mapping[str, Any] | None = None


def read(path: Path) -> Source:
    """Read a run folder or a result file; RunError says what is wrong with it."""
    if not os.path.isdir(path):  # noqa: PTH112  (no error where a path is odd)
        return _read_result(path)
    saved = read_run(path)
    digest = saved.run["plan"].get("digest")
    known = digest if isinstance(digest, str) and digest else None
    config, info = saved.run.get("config", {}), saved.info
    return Source(path, config, info.planned, known, info.confidence, saved=saved)


def runs_by_rate(path: Path) -> dict[float, Path] | None:
    """Run folders inside a folder by the rate they asked for (1/s; inf: closed loop); None where it is no sweep.

    Where a rate was run again after a run of it had been killed, the whole one counts.
    """
    try:
        if not path.is_dir() or (path / RUN).exists():
            return None
        folders = [folder for folder in sorted(path.iterdir()) if (folder / RUN).is_file()]
        whole = {folder for folder in folders if (folder / SUMMARY).is_file()}
    except OSError as error:
        raise RunError(
            f"{path}: {error.strerror}; name a folder that --run-dir made, or a file of --output-file"
        ) from None
    if not folders:
        raise RunError(f"{path}: holds neither a run ({RUN}) nor folders of runs; name what --run-dir or a sweep made")
    found: dict[float, Path] = {}
    for folder in folders:
        rate = _asked_rate(folder)
        if rate in found and (folder in whole) == (found[rate] in whole):
            raise RunError(f"{path}: {found[rate].name} and {folder.name} are both of {rate:g}/s; keep one of them")
        if rate not in found or folder in whole:
            found[rate] = folder
    return found


def _asked_rate(folder: Path) -> float:
    run = json_files.read_object(folder / RUN) or {}
    try:
        rate = float(run["terms"]["asked_rate"])
    except (LookupError, TypeError, ValueError):
        rate = math.nan
    if not rate > 0:
        raise json_files.damaged(folder / RUN, "terms.asked_rate is no rate")
    return rate


def _read_result(path: Path) -> Source:
    result = json_files.read_object(path)
    if result is None:
        raise RunError(f"{path}: is not there; name a folder that --run-dir made, or a file of --output-file")
    try:
        config, planned, confidence = result["config"], result["offered"]["planned"], float(result["confidence"])
        estimates(result)
        verdict = result["verdict"]
        known = isinstance(config, dict) and verdict["state"] in ("VALID", "CAPPED", "INVALID")
        reasons = all(isinstance(reason[key], str) for reason in verdict["reasons"] for key in ("by", "text"))
        if not (known and reasons and 0 < confidence < 1 and isinstance(planned, int)):
            raise ValueError("its config, verdict, confidence or number of requests")
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        raise RunError(f"{path}: is no result of --output-file ({error} is wrong or not there)") from None
    return Source(path, config, planned, None, confidence, result=result)
