"""The command line of `scripts/fuzz`."""

import argparse
import os
import sys
import traceback
from collections.abc import Sequence
from typing import Final

from scripts.fuzzing.answers import ANSWERS
from scripts.fuzzing.command_line import COMMAND_LINE, SERVE_FLAGS
from scripts.fuzzing.data_files import DATA_FILES
from scripts.fuzzing.jobs import JOBS
from scripts.fuzzing.metrics_pages import PAGES
from scripts.fuzzing.run_files import RUN_FILES
from scripts.fuzzing.sweep_and_search import RATES
from scripts.fuzzing.target import Tally, Target, run

TARGETS: Final = (COMMAND_LINE, RATES, SERVE_FLAGS, DATA_FILES, RUN_FILES, ANSWERS, JOBS, PAGES)


def main(arguments: Sequence[str] | None = None) -> int:
    """Fuzz as the flags say and print a row a target; return 1 where a case failed."""
    flags = read_flags(arguments)
    os.nice(flags.nice)
    chosen = [target for target in TARGETS if flags.target in (None, target.name)]
    shares, cases, failed, spent_s = sum(target.share for target in chosen), 0, 0, 0.0
    wanted = flags.cases / shares
    print("| target | cases | s | outcomes |\n|---|---|---|---|", flush=True)
    for target in chosen:  # what one leaves of its time is for those after it
        seconds = (flags.seconds - spent_s) * target.share / shares
        tally, fault = _run(target, round(wanted * target.share), seconds, flags.seed)
        shares, spent_s = shares - target.share, spent_s + tally.seconds
        cases, failed = cases + tally.cases, failed + fault
        print(_row(target, tally, fault), flush=True)
    print(f"| all | {cases:,} | | {failed} target(s) with a failure |")
    return 1 if failed else 0


def read_flags(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line, or `arguments` instead of it."""
    parser = argparse.ArgumentParser(prog="scripts/fuzz", description=sys.modules["scripts.fuzzing"].__doc__)
    parser.add_argument("--cases", type=int, default=105_000, help="in all (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=3600.0, help="in all, at most (default: %(default)s)")
    parser.add_argument("--target", choices=[target.name for target in TARGETS], help="only this one")
    parser.add_argument("--seed", type=int, default=0, help="first seed; the same seed gives the same cases")
    parser.add_argument("--nice", type=int, default=19, help="niceness of the process (default: %(default)s)")
    flags = parser.parse_args(arguments)
    if flags.cases < 1 or not flags.seconds > 0:
        parser.error("--cases and --seconds: give more than 0")
    return flags


def _run(target: Target, cases: int, seconds: float, seed: int) -> tuple[Tally, bool]:
    """Carry a target out; what failed is shown with the case that hypothesis made as small as it could."""
    tally = Tally()
    try:
        run(target, max(cases, 1), seconds, seed, tally)
    except Exception:
        traceback.print_exc(limit=-6)
        return tally, True
    return tally, False


def _row(target: Target, tally: Tally, fault: bool) -> str:
    found = ", ".join(f"{count:,} {what}" for what, count in tally.outcomes.most_common())
    return f"| {target.name} | {tally.cases:,} | {tally.seconds:.0f} | {'FAILED; ' if fault else ''}{found} |"


if __name__ == "__main__":
    sys.exit(main())
