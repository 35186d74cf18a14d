"""Exit codes for scripts: the first that applies."""

from typing import Final

from collector.summary.result import Result
from loadgen.runs.run import CompletedRun

OK: Final = 0
FAULT: Final = 1  # a process of this tool died, or a file was not saved; also an unexpected exception
USAGE: Final = 2  # bad usage or input; nothing was sent
GATE: Final = 3  # --strict, --min-slo-attainment or --max-regression failed
NOTHING: Final = 4  # no request succeeded
INTERRUPTED: Final = 130


def exit_code(result: Result, completed: CompletedRun, strict: bool, min_slo_attainment: float | None) -> int:
    """Return the exit code of a completed run; `strict` and `min_slo_attainment` are its gates."""
    if completed.interrupted:
        return INTERRUPTED
    if completed.died or completed.save_error or _answers_lost(result):
        return FAULT
    if not result["completed_requests"]:
        return NOTHING
    if strict and result["verdict"]["state"] != "VALID":
        return GATE
    attainment = result["slo_attainment_rate"]
    if min_slo_attainment is not None and (attainment is None or attainment < min_slo_attainment):
        return GATE
    return OK


def _answers_lost(result: Result) -> bool:
    """Whether an answer is missing in --save-dir."""
    return result["media"]["save_dir"] is not None and result["media"]["lost"]["count"] > 0
