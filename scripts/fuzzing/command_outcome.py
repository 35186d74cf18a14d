"""Runs a command in this process, captures its output, and checks that the outcome is allowed."""

import contextlib
import io
from collections.abc import Callable
from typing import Final

USAGE: Final = 2
INTERRUPTED: Final = 130


def run_captured(command: Callable[[], int]) -> tuple[int, str, str]:
    """Run a command in this process; return exit code, standard output and standard error."""
    out, err = (io.TextIOWrapper(io.BytesIO(), "utf-8", errors="surrogateescape") for _ in range(2))
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            code = command()
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 1
    if code == INTERRUPTED:
        raise KeyboardInterrupt  # interrupted by the user
    return code, _text(out), _text(err)


def _text(stream: io.TextIOWrapper) -> str:
    stream.flush()
    content = stream.detach()
    assert isinstance(content, io.BytesIO)
    return content.getvalue().decode("utf-8", "surrogateescape")


def outcome(code: int, out: str, err: str, secrets: tuple[str, ...] = ()) -> str:
    """Say in a word what came of a command; AssertionError where that is not a result or one line of bad usage."""
    assert code in (0, USAGE), f"exit {code}: {err}"
    _assert_plain(out + err)
    assert not any(secret in out + err for secret in secrets), f"a secret was shown: {out}{err}"
    if code == USAGE:
        assert out == "", out
        assert len(err.splitlines()) == 1, err
        assert ": " in err, err
    return "a result" if code == 0 else "a line"


def _assert_plain(text: str) -> None:
    """Nothing that drives a terminal, nothing that only a programmer reads."""
    assert "Traceback" not in text, text
    odd = [c for c in text if not (c.isprintable() or c == "\n")]
    assert not odd, f"{odd[:5]!r} in {text!r}"
