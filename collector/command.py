"""The command `report`: look at saved runs again, anywhere, with other questions.

`loadgen report DIR...` and `python -m collector DIR...` are the same.
"""

import argparse
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np
from rich.console import Console

from collector import export, quantity, stats
from collector import times as clock
from collector.errors import RunError
from collector.facts import Facts
from collector.report import json, terminal
from collector.result import Result
from collector.saved import SavedRun, read_run
from collector.summary import summarise

EXAMPLES: Final = """\
examples:
  what came of it, once more
    loadgen report runs/tuesday

  against another target, and with the percentiles of a contract
    loadgen report runs/tuesday --slo-ms 4000 --percentiles 50,90,99.5

  a row a request, for a notebook
    loadgen report runs/tuesday --export csv --export-file tuesday.csv
"""
STDOUT: Final = "-"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags of `report`."""
    parser.add_argument("folders", metavar="DIR", nargs="+", type=Path, help="a folder that --run-dir made")
    parser.add_argument("--latency-from", choices=("scheduled", "sent"), help="what latency_* and the SLO count from")
    parser.add_argument("--slo-ms", type=_positive, metavar="MS", help="hold every request against this target")
    parser.add_argument(
        "--percentiles", type=_percentiles, default=(), metavar="P,P", help="further ones, such as 99.5"
    )
    parser.add_argument("--confidence", type=_confidence, metavar="P", help="of every interval, such as 0.99")
    parser.add_argument("--export", choices=export.FORMATS, help="write a row a request")
    parser.add_argument("--export-file", type=Path, metavar="PATH", help="where to; default: DIR/requests.FORMAT")
    parser.add_argument("--output-file", metavar="PATH", help="write the result as JSON; - is standard output")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Report each folder; return 0."""
    single = len(arguments.folders) == 1
    for flag, given in (("--output-file", arguments.output_file), ("--export-file", arguments.export_file)):
        if given is not None and not single:
            raise RunError(f"{flag} holds one run; name one folder")
    people = Console(stderr=arguments.output_file == STDOUT, highlight=False)
    for folder in arguments.folders:
        _report(folder, arguments, people)
    return 0


def main(words: list[str]) -> int:
    """Run `python -m collector` with these words; a fault is one line and exit 2."""
    parser = argparse.ArgumentParser(
        prog="python -m collector", epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_arguments(parser)
    arguments = parser.parse_args(words)
    try:
        return run(arguments)
    except RunError as fault:
        print(f"collector: {fault}", file=sys.stderr)  # noqa: T201
        return fault.exit_code


def _report(folder: Path, arguments: argparse.Namespace, people: Console) -> None:
    saved = read_run(folder)
    facts = _asked(saved.facts, arguments)
    result = again(saved, facts)
    people.rule(str(folder))
    terminal.render(result, people)
    further = _further(saved, facts, arguments.percentiles)
    for name, values in further.items():
        text = ", ".join(f"p{p} {quantity.seconds(value)}" for p, value in values.items())
        people.print(f"{name}: {text}", highlight=False)
    if arguments.export:
        place = arguments.export_file or folder / f"requests.{arguments.export}"
        people.print(f"{export.write(saved, facts, arguments.export, place)} rows in {place}", markup=False)
    if arguments.output_file is not None:
        _write(arguments.output_file, json.dump({**result, **({"percentiles": further} if further else {})}))


def again(saved: SavedRun, facts: Facts) -> Result:
    """Compute the result of a saved run anew, its circumstances as they were."""
    run = saved.run
    return json.assemble(
        summarise(saved.records, facts, saved.notes),
        config=run.get("config", {}),
        environment=run.get("environment", {}),
        warmup=run.get("warmup", {}),
        slo=run.get("slo", {}),
        self_measured=(saved.summary or {}).get("self", {}),
        backend=str(run.get("backend", "")),
        model=str(run.get("model", "")),
        dataset=str(run.get("dataset", "")),
        task=str(run.get("task", "")),
    )


def _asked(facts: Facts, arguments: argparse.Namespace) -> Facts:
    """The facts, with what the flags would rather have them be."""
    if arguments.latency_from:
        facts = replace(facts, latency_from=arguments.latency_from)
    if arguments.confidence:
        facts = replace(facts, confidence=arguments.confidence)
    if arguments.slo_ms:
        facts = replace(facts, slo_enabled=True, slo_ms=np.full(facts.planned, arguments.slo_ms))
    return facts


def _further(saved: SavedRun, facts: Facts, percentiles: tuple[str, ...]) -> Mapping[str, dict[str, float | None]]:
    if not percentiles:
        return {}
    times = clock.of_run(clock.first_records(saved.records, facts.planned), facts)
    kinds = {"response": times.response_ns, "service": times.service_ns}
    return {
        name: {p: stats.percentile(stats.seconds(ns[times.ok]), float(p) / 100, times.endless) for p in percentiles}
        for name, ns in kinds.items()
    }


def _write(path: str, content: bytes) -> None:
    if path == STDOUT:
        sys.stdout.buffer.write(content)
        return
    try:
        Path(path).write_bytes(content)
    except OSError as error:
        raise RunError(f"--output-file {path}: {error.strerror}; name a file that can be written") from None


def _positive(text: str) -> float:
    value = _number(text)
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text} is not a number above 0")
    return value


def _confidence(text: str) -> float:
    value = _number(text)
    if not 0.5 <= value <= 0.9999:
        raise argparse.ArgumentTypeError(f"{text} is not a share between 0.5 and 0.9999")
    return value


def _percentiles(text: str) -> tuple[str, ...]:
    parts = tuple(part.strip() for part in text.split(","))
    if not all(0 < _number(part) <= 100 for part in parts):
        raise argparse.ArgumentTypeError(f"{text} is not a list of percentiles, such as 50,99.5")
    return parts


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return float("nan")
