"""The command `loadgen compare A B`: what differs between two runs, or two sweeps, and whether that is a regression."""

import argparse
import os
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.text import Text

from collector.comparison.compare import Comparison
from collector.comparison.run_matching import compare
from collector.report import json
from collector.report.terminal import comparison as report
from collector.summary.result import LAYOUT
from collector.text.printable import printable
from loadgen.cli import output_files
from loadgen.cli.argument_types import inner_share, not_negative
from loadgen.cli.exit_codes import GATE, OK
from loadgen.errors import UsageError

EXAMPLES: Final = """\
examples:
  what did the new version change?
    loadgen compare runs/before runs/after

  the same for a pull request, as a table in Markdown
    loadgen compare runs/before runs/after --markdown >> $GITHUB_STEP_SUMMARY

  a gate: exit 3 where something surely became worse by more than 5 per cent
    loadgen compare runs/before runs/after --max-regression 5 --output-file compared.json

A and B are folders of --run-dir, folders with such folders in them (compared rate by rate), or files of --output-file.
exit codes: 0 fine, 2 bad usage or input, 3 a gate failed
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags of `loadgen compare`."""
    parser.add_argument("a", metavar="A", type=Path, help="the run or sweep to compare with")
    parser.add_argument("b", metavar="B", type=Path, help="the run or sweep that may be worse")
    parser.add_argument(
        "--max-regression",
        type=not_negative,
        metavar="PERCENT",
        help="exit 3 where the whole interval of a change is worse than this; points of a share (default: only report)",
    )
    parser.add_argument("--strict", action="store_true", help="exit 3 unless every verdict is VALID")
    parser.add_argument(
        "--confidence", type=inner_share, metavar="P", help="of every interval (default: what the runs were made with)"
    )
    parser.add_argument("--force", action="store_true", help="compare runs of different workloads all the same")
    parser.add_argument("--markdown", action="store_true", help="write Markdown to standard output, for a pull request")
    parser.add_argument(
        "--output-file", metavar="PATH", help="write the comparison as JSON to a new file; - is standard output"
    )


def run(arguments: argparse.Namespace) -> int:
    """Carry out `loadgen compare`; return its exit code."""
    _check(arguments)
    compared = compare(arguments.a, arguments.b, confidence=arguments.confidence, force=arguments.force)
    found, unmatched, limit = compared.comparisons, compared.unmatched, arguments.max_regression
    told = [] if limit is None else report.gate(found, limit / 100)
    output_files.write(arguments.output_file, json.dump(_document(arguments, found, unmatched, told)))
    lines = [*unmatched, *_gate_lines(limit, told)]
    if arguments.markdown:
        print("\n".join([*map(report.markdown, found), *(f"- {report.escaped(line)}" for line in lines)]))  # noqa: T201
    else:
        _show(found, lines, Console(stderr=arguments.output_file == output_files.STDOUT, highlight=False))
    valid = all(side["verdict"]["state"] == "VALID" for pair in found for side in (pair["a"], pair["b"]))
    return GATE if any(sure for _, sure in told) or (arguments.strict and not valid) else OK


def _check(arguments: argparse.Namespace) -> None:
    """Find what cannot be done before anything is read."""
    place = arguments.output_file
    if place == output_files.STDOUT and arguments.markdown:
        raise UsageError("--output-file - and --markdown both ask for standard output; name a file for the JSON")
    if place is not None and place != output_files.STDOUT and os.path.isfile(place):  # noqa: PTH113  (no error where a path is odd)
        raise UsageError(f"--output-file {place}: is there already and is not overwritten; name another file")
    output_files.check_writable(place)


def _document(
    arguments: argparse.Namespace, found: list[Comparison], unmatched: list[str], told: list[tuple[str, bool]]
) -> dict[str, Any]:
    """The JSON: the comparisons, and what of them the gate names."""
    return {
        "layout": LAYOUT,
        "a": str(arguments.a),
        "b": str(arguments.b),
        "max_regression": arguments.max_regression,
        "regressions": [text for text, sure in told if sure],
        "unsupported": [text for text, sure in told if not sure],
        "unmatched": unmatched,
        "comparisons": found,
    }


def _gate_lines(limit: float | None, told: list[tuple[str, bool]]) -> list[str]:
    if limit is None:
        return []
    sure = [f"REGRESSION beyond {limit:g} %: {text}" for text, surely in told if surely]
    maybe = [f"beyond {limit:g} %, but no interval supports it: {text}" for text, surely in told if not surely]
    return [*(sure or [f"no regression beyond {limit:g} % that the intervals support"]), *maybe]


def _show(found: list[Comparison], lines: list[str], people: Console) -> None:
    for comparison in found:
        report.render(comparison, people)
    for line in lines:
        people.print(Text(printable(line), style="bold red" if line.startswith("REGRESSION") else ""))
