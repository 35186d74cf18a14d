"""Exit codes, for scripts: the first that applies."""

from typing import Final

from collector.summary.result import Result
from loadgen.runs.run import CompletedRun

OK: Final = 0
FAULT: Final = 1  # a process of ours died, or what was to be saved is not; also an unexpected exception
USAGE: Final = 2  # bad usage or input, before the start
GATE: Final = 3  # a gate that was asked for failed
NOTHING: Final = 4  # no request succeeded
INTERRUPTED: Final = 130


def exit_code(result: Result, measured: CompletedRun, strict: bool, min_slo_attainment: float | None) -> int:
    """Return what a finished run exits with; gates are `--strict` and `--min-slo-attainment`."""
    if measured.interrupted:
        return INTERRUPTED
    if measured.died or measured.unwritten or _unsaved(result):
        return FAULT
    if not result["completed_requests"]:
        return NOTHING
    if strict and result["verdict"]["state"] != "VALID":
        return GATE
    attainment = result["slo_attainment_rate"]
    if min_slo_attainment is not None and (attainment is None or attainment < min_slo_attainment):
        return GATE
    return OK


def _unsaved(result: Result) -> bool:
    """Whether `--save-dir` lacks an answer."""
    return result["media"]["save_dir"] is not None and result["media"]["lost"]["count"] > 0
