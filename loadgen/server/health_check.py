"""The health check: one attempt, or attempts until `--wait-for-server` is over, before any process is started."""

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

from loadgen.errors import UnreachableError
from loadgen.server.http_get import get
from loadgen.server.target import Target, look_up

PAUSE_S: Final = 0.5
_PATH: Final = "/health"


def wait_for_servers(targets: Sequence[Target], wait_s: float, notify: Callable[[str], None] = lambda _: None) -> None:
    """Return once every server is healthy, within `wait_s` seconds in all; UnreachableError names one that is not."""
    deadline = time.monotonic() + wait_s
    for target in targets:
        wait_for_server(target, max(deadline - time.monotonic(), 0.0) if wait_s else 0.0, notify)


def wait_for_server(target: Target, wait_s: float, notify: Callable[[str], None] = lambda _: None) -> None:
    """Return once GET /health has any answer that is not 5xx; raise UnreachableError after `wait_s` seconds.

    Servers without such a path, or with a key that it does not take, answer 404 or 401: they are up.
    """
    deadline = time.monotonic() + wait_s
    while problem := _problem(target):
        remaining_s = deadline - time.monotonic()
        if remaining_s <= 0:
            raise UnreachableError(_message(target, problem, f" in {wait_s:g} s" if wait_s else ""))
        notify(f"waiting for {target.origin} ({problem}), {remaining_s:.0f} s remaining")
        time.sleep(min(PAUSE_S, remaining_s))


def _message(target: Target, problem: str, waited: str) -> str:
    """The message names the proxy where there is one: it may be what does not answer."""
    where = f"--unix-socket {target.unix_socket}" if target.unix_socket else f"--base-url {target.origin}"
    through = " through --proxy" if target.proxy else ""
    skip = ", --skip-health-check" if problem.startswith("answers") else ""
    return (
        f"{where}{through}: {problem}{waited}; start the server, correct the URL,"
        f" wait for it with --wait-for-server SECONDS{skip}, or try --simulate"
    )


def _problem(target: Target) -> str:
    """Make one attempt; return what is wrong, or ""."""
    answer = get(_resolved(target), _PATH)
    return f"answers {answer.status}, not ready" if answer.status >= 500 else answer.problem


def _resolved(target: Target) -> Target:
    """The target with its address looked up anew, as the run will do."""
    if target.proxy or target.unix_socket:
        return target
    return replace(target, address=look_up(target.host, target.port, "--base-url"))
