"""Exit codes for scripts, the first that applies; and the gates, which exit 3 and say why in the last line."""

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from collector.summary.result import Result
from collector.sweeps.point import Point
from collector.text import quantity
from collector.text.failures import error_kinds, failed_requests
from loadgen.runs.run import CompletedRun

OK: Final = 0
FAULT: Final = 1  # a process of this tool died, or a file was not saved; also an unexpected exception
USAGE: Final = 2  # bad usage or input; nothing was sent
GATE: Final = 3  # --strict or a bound on a figure failed: see Gates
NOTHING: Final = 4  # no request or no warm-up succeeded
INTERRUPTED: Final = 130

SHOWN: Final = 3  # failed gates in the last line


def exit_code(result: Result, completed: CompletedRun, failed_gates: Sequence[str]) -> int:
    """Return the exit code of a completed run."""
    if completed.interrupted:
        return INTERRUPTED
    if completed.died or completed.save_error or _answers_lost(result):
        return FAULT
    if not result["completed_requests"]:
        return NOTHING
    return GATE if failed_gates else OK


def _answers_lost(result: Result) -> bool:
    """Whether an answer is missing in --save-dir."""
    return result["media"]["save_dir"] is not None and result["media"]["lost"]["count"] > 0


@dataclass(frozen=True, slots=True)
class Gates:
    """What a run must be: `strict` asks for the verdict VALID, the others are bounds on shares; None is no gate."""

    strict: bool = False
    min_slo_attainment: float | None = None
    max_error_rate: float | None = None

    @classmethod
    def of(cls, arguments: argparse.Namespace) -> "Gates":
        """The gates that the flags set."""
        a = arguments
        return cls(a.strict, a.min_slo_attainment, a.max_error_rate)

    def failures(self, result: Mapping[str, Any]) -> list[str]:
        """Return which gates a result fails, each with the figure and its bound."""
        sent, state = result["offered"]["sent"], result["verdict"]["state"]
        found = self._failures(state, result["failed_requests"], sent, result["request_errors"])
        attained, bound = result["slo_attainment_rate"], self.min_slo_attainment
        if bound is not None and attained is None:
            found.append(f"no request had a target, --min-slo-attainment is {quantity.share(bound)}")
        elif bound is not None and attained < bound:
            found.append("SLO met by {}, --min-slo-attainment is {}".format(*percents(attained, bound)))
        return found

    def failures_of_sweep(self, points: Sequence[Point]) -> list[str]:
        """Return which gates the points of a sweep fail, by rate."""
        return [
            f"at {quantity.rate(point['rate'])} {text}"
            for point in points
            for text in self._failures(point["state"], point["failed"], point["sent"], point["request_errors"])
        ]

    def _failures(self, state: str, failed: int, sent: int, errors: Mapping[str, int]) -> list[str]:
        found = []
        if self.strict and state != "VALID":
            found.append(f"the verdict is {state}, --strict asks for VALID")
        if self.max_error_rate is not None and sent and failed / sent > self.max_error_rate:
            share, bound = percents(failed / sent, self.max_error_rate)
            kinds = error_kinds(errors)
            found.append(f"{failed_requests(failed, sent)} ({share}: {kinds}), --max-error-rate is {bound}")
        return found


def last_line(failures: Sequence[str]) -> str:
    """Return one line that names the failed gates; empty if there are none."""
    more = len(failures) - SHOWN
    shown = [*failures[:SHOWN], *([f"and {more} more"] if more > 0 else [])]
    return f"gate failed (exit 3): {'; '.join(shown)}" if failures else ""


def nothing_succeeded(failed: int, errors: Mapping[str, int]) -> str:
    """Return the last line of a command of which no request succeeded."""
    why = f"{failed:,} failed ({error_kinds(errors)})" if failed else "none was sent"
    return f"no request succeeded (exit 4): {why}"


def percents(value: float, bound: float) -> tuple[str, str]:
    """Format two different shares in per cent, with as many digits as it takes to tell them apart."""
    for digits in range(3, 18):
        texts = f"{100 * value:.{digits}g} %", f"{100 * bound:.{digits}g} %"
        if texts[0] != texts[1]:
            break
    return texts
