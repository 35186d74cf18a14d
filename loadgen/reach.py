"""Whether there is a server: asked once, or until `--wait-for-server` runs out, before anything is started."""

import base64
import http.client
import ssl
import time
from collections.abc import Callable
from typing import Final
from urllib.parse import unquote, urlsplit

from loadgen.errors import UnreachableError
from loadgen.target import Target
from loadgen.transport.tls import tls_context

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
    connection, path, headers = _connection(target)
    try:
        connection.request("GET", path, headers=headers)
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        return f"no answer ({error.strerror if isinstance(error, OSError) and error.strerror else error})"
    finally:
        connection.close()
    return f"answers {UNAVAILABLE}, not ready" if status == UNAVAILABLE else ""


def _connection(target: Target) -> tuple[http.client.HTTPConnection, str, dict[str, str]]:
    """Where to ask, directly or through the proxy: a connection, the path to ask for, the headers to send."""
    tls, path = tls_context(target), f"{target.prefix}/health"
    host, port = target.host, target.port
    if target.proxy is None:
        return _plain_or_tls(host, port, tls), path, target.headers
    proxy = urlsplit(target.proxy)
    word = f"{unquote(proxy.username or '')}:{unquote(proxy.password or '')}".encode()
    secret = {"Proxy-Authorization": "Basic " + base64.b64encode(word).decode()} if proxy.username else {}
    connection = _plain_or_tls(str(proxy.hostname), proxy.port or 80, tls)
    if tls is None:
        return connection, f"{target.origin}{path}", {**target.headers, **secret}
    connection.set_tunnel(host, port, headers=secret)
    return connection, path, target.headers


def _plain_or_tls(host: str, port: int, tls: ssl.SSLContext | None) -> http.client.HTTPConnection:
    if tls is None:
        return http.client.HTTPConnection(host, port, timeout=TRY_S)
    return http.client.HTTPSConnection(host, port, timeout=TRY_S, context=tls)
