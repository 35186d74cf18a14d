"""The command `report`: look at saved runs again, anywhere, with other questions.

`loadgen report DIR...` and `python -m collector DIR...` are the same.
"""

import argparse
import math
import os
import sys
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Final

import numpy as np
from rich.console import Console
from rich.text import Text

from collector import export
from collector import times as clock
from collector.errors import RunError
from collector.facts import Facts
from collector.printable import printable
from collector.report import json, percentiles, terminal
from collector.result import Result
from collector.saved import FILES, RUN, SUMMARY, SavedRun, read_run
from collector.summary import summarise
from collector.times import Times

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
_LARGEST_MS: Final = 1e12


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags of `report`."""
    parser.add_argument("folders", metavar="DIR", nargs="+", type=Path, help="a folder that --run-dir made")
    parser.add_argument("--latency-from", choices=("scheduled", "sent"), help="what latency_* and the SLO count from")
    parser.add_argument("--slo-ms", type=_positive, metavar="MS", help="hold every request against this target")
    parser.add_argument(
        "--percentiles", type=_percentiles, default={}, metavar="P,P", help="further ones, such as 50,99.5"
    )
    parser.add_argument("--confidence", type=_confidence, metavar="P", help="of every interval, such as 0.99")
    parser.add_argument("--export", choices=export.FORMATS, help="write a row a request")
    parser.add_argument("--export-file", type=Path, metavar="PATH", help="where to; default: DIR/requests.FORMAT")
    parser.add_argument("--output-file", metavar="PATH", help="write the result as JSON; - is standard output")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Report each folder; return 0. RunError where one cannot be read, or a file not be written."""
    _check(arguments)
    people = Console(stderr=arguments.output_file == STDOUT, highlight=False)
    for folder in arguments.folders:
        _report(folder, arguments, people)
    return 0


def main(words: list[str]) -> int:
    """Run `python -m collector` with these words; a fault is one line and exit 2."""
    parser = argparse.ArgumentParser(
        prog="python -m collector",
        description="look at saved runs again, with other questions",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add_arguments(parser)
    arguments = parser.parse_args(words)
    try:
        return run(arguments)
    except RunError as fault:
        print(f"collector: {printable(str(fault))}", file=sys.stderr)  # noqa: T201
        return fault.exit_code
    except BrokenPipeError:  # somebody closed our standard output, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


def _check(arguments: argparse.Namespace) -> None:
    """Find what cannot be done before anything is read."""
    if arguments.export_file is not None and arguments.export is None:
        raise RunError(f"--export-file needs --export: {', '.join(export.FORMATS)}")
    for flag, place in (("--output-file", arguments.output_file), ("--export-file", arguments.export_file)):
        if place is not None and len(arguments.folders) > 1:
            raise RunError(f"{flag} holds one run; name one folder")
        if place is not None and any(_is_of_run(place, folder) for folder in arguments.folders):
            raise RunError(f"{flag} {place}: is a part of the saved run, which is never overwritten; name another file")


def _is_of_run(place: str | Path, folder: Path) -> bool:
    names = (folder / name for name in FILES)
    return os.path.exists(place) and any(os.path.samefile(place, name) for name in names if os.path.exists(name))  # noqa: PTH110, PTH121  (no error where a path is odd)


def _report(folder: Path, arguments: argparse.Namespace, people: Console) -> None:
    """Report one folder; files come first, since what people read should not claim what then fails."""
    saved = read_run(folder)
    facts = _asked(saved.facts, arguments)
    result = again(saved, facts, {"model": "flat", "flat_ms": arguments.slo_ms} if arguments.slo_ms else None)
    further = percentiles.of(_times(saved, facts), arguments.percentiles) if arguments.percentiles else {}
    place = arguments.export_file or folder / f"requests.{arguments.export}"
    exported = export.write(saved, facts, arguments.export, place) if arguments.export else None
    if arguments.output_file is not None:
        _write(arguments.output_file, json.dump({**result, **({"percentiles": further} if further else {})}))
    people.rule(Text(printable(str(folder))))
    _render(folder, result, people)
    if further:
        people.print(percentiles.table(further))
    if exported is not None:
        people.print(f"{exported} rows in {printable(str(place))}", markup=False, soft_wrap=True)


def _render(folder: Path, result: Result, people: Console) -> None:
    """Show the report. What a run says of warm-ups and of its processes is drawn as it was saved, if it can be."""
    try:
        terminal.render(result, people)
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        raise RunError(f"{folder}: {RUN} or {SUMMARY} is damaged (what it says cannot be shown: {error})") from None


def again(saved: SavedRun, facts: Facts, slo: Mapping[str, object] | None = None) -> Result:
    """Compute the result of a saved run anew; `slo` says where targets come from, if not from where they did."""
    run = saved.run
    return json.assemble(
        summarise(saved.records, facts, saved.notes),
        config=run.get("config", {}),
        environment=run.get("environment", {}),
        warmup=run.get("warmup", {}),
        slo=run.get("slo", {}) if slo is None else slo,
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


def _times(saved: SavedRun, facts: Facts) -> Times:
    return clock.of_run(clock.first_records(saved.records, facts.planned), facts)


def _write(path: str, content: bytes) -> None:
    if path == STDOUT:
        sys.stdout.buffer.write(content)
        sys.stdout.buffer.flush()
        return
    try:
        Path(path).write_bytes(content)
    except OSError as error:
        raise RunError(f"--output-file {path}: {error.strerror}; name a file that can be written") from None


def _positive(text: str) -> float:
    value = _number(text)
    if not 0 < value < _LARGEST_MS:
        raise argparse.ArgumentTypeError(f"{text} is not a number above 0, and below {_LARGEST_MS:g}")
    return value


def _confidence(text: str) -> float:
    value = _number(text)
    if not 0.5 <= value <= 0.9999:
        raise argparse.ArgumentTypeError(f"{text} is not a share between 0.5 and 0.9999")
    return value


def _percentiles(text: str) -> dict[str, float]:
    """Shares by the text of their percentile: 99.9 is 0.999, which in floats 99.9 / 100 is not."""
    try:
        shares = {part.strip(): float(Decimal(part.strip()) / 100) for part in text.split(",")}
    except (InvalidOperation, OverflowError):
        shares = {text: math.nan}
    if not all(0 < share <= 1 for share in shares.values()):
        raise argparse.ArgumentTypeError(f"{text} is not a list of percentiles, such as 50,99.5")
    return shares


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan
