"""Whether there is a server: asked once, or until `--wait-for-server` runs out, before anything is started."""

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
from loadgen.transport.target import Target, look_up
from loadgen.transport.tls import tls_context

TRY_S: Final = 5.0  # one try, in all
PAUSE_S: Final = 0.5
UNAVAILABLE: Final = 503  # what servers say while they load a model


def wait_for_servers(targets: Sequence[Target], wait_s: float, tell: Callable[[str], None] = lambda _: None) -> None:
    """Return once each of them was reached, within `wait_s` seconds in all; UnreachableError names one that was not."""
    deadline = time.monotonic() + wait_s
    for target in targets:
        wait_for_server(target, max(deadline - time.monotonic(), 0.0) if wait_s else 0.0, tell)


def wait_for_server(target: Target, wait_s: float, tell: Callable[[str], None] = lambda _: None) -> None:
    """Return once GET /health was answered, by anything but 503; raise UnreachableError after `wait_s` seconds."""
    deadline = time.monotonic() + wait_s
    while problem := _problem(_looked_up(target)):
        left_s = deadline - time.monotonic()
        if left_s <= 0:
            waited = f" in {wait_s:g} s" if wait_s else ""
            raise UnreachableError(
                f"--base-url {target.origin}: {problem}{waited}; start the server, correct the address,"
                " give it time by --wait-for-server SECONDS, or try --simulate"
            )
        tell(f"waiting for {target.origin} ({problem}), {left_s:.0f} s left")
        time.sleep(min(PAUSE_S, left_s))


def _looked_up(target: Target) -> Target:
    """The target with the address that listens by now, which is the one that the run will find."""
    return target if target.proxy else replace(target, address=look_up(target.host, target.port, "--base-url"))


def _problem(target: Target) -> str:
    """Ask once; return what is wrong, or nothing. Time is kept from outside: dripping bytes pass a socket's limit."""
    connection, path, headers = _connection(target)
    answer: Future[str] = Future()

    def ask() -> None:
        try:
            answer.set_result(_answered(connection, path, headers))
        except Exception as error:
            answer.set_exception(error)

    threading.Thread(target=ask, daemon=True).start()
    try:
        return answer.result(TRY_S)
    except TimeoutError:
        return f"no answer within {TRY_S:g} s"
    finally:
        _hang_up(connection)


def _hang_up(connection: http.client.HTTPConnection) -> None:
    """End what another thread may still be reading."""
    if connection.sock is not None:
        with suppress(OSError):
            connection.sock.shutdown(socket.SHUT_RDWR)


def _answered(connection: http.client.HTTPConnection, path: str, headers: dict[str, str]) -> str:
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
        return _Direct(target, tls), path, target.headers
    proxy = urlsplit(target.proxy)
    word = f"{unquote(proxy.username or '')}:{unquote(proxy.password or '')}".encode()
    secret = {"Proxy-Authorization": "Basic " + base64.b64encode(word).decode()} if proxy.username else {}
    connection = _plain_or_tls(str(proxy.hostname), proxy.port or 80, tls)
    if tls is None:
        return connection, f"{target.origin}{path}", {**target.headers, **secret}
    connection.set_tunnel(host, port, headers=secret)
    return connection, path, target.headers


class _Direct(http.client.HTTPConnection):
    """Goes to the address that the senders will use, and asks for the host by its name."""

    def __init__(self, target: Target, tls: ssl.SSLContext | None) -> None:
        super().__init__(target.host, target.port, timeout=TRY_S)
        self._address, self._tls = target.address, tls
        self.default_port = 443 if tls else 80  # which a Host header leaves out

    def connect(self) -> None:
        self.sock = socket.create_connection((self._address, self.port), self.timeout)
        if self._tls:
            self.sock = self._tls.wrap_socket(self.sock, server_hostname=self.host)


def _plain_or_tls(host: str, port: int, tls: ssl.SSLContext | None) -> http.client.HTTPConnection:
    if tls is None:
        return http.client.HTTPConnection(host, port, timeout=TRY_S)
    return http.client.HTTPSConnection(host, port, timeout=TRY_S, context=tls)
