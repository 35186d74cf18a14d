"""The command `loadgen compare A B`: differences between two runs or two sweeps, and a gate for regressions."""

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
from collector.text import quantity
from collector.text.printable import printable
from loadgen.cli import output_files
from loadgen.cli.argument_types import inner_share, not_negative
from loadgen.cli.exit_codes import GATE, OK, last_line
from loadgen.errors import UsageError

_RED: Final = ("REGRESSION", "gate failed")  # how lines begin that are shown in red
EXAMPLES: Final = """\
examples:
  what did the new version change?
    loadgen compare runs/before runs/after

  the same as a Markdown table, for a pull request
    loadgen compare runs/before runs/after --markdown \\
      >> $GITHUB_STEP_SUMMARY

  a gate for CI: exit 3 on a regression of more than 5 %
    loadgen compare runs/before runs/after \\
      --max-regression 5 --output-file compared.json

A and B are folders of --run-dir, folders of --sweep-dir
(compared rate by rate), or files of --output-file.

exit codes: 0 success, 2 bad usage or input, 3 a gate failed
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags of `loadgen compare`."""
    parser.add_argument("a", metavar="A", type=Path, help="the baseline: a run or a sweep")
    parser.add_argument("b", metavar="B", type=Path, help="the run or sweep to compare with it")
    parser.add_argument(
        "--max-regression",
        type=not_negative,
        metavar="PERCENT",
        help="exit 3 if a figure is worse by more than this, its whole interval included; for shares in percentage"
        " points (default: only report)",
    )
    parser.add_argument("--strict", action="store_true", help="exit 3 unless every verdict is VALID")
    parser.add_argument(
        "--confidence", type=inner_share, metavar="P", help="level of every interval (default: that of the runs)"
    )
    parser.add_argument("--force", action="store_true", help="compare even if the workloads differ")
    parser.add_argument("--markdown", action="store_true", help="print Markdown, for a pull request")
    parser.add_argument(
        "--output-file", metavar="PATH", help="write the comparison as JSON to a new file; - is standard output"
    )


def run(arguments: argparse.Namespace) -> int:
    """Run `loadgen compare`; return its exit code."""
    _check(arguments)
    matched = compare(arguments.a, arguments.b, confidence=arguments.confidence, force=arguments.force)
    comparisons, unmatched, limit = matched.comparisons, matched.unmatched, arguments.max_regression
    regressions = [] if limit is None else report.gate(comparisons, limit / 100)
    output_files.write(arguments.output_file, json.dump(_document(arguments, comparisons, unmatched, regressions)))
    failures = _failures(comparisons, regressions, limit, strict=arguments.strict)
    lines = [*unmatched, *_gate_lines(limit, regressions), *filter(None, [last_line(failures)])]
    if arguments.markdown:
        print("\n".join([*map(report.markdown, comparisons), *(f"- {report.escaped(line)}" for line in lines)]))  # noqa: T201
    else:
        _show(comparisons, lines, Console(stderr=arguments.output_file == output_files.STDOUT, highlight=False))
    return GATE if failures else OK


def _check(arguments: argparse.Namespace) -> None:
    """Raise UsageError if the output cannot be written, before anything is read."""
    path = arguments.output_file
    if path == output_files.STDOUT and arguments.markdown:
        raise UsageError("--output-file - and --markdown both ask for standard output; name a file for the JSON")
    if path is not None and path != output_files.STDOUT and os.path.isfile(path):  # noqa: PTH113  Path.is_file may raise
        raise UsageError(f"--output-file {path}: exists and is not overwritten; name another file")
    output_files.check_writable(path)


def _document(
    arguments: argparse.Namespace,
    comparisons: list[Comparison],
    unmatched: list[str],
    regressions: list[tuple[str, bool]],
) -> dict[str, Any]:
    """The JSON: the comparisons, and the regressions that the gate found in them."""
    return {
        "layout": LAYOUT,
        "a": str(arguments.a),
        "b": str(arguments.b),
        "max_regression": arguments.max_regression,
        "regressions": [text for text, supported in regressions if supported],
        "unsupported": [text for text, supported in regressions if not supported],
        "unmatched": unmatched,
        "comparisons": comparisons,
    }


def _failures(
    comparisons: list[Comparison], regressions: list[tuple[str, bool]], limit: float | None, *, strict: bool
) -> list[str]:
    """Which gates fail, each with the figure and its bound."""
    found = [f"{text}, --max-regression is {limit:g} %" for text, supported in regressions if supported]
    for pair in comparisons if strict else ():
        at = "" if pair["rate"] is None else f" at {quantity.rate(pair['rate'])}"
        states = (("A", pair["a"]["verdict"]["state"]), ("B", pair["b"]["verdict"]["state"]))
        found += [f"{name}{at} is {state}, --strict asks for VALID" for name, state in states if state != "VALID"]
    return found


def _gate_lines(limit: float | None, regressions: list[tuple[str, bool]]) -> list[str]:
    if limit is None:
        return []
    certain = [f"REGRESSION beyond {limit:g} %: {text}" for text, supported in regressions if supported]
    unsupported = [
        f"beyond {limit:g} %, but the interval does not support it: {text}"
        for text, supported in regressions
        if not supported
    ]
    return [*(certain or [f"no regression beyond {limit:g} % that the intervals support"]), *unsupported]


def _show(comparisons: list[Comparison], lines: list[str], console: Console) -> None:
    for comparison in comparisons:
        report.render(comparison, console)
    for line in lines:
        text = Text(printable(line), style="bold red" if line.startswith(_RED) else "")
        console.print(text, soft_wrap=not console.is_terminal)
