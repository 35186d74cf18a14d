"""The command `report`: look at saved runs again, anywhere, with other questions.

`loadgen report DIR...` and `python -m collector DIR...` are the same.
"""

import argparse
import os
import sys
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.text import Text

from collector.cli.flags import EXAMPLES, add_arguments
from collector.cli.parser import Parser
from collector.errors import RunError
from collector.report import json
from collector.report.saved_report import Report, report, shown_of
from collector.report.terminal import percentiles, run_report
from collector.saved import export
from collector.saved.run_folder import FILES
from collector.text.printable import forgive_streams, printable

STDOUT: Final = "-"
PAGE: Final = "report.html"  # where `--html` names no other file


def run(arguments: argparse.Namespace) -> int:
    """Report each folder; return 0. RunError where one cannot be read, or a file not be written."""
    _check(arguments)
    people = Console(stderr=STDOUT in (arguments.output_file, arguments.html), highlight=False)
    for folder in arguments.folders:
        _report(folder, arguments, people)
    return 0


def main(words: list[str]) -> int:
    """Run `python -m collector` with these words; a fault is one line and exit 2."""
    parser = Parser(
        prog="python -m collector",
        description="look at saved runs again, with other questions",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_arguments(parser)
    forgive_streams()
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
    if arguments.output_file == arguments.html == STDOUT:
        raise RunError("--output-file and --html both ask for standard output; name a file for one of them")
    a = arguments
    for flag, place in (("--output-file", a.output_file), ("--export-file", a.export_file), ("--html", a.html)):
        if place and len(arguments.folders) > 1:
            raise RunError(f"{flag} holds one run; name one folder")
        if place and any(_is_of_run(place, folder) for folder in arguments.folders):
            raise RunError(f"{flag} {place}: is a part of the saved run, which is never overwritten; name another file")


def _is_of_run(place: str | Path, folder: Path) -> bool:
    names = (folder / name for name in FILES)
    return os.path.exists(place) and any(os.path.samefile(place, name) for name in names if os.path.exists(name))  # noqa: PTH110, PTH121  (no error where a path is odd)


def _report(folder: Path, arguments: argparse.Namespace, people: Console) -> None:
    """Report one folder; files come first, since what people read should not claim what then fails."""
    a = arguments
    found = report(folder, latency_from=a.latency_from, slo_ms=a.slo_ms, confidence=a.confidence)
    further = found.percentiles(a.percentiles) if a.percentiles else {}
    told = _write_files(found, further, a)
    with shown_of(folder):
        drawn = run_report.drawn(found.result)
    people.rule(Text(printable(str(folder))))
    people.print(drawn, highlight=False)
    if further:
        people.print(percentiles.table(further, found.info.confidence))
    for line in told:
        people.print(printable(line), markup=False, soft_wrap=True)


def _write_files(found: Report, further: percentiles.Percentiles, arguments: argparse.Namespace) -> list[str]:
    """Write what the flags ask for; return what there is to say of it."""
    told, folder = [], found.saved.folder
    if arguments.export:
        place = arguments.export_file or folder / f"requests.{arguments.export}"
        told.append(f"{found.export(arguments.export, place)} rows in {place}")
    if arguments.output_file is not None:
        content = json.dump({**found.result, **({"percentiles": further} if further else {})})
        _write("--output-file", arguments.output_file, content)
    if arguments.html is not None:
        place = arguments.html or str(folder / PAGE)
        _write("--html", place, found.page())
        told += [f"the page is {place}"] if place != STDOUT else []
    return told


def _write(flag: str, path: str, content: bytes) -> None:
    if path == STDOUT:
        sys.stdout.buffer.write(content)
        sys.stdout.buffer.flush()
        return
    try:
        Path(path).write_bytes(content)
    except OSError as error:
        raise RunError(f"{flag} {path}: {error.strerror}; name a file that can be written") from None
