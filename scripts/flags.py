"""Writes docs/flags.md from the parsers of all commands: `.venv/bin/python -m scripts.flags`."""

import argparse
from collections.abc import Callable, Iterator
from pathlib import Path

from collector.cli import flags as report
from collector.cli.parser import Parser
from loadgen.cli import compare, load_flags, search, sweep
from loadgen.simulator.engine import options as serve

PAGE = Path(__file__).parent.parent / "docs" / "flags.md"
SENDERS = "{cores}"  # stands for the default of --senders, which depends on the machine
HEAD = """\
# All flags

Which flags does each command have, and what are their defaults? This page is made from the parsers by
`scripts/flags.py`; `loadgen COMMAND --help` says the same, with examples.

A flag with a value may be written `--flag VALUE` or `--flag=VALUE`; flags are not abbreviated.
"""
COMMANDS: tuple[tuple[str, str, Callable[[argparse.ArgumentParser], None]], ...] = (
    ("bench", "One run at one rate, with a report.", load_flags.add_arguments),
    ("sweep", "One run after another at several rates. Takes the flags of `bench` too.", sweep.add_arguments),
    ("search", "The highest rate that meets a target. Takes the flags of `bench` too.", search.add_arguments),
    ("report", "Report saved runs again.", report.add_arguments),
    ("compare", "Compare two saved runs, or two sweeps.", compare.add_arguments),
    ("serve", "The simulated server; `bench --simulate` takes the same flags.", serve.add_arguments),
)


def page() -> str:
    """The whole page, as Markdown."""
    known: set[str] = set()
    parts = [HEAD]
    for name, purpose, add in COMMANDS:
        parser = Parser(prog=f"loadgen {name}", add_help=False)
        add(parser)
        parts.append(f"## loadgen {name}\n\n{purpose}\n")
        inherits = name in ("sweep", "search")
        parts += _groups(parser, known if inherits else set())
        if name == "bench":
            known = {flag for action in parser._actions for flag in action.option_strings}
        if inherits:
            parts.append(f"`--max-concurrency` is {parser.get_default('max_concurrency')} by default here.\n")
    return "\n".join(parts)


def _groups(parser: argparse.ArgumentParser, left_out: set[str]) -> Iterator[str]:
    for group in parser._action_groups:
        actions = [action for action in group._group_actions if not left_out & set(action.option_strings)]
        if actions:
            plain = group.title in ("options", "positional arguments", parser.prog.split()[-1])
            title = "" if plain else f"### {group.title}\n\n"
            yield f"{title}| flag | meaning |\n|---|---|\n" + "".join(map(_row, actions))


def _row(action: argparse.Action) -> str:
    shown = ", ".join(action.option_strings) or str(action.metavar or action.dest)
    value = f" {_value(action)}" if action.option_strings and action.nargs != 0 else ""
    optional = f" [{value.strip()}]" if action.nargs == "?" else value
    return f"| `{shown}{optional}` | {_meaning(action).replace('|', '&#124;')} |\n"


def _value(action: argparse.Action) -> str:
    if action.metavar is not None:
        return str(action.metavar)
    return "{" + ",".join(map(str, action.choices)) + "}" if action.choices else action.dest.upper()


def _meaning(action: argparse.Action) -> str:
    default = SENDERS if action.dest == "senders" else action.default
    text = (action.help or "") % {**vars(action), "default": default}
    text = text.replace(f", here {SENDERS}", "").replace(SENDERS, "half the cores")
    return f"{text}; required" if action.required and action.option_strings else text


if __name__ == "__main__":
    PAGE.write_text(page())
