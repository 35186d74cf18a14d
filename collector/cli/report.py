"""The command `report`: print the report of saved runs again, with other settings.

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
from collector.report.saved_report import Report, damage_reported, report
from collector.report.terminal import percentile_table, run_report
from collector.saved import export
from collector.saved.run_folder import FILES
from collector.text.printable import forgive_streams, printable

STDOUT: Final = "-"
PAGE: Final = "report.html"  # default of `--html`


def run(arguments: argparse.Namespace) -> int:
    """Report each folder; return 0. Raise RunError where a folder cannot be read or a file cannot be written."""
    _check(arguments)
    console = Console(stderr=STDOUT in (arguments.output_file, arguments.html), highlight=False)
    for folder in arguments.folders:
        _report(folder, arguments, console)
    return 0


def main(argv: list[str]) -> int:
    """Run `python -m collector` with these arguments; return the exit code. A RunError is printed in one line."""
    parser = Parser(
        prog="python -m collector",
        description="print the reports of saved runs again, with other settings",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_arguments(parser)
    forgive_streams()
    arguments = parser.parse_args(argv)
    try:
        return run(arguments)
    except RunError as error:
        print(f"collector: {printable(str(error))}", file=sys.stderr)  # noqa: T201
        return error.exit_code
    except BrokenPipeError:  # the reader of standard output has exited, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


def _check(arguments: argparse.Namespace) -> None:
    """Refuse flags that do not go together, before anything is read."""
    if arguments.export_file is not None and arguments.export is None:
        raise RunError(f"--export-file needs --export: {', '.join(export.FORMATS)}")
    if arguments.output_file == arguments.html == STDOUT:
        raise RunError("--output-file and --html both ask for standard output; name a file for one of them")
    a = arguments
    for flag, path in (("--output-file", a.output_file), ("--export-file", a.export_file), ("--html", a.html)):
        if path and len(arguments.folders) > 1:
            raise RunError(f"{flag} takes one run; give one DIR")
        if path and any(_belongs_to_run(path, folder) for folder in arguments.folders):
            raise RunError(f"{flag} {path}: is part of the saved run, which is never overwritten; name another file")


def _belongs_to_run(path: str | Path, folder: Path) -> bool:
    names = (folder / name for name in FILES)
    return os.path.exists(path) and any(os.path.samefile(path, name) for name in names if os.path.exists(name))  # noqa: PTH110, PTH121  (no error where a path is odd)


def _report(folder: Path, arguments: argparse.Namespace, console: Console) -> None:
    """Report one folder; files come first, since what console read should not claim what then fails."""
    a = arguments
    saved_report = report(folder, latency_from=a.latency_from, slo_ms=a.slo_ms, confidence=a.confidence)
    extra = saved_report.percentiles(a.percentiles) if a.percentiles else {}
    messages = _write_files(saved_report, extra, a)
    with damage_reported(folder):
        content = run_report.layout(saved_report.result)
    console.rule(Text(printable(str(folder))))
    console.print(content, highlight=False)
    if extra:
        console.print(percentile_table.table(extra, saved_report.info.confidence))
    for line in messages:
        console.print(printable(line), markup=False, soft_wrap=True)


def _write_files(saved_report: Report, extra: percentile_table.Percentiles, arguments: argparse.Namespace) -> list[str]:
    """Write the files that the flags name; return a message on each."""
    messages, folder = [], saved_report.saved.folder
    if arguments.export:
        path = arguments.export_file or folder / f"requests.{arguments.export}"
        messages.append(f"{saved_report.export(arguments.export, path)} rows written to {path}")
    if arguments.output_file is not None:
        content = json.dump({**saved_report.result, **({"percentiles": extra} if extra else {})})
        _write("--output-file", arguments.output_file, content)
    if arguments.html is not None:
        path = arguments.html or str(folder / PAGE)
        _write("--html", path, saved_report.page())
        messages += [f"HTML report: {path}"] if path != STDOUT else []
    return messages


def _write(flag: str, path: str, content: bytes) -> None:
    if path == STDOUT:
        sys.stdout.buffer.write(content)
        sys.stdout.buffer.flush()
        return
    try:
        Path(path).write_bytes(content)
    except OSError as error:
        raise RunError(f"{flag} {path}: {error.strerror}; name a file that can be written") from None
