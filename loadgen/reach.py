"""Whether there is a server: asked once, or until `--wait-for-server` runs out, before anything is started."""

import http.client
import time
from collections.abc import Callable
from typing import Final

from loadgen.errors import UnreachableError
from loadgen.target import Target

TRY_S: Final = 5.0  # one try
PAUSE_S: Final = 0.5
UNAVAILABLE: Final = 503  # what servers say while they load a model


def wait_for_server(target: Target, wait_s: float, tell: Callable[[str], None] = lambda _: None) -> None:
    """Return once GET /health was answered, by anything but 503; raise UnreachableError after `wait_s` seconds."""
    deadline = time.monotonic() + wait_s
    while problem := _problem(target):
        left_s = deadline - time.monotonic()
        if left_s <= 0:
            waited = f" in {wait_s:g} s" if wait_s else ""
            raise UnreachableError(
                f"--base-url {target.origin}: {problem}{waited}; start the server, correct the address,"
                " give it time by --wait-for-server SECONDS, or try --simulate"
            )
        tell(f"waiting for {target.origin} ({problem}), {left_s:.0f} s left")
        time.sleep(min(PAUSE_S, left_s))


def _problem(target: Target) -> str:
    """Ask once; return what is wrong, or nothing."""
    kind = http.client.HTTPSConnection if target.scheme == "https" else http.client.HTTPConnection
    connection = kind(target.host, target.port, timeout=TRY_S)
    try:
        connection.request("GET", f"{target.prefix}/health", headers=target.headers)
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        return f"no answer ({error.strerror if isinstance(error, OSError) and error.strerror else error})"
    finally:
        connection.close()
    return f"answers {UNAVAILABLE}, not ready" if status == UNAVAILABLE else ""
