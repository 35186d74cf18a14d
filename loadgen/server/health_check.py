"""The health check: one attempt, or attempts until `--wait-for-server` is over, before any process is started."""

import base64
import http.client
import socket
import ssl
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import replace
from typing import Final
from urllib.parse import unquote, urlsplit

from loadgen.errors import UnreachableError
from loadgen.server.target import Target, look_up
from loadgen.server.tls import tls_context

ATTEMPT_S: Final = 5.0  # time limit of one attempt
PAUSE_S: Final = 0.5
UNAVAILABLE: Final = 503  # which servers return while they load a model


def wait_for_servers(targets: Sequence[Target], wait_s: float, notify: Callable[[str], None] = lambda _: None) -> None:
    """Return once every server is healthy, within `wait_s` seconds in all; UnreachableError names one that is not."""
    deadline = time.monotonic() + wait_s
    for target in targets:
        wait_for_server(target, max(deadline - time.monotonic(), 0.0) if wait_s else 0.0, notify)


def wait_for_server(target: Target, wait_s: float, notify: Callable[[str], None] = lambda _: None) -> None:
    """Return once GET /health has any answer but 503; raise UnreachableError after `wait_s` seconds."""
    deadline = time.monotonic() + wait_s
    while problem := _problem(_resolved(target)):
        remaining_s = deadline - time.monotonic()
        if remaining_s <= 0:
            waited = f" in {wait_s:g} s" if wait_s else ""
            raise UnreachableError(
                f"--base-url {target.origin}: {problem}{waited}; start the server, correct the URL,"
                " wait for it with --wait-for-server SECONDS, or try --simulate"
            )
        notify(f"waiting for {target.origin} ({problem}), {remaining_s:.0f} s remaining")
        time.sleep(min(PAUSE_S, remaining_s))


def _resolved(target: Target) -> Target:
    """The target with its address looked up anew, as the run will do."""
    return target if target.proxy else replace(target, address=look_up(target.host, target.port, "--base-url"))


def _problem(target: Target) -> str:
    """Make one attempt; return what is wrong, or "". A thread, since bytes that trickle in evade a socket time-out."""
    connection, path, headers = _connection(target)
    answer: Future[str] = Future()

    def attempt() -> None:
        try:
            answer.set_result(_request(connection, path, headers))
        except Exception as error:
            answer.set_exception(error)

    threading.Thread(target=attempt, daemon=True).start()
    try:
        return answer.result(ATTEMPT_S)
    except TimeoutError:
        return f"no answer within {ATTEMPT_S:g} s"
    finally:
        _shut_down(connection)


def _shut_down(connection: http.client.HTTPConnection) -> None:
    """Wake the thread that may still be reading."""
    if connection.sock is not None:
        with suppress(OSError):
            connection.sock.shutdown(socket.SHUT_RDWR)


def _request(connection: http.client.HTTPConnection, path: str, headers: dict[str, str]) -> str:
    try:
        connection.request("GET", path, headers=headers)
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        return f"no answer ({error.strerror if isinstance(error, OSError) and error.strerror else error})"
    finally:
        connection.close()
    return f"answers {UNAVAILABLE}, not ready" if status == UNAVAILABLE else ""


def _connection(target: Target) -> tuple[http.client.HTTPConnection, str, dict[str, str]]:
    """A connection, direct or through the proxy, with the path and the headers of the request."""
    tls, path = tls_context(target), f"{target.prefix}/health"
    host, port = target.host, target.port
    if target.proxy is None:
        return _Direct(target, tls), path, target.headers
    proxy = urlsplit(target.proxy)
    credentials = f"{unquote(proxy.username or '')}:{unquote(proxy.password or '')}".encode()
    authorization = {"Proxy-Authorization": "Basic " + base64.b64encode(credentials).decode()} if proxy.username else {}
    connection = _plain_or_tls(str(proxy.hostname), proxy.port or 80, tls)
    if tls is None:
        return connection, f"{target.origin}{path}", {**target.headers, **authorization}
    connection.set_tunnel(host, port, headers=authorization)
    return connection, path, target.headers


class _Direct(http.client.HTTPConnection):
    """Connects to the address that the senders will use, with the host name in the Host header and in TLS."""

    def __init__(self, target: Target, tls: ssl.SSLContext | None) -> None:
        super().__init__(target.host, target.port, timeout=ATTEMPT_S)
        self._address, self._tls = target.address, tls
        self.default_port = 443 if tls else 80  # which the Host header omits

    def connect(self) -> None:
        self.sock = socket.create_connection((self._address, self.port), self.timeout)
        if self._tls:
            self.sock = self._tls.wrap_socket(self.sock, server_hostname=self.host)


def _plain_or_tls(host: str, port: int, tls: ssl.SSLContext | None) -> http.client.HTTPConnection:
    if tls is None:
        return http.client.HTTPConnection(host, port, timeout=ATTEMPT_S)
    return http.client.HTTPSConnection(host, port, timeout=ATTEMPT_S, context=tls)
