"""The check of the warm-ups: if none succeeded, the load would fail as they did, so it is not sent."""

from collections.abc import Callable, Sequence
from typing import Final

import orjson

from loadgen.errors import WarmupError
from loadgen.options import WarmupOptions
from loadgen.runs.warmups import Warmup
from loadgen.server.discovery import server_paths
from loadgen.server.http_get import get
from loadgen.server.target import Target

SHOWN_ANSWERS: Final = 3  # distinct ones
SHOWN_CHARS: Final = 200  # of the message of each
SHOWN_PATHS: Final = 8
_GENERATING: Final = ("image", "video", "chat", "generat")  # in the paths that are shown first
_NO_SUCH_PATH: Final = frozenset(("http_404", "http_405"))
_NOT_ALLOWED: Final = frozenset(("http_401", "http_403"))


def check(
    warmups: Sequence[Warmup],
    servers: Sequence[Target],
    path: str,
    options: WarmupOptions,
    notify: Callable[[str], None],
    hide: Callable[[str], str] = str,
) -> None:
    """Raise WarmupError if all warm-ups failed, unless `--force` is given; notify of each server where all failed.

    `path` is that of the backend, `hide` removes secrets from a URL.
    """
    urls = [hide(f"{server.origin}{server.path_of(path)}") for server in servers]
    failed = [warmup for warmup in warmups if warmup.error is not None]
    if failed and len(failed) == len(warmups):
        count = f"no warm-up succeeded ({len(failed)} of {len(warmups)} failed)"
        if not options.force:
            advice = _advice(failed, servers)
            raise WarmupError(f"{count}, so no load was sent: {answers(failed, urls)}; {advice}")
        return notify(f"{count}, and --force sends the load all the same: {answers(failed, urls)}")
    for replica in sorted({warmup.replica for warmup in failed}):
        own = [warmup for warmup in warmups if warmup.replica == replica]
        if all(warmup.error is not None for warmup in own):
            notify(f"all warm-ups of one base URL failed, as its requests probably will: {answers(own, urls)}")
    return None


def answers(failed: Sequence[Warmup], urls: Sequence[str]) -> str:
    """Return the first distinct answers in one line: the URL, the error with its status, and the server's message."""
    distinct = list(dict.fromkeys(_answer(warmup, urls) for warmup in failed))
    more = len(distinct) - SHOWN_ANSWERS
    return "; ".join([*distinct[:SHOWN_ANSWERS], *([f"{more} other answers"] if more > 0 else [])])


def _answer(warmup: Warmup, urls: Sequence[str]) -> str:
    detail = " ".join(warmup.detail.split())
    short = detail if len(detail) <= SHOWN_CHARS else detail[: SHOWN_CHARS - 3] + "..."
    return f"POST {urls[warmup.replica]}: {warmup.error}{', ' if short else ''}{short}"


def _advice(failed: Sequence[Warmup], servers: Sequence[Target]) -> str:
    anyway, errors = "or send the load anyway with --force", {warmup.error: warmup.replica for warmup in failed}
    for error in errors.keys() & _NO_SUCH_PATH:
        paths = sorted(_paths(servers[errors[error]]), key=lambda path: not any(word in path for word in _GENERATING))
        shown = ", ".join(paths[:SHOWN_PATHS]) + (", ..." if len(paths) > SHOWN_PATHS else "")
        has = f"the server has {shown}: " if paths else ""
        return f"{has}give the path with --endpoint, or another --backend or --task, {anyway}"
    if errors.keys() & _NOT_ALLOWED:
        return f"give --api-key, --api-key-file or --header, {anyway}"
    return f"check the server, {anyway}"


def _paths(server: Target) -> Sequence[str]:
    """The paths of a server that take a POST; empty if it does not say."""
    try:
        return server_paths(orjson.loads(get(server, "/openapi.json").body))
    except orjson.JSONDecodeError:
        return []
