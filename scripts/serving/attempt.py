"""Runs one command of the table and judges what came."""

import os
import re
import shlex
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import orjson

from scripts.serving.rows import OK, Row

LIMIT_S: Final = 60.0
_SHOWN: Final = 70  # characters of a message
_COUNTS: Final = re.compile(r"^outcomes\s+(.*?)\s*$", re.MULTILINE)
_ERROR: Final = re.compile(r"^(\d+ x .*?)\s*$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Attempt:
    """What came of one row on one server; `faults` says what is not as expected."""

    row: Row
    server: str
    command: str
    outcome: str
    faults: tuple[str, ...]


def attempt(row: Row, server: str, url: str, cache: Path) -> Attempt:
    """Run the row's command against the server at `url`, with `cache` as the user's cache folder."""
    script = ["scripts/diffusion_benchmark_serving.py"] if row.drop_in else ["-m", "loadgen", "bench"]
    words = ["--base-url", url.rstrip("/") + row.suffix, *shlex.split(row.flags), "--num-prompts", "5"]
    with tempfile.TemporaryDirectory() as folder:
        result = Path(folder) / "result.json"
        output = ["--output-file", str(result)] if row.figures else []
        code, text = _run([sys.executable, *script, *words, *output], {"XDG_CACHE_HOME": str(cache)})
        figures = orjson.loads(result.read_bytes()) if result.exists() else {}
    shown = " ".join((Path(script[-1]).name, shlex.join(words)))
    return Attempt(
        row, server, shown.replace(url.rstrip("/"), "URL"), _outcome(code, text), faults(row, code, text, figures)
    )


def _run(command: list[str], environment: dict[str, str]) -> tuple[int | None, str]:
    """Return exit code and output; None for a command that did not end."""
    try:
        done = subprocess.run(
            command,
            env={**os.environ, **environment, "COLUMNS": "300"},
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
        )
    except subprocess.TimeoutExpired as late:
        return None, str(late.stdout or "")
    return done.returncode, done.stdout + done.stderr


def faults(row: Row, code: int | None, text: str, figures: Any) -> tuple[str, ...]:
    """Return what is not as the row expects, of an exit code, an output and the keys of a JSON; empty if nothing."""
    found = [f"no {pattern}" for pattern in row.text if not re.search(pattern, text)]
    if code != row.code:
        found.insert(0, f"no exit in {LIMIT_S:g} s" if code is None else f"exit {code}")
    if row.code == OK and not row.drop_in and not re.search(r"^outcomes\s+5 ok\s*$", text, re.MULTILINE):
        found.append("not 5 ok")
    return (*found, *(f"{key} {figures.get(key)}" for key, value in row.figures.items() if figures.get(key) != value))


def _outcome(code: int | None, text: str) -> str:
    """Return exit code, counts and the first message, in one line."""
    parts = [f"exit {code}"]
    parts += [match[1] for match in (_COUNTS.search(text), _ERROR.search(text)) if match]
    if code and len(parts) == 1:
        parts += text.strip().splitlines()[-1:]
    return "; ".join(" ".join(part.split())[:_SHOWN] for part in parts)
