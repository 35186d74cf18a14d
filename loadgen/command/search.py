"""The command `loadgen search`: the highest rate that meets a target, within a budget of time."""

import argparse
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from collector import quantity
from collector.report import json
from collector.report import search as report
from collector.saved import read_run
from loadgen.circumstances import config, environment
from loadgen.command import flags, output, sweep
from loadgen.command.exits import FAULT, GATE, INTERRUPTED, OK
from loadgen.command.numbers import inner_share, not_negative, positive
from loadgen.command.session import Session
from loadgen.errors import ProcessError, UsageError
from loadgen.options import BenchOptions
from loadgen.scratch import scratch
from loadgen.search.bound import LOOKS, least_requests, runs_to_fail
from loadgen.search.deadline import PUT_AWAY_S, Deadline
from loadgen.search.hunt import Hunt, Look, Question
from loadgen.search.probe import capacity
from loadgen.search.stand import Stand
from loadgen.search.trial import Trial, read_trial

EXAMPLES: Final = """\
examples:
  the highest rate at which 99 % of the requests take 4 s at most, found in an hour
    loadgen search --base-url http://gpu:8091 --task t2i --dataset trace --dataset-path trace.txt --arrival poisson \\
      --slo-ms 4000 --min-attainment 0.99 --budget 3600 --output-file bracket.json

  try it without a server
    loadgen search --simulate='--base-ms 4 --service exponential' --task t2i --dataset random --arrival poisson \\
      --slo-ms 20 --min-attainment 0.9 --budget 60

Takes every flag of `loadgen bench` but those that say a rate or a length. exit codes: those of `loadgen bench`, 3 with
--strict where an end of the bracket is not known
"""
SHORTEST_S: Final = 15.0
START: Final = 0.5  # of what a closed loop gets through
_COOL_DOWN_S: Final = 0.2


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags of `loadgen search`."""
    group = parser.add_argument_group("search")
    group.add_argument(
        "--min-attainment", required=True, type=inner_share, metavar="P", help="share of requests to meet their target"
    )
    group.add_argument("--budget", required=True, type=positive, metavar="S", help="never take longer than this")
    group.add_argument(
        "--start-rate",
        type=positive,
        metavar="R",
        help="look here first (default: half of what a closed loop gets through)",
    )
    group.add_argument(
        "--precision",
        type=positive,
        default=1.1,
        metavar="X",
        help="stop where the ends of the bracket are within this factor (default: %(default)s)",
    )
    group.add_argument("--search-dir", metavar="DIR", help="keep the runs here, a folder each")
    group.add_argument(
        "--cool-down",
        type=not_negative,
        default=_COOL_DOWN_S,
        metavar="S",
        help="pause between runs (default: %(default)s)",
    )
    flags.add_arguments(parser)
    parser.set_defaults(max_concurrency=sweep.PERMITS, run=search)


def search(arguments: argparse.Namespace) -> int:
    """Carry out `loadgen search`; return its exit code."""
    begun_s = time.monotonic()
    options = read_options(arguments)
    output.check_files(arguments.output_file, None)
    with ExitStack() as stack:
        session = stack.enter_context(Session.of(arguments, options))
        search = Search(session, open_folder(arguments.search_dir, stack), begun_s)
        search.go()
        found = search.found(config(options))
        output.write(arguments.output_file, json.dump(found))
        report.render(found, session.people)
    return _exit_code(found, arguments.strict)


class Search:
    """One search: the budget counts from `begun_s` (time.monotonic), and its last seconds are kept to put away."""

    def __init__(self, session: Session, folder: Path, begun_s: float) -> None:
        self._session, self._folder, self._begun_s = session, folder, begun_s
        self._deadline_s = begun_s + session.arguments.budget - PUT_AWAY_S
        self._stand = Stand(session.options, session.carry_out, session.arguments.cool_down)
        self._hunt: Hunt | None = None
        self._capacity: float | None = None
        self._ended = "budget"

    def go(self) -> None:
        """Search until the bracket is narrow, the time is over or somebody interrupts; what is known stays known."""
        try:
            with ExitStack() as stack, Deadline(self._deadline_s):
                self._stand.options = self._session.reach_server(stack)
                self._search(self._session.arguments.start_rate or START * self._probe())
        except KeyboardInterrupt:
            self._ended = "interrupted"
        except ProcessError as fault:
            if self._hunt is None or not self._hunt.looks:
                raise
            self._session.tell(str(fault))
            self._ended = "fault"

    def _probe(self) -> float:
        self._session.tell("how much the server gets through in a closed loop")
        self._capacity = capacity(self._stand)
        self._session.tell(f"about {self._capacity:.3g}/s")
        return self._capacity

    def _search(self, start: float) -> None:
        left_s, a = self._deadline_s - time.monotonic(), self._session.arguments
        question = Question(a.min_attainment, left_s, a.confidence, a.precision, self._capacity)
        self._hunt = Hunt(question, self._measure, time.monotonic, tell=self._said)
        self._hunt.go(start)
        self._ended = self._hunt.ended

    def _measure(self, rate: float, count: int, run: int) -> Trial:
        place = self._folder / f"run-{run + 1:03}-rate-{rate:.6g}"
        measured = self._stand.run(rate, place, run, count)
        if measured.interrupted:
            raise KeyboardInterrupt
        if not run and not measured.result["slo"].get("requests"):
            raise UsageError("--min-attainment: no request has a target; give --slo, or --slo-ms")
        return read_trial(read_run(place))

    def _said(self, look: Look) -> None:
        met = quantity.share(look.attainment)
        self._session.tell(
            f"{look.visit.rate:.4g}/s {look.visit.decision.value}: {met} of {look.requests} met their target"
        )

    def found(self, shown: Mapping[str, Any]) -> dict[str, Any]:
        """Say what was found, as docs/search.md has it; `shown` is the config without secrets."""
        a, hunt = self._session.arguments, self._hunt
        ends = hunt.bracket if hunt else None
        error = hunt.question.error if hunt else 0.0
        return {
            "bracket": [ends.holds, ends.fails] if ends else [None, None],
            "min_attainment": a.min_attainment,
            "confidence": a.confidence,
            "precision": a.precision,
            "budget_s": a.budget,
            "took_s": time.monotonic() - self._begun_s,
            "ended": self._ended,
            "capacity": self._capacity,
            "needs_n": least_requests(a.min_attainment, error) if hunt else None,
            "looks": [_shown(look) for look in hunt.looks] if hunt else [],
            "slo": self._stand.slo,
            "latency_from": self._session.options.latency_from,
            "config": {**shown, "simulate": a.simulate},
            "environment": environment(),
        }


def read_options(arguments: argparse.Namespace) -> BenchOptions:
    """Read the options of a benchmark whose rate and length are to be found; UsageError for what cannot be searched."""
    options = sweep.read_options(arguments)
    for flag, given in (("--num-prompts", arguments.num_prompts), ("--duration", arguments.duration)):
        if given is not None:
            raise UsageError(f"{flag}: how long runs are follows from --budget; drop it")
    if arguments.budget < SHORTEST_S:
        raise UsageError(f"--budget {arguments.budget:g}: {SHORTEST_S:g} s at least; each run takes a second to start")
    error = Question(arguments.min_attainment, arguments.budget, arguments.confidence).error
    if runs_to_fail(arguments.min_attainment, error) > LOOKS:
        raise UsageError(
            f"--min-attainment {arguments.min_attainment:g}: so low that {LOOKS} runs cannot show a rate to fail at"
            f" --confidence {arguments.confidence:g}; give 0.8 or more, or a lower --confidence"
        )
    if arguments.precision <= 1:
        raise UsageError(f"--precision {arguments.precision:g}: is a factor above 1, such as 1.1")
    if arguments.html is not None:
        raise UsageError("--html is for a run or a sweep; drop it")
    return replace(options, data=replace(options.data, num_prompts=1))


def open_folder(place: str | None, stack: ExitStack) -> Path:
    """Make the folder of `--search-dir`, or one for as long as `stack` lasts; UsageError where it cannot be used."""
    if place is None:
        return stack.enter_context(scratch("loadgen-search-"))
    try:
        Path(place).mkdir(parents=True, exist_ok=True)
        if any(Path(place).iterdir()):
            raise UsageError(f"--search-dir {place}: is not empty, and nothing is overwritten; name a new folder")
    except OSError as error:
        raise UsageError(f"--search-dir {place}: {error.strerror}; name a folder that can be made") from None
    return Path(place)


def _shown(look: Look) -> Mapping[str, Any]:
    return {
        "rate": look.visit.rate,
        "decision": look.visit.decision.value,
        "requests": look.requests,
        "met": look.met,
        "attainment": look.attainment,
        "runs": list(look.states),
    }


def _exit_code(found: Mapping[str, Any], strict: bool) -> int:
    if found["ended"] in ("interrupted", "fault"):
        return INTERRUPTED if found["ended"] == "interrupted" else FAULT
    return GATE if strict and None in found["bracket"] else OK
