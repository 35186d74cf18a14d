"""One blocking GET, for what is asked of the server before the load: its health, paths, models."""

import base64
import http.client
import socket
import ssl
import threading
from concurrent.futures import Future
from contextlib import suppress
from typing import Final, NamedTuple
from urllib.parse import unquote, urlsplit

from loadgen.server.target import Target
from loadgen.server.tls import tls_context

LIMIT_S: Final = 5.0  # of one GET
_MAX_BYTES: Final = 8 << 20  # of a body


class HttpAnswer(NamedTuple):
    """The answer to a GET: its status and body, or status 0 and the `problem`."""

    status: int
    body: bytes = b""
    problem: str = ""


def get(target: Target, path: str, limit_s: float = LIMIT_S) -> HttpAnswer:
    """Ask for a path of the server, within `limit_s` seconds in all; never raises for what the network does.

    In a thread, since bytes that trickle in evade a socket time-out.
    """
    connection, url, headers = _connection(target, path, limit_s)
    answer: Future[HttpAnswer] = Future()

    def attempt() -> None:
        try:
            answer.set_result(_request(connection, url, headers))
        except Exception as error:
            answer.set_exception(error)

    threading.Thread(target=attempt, daemon=True).start()
    try:
        return answer.result(limit_s)
    except TimeoutError:
        return HttpAnswer(0, problem=f"no answer within {limit_s:g} s")
    finally:
        _shut_down(connection)


def _shut_down(connection: http.client.HTTPConnection) -> None:
    """Wake the thread that may still be reading."""
    if connection.sock is not None:
        with suppress(OSError):
            connection.sock.shutdown(socket.SHUT_RDWR)


def _request(connection: http.client.HTTPConnection, url: str, headers: dict[str, str]) -> HttpAnswer:
    try:
        connection.request("GET", url, headers=headers)
        answer = connection.getresponse()
        return HttpAnswer(answer.status, answer.read(_MAX_BYTES))
    except (OSError, http.client.HTTPException) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else error
        return HttpAnswer(0, problem=f"no answer ({reason})")
    finally:
        connection.close()


def _connection(target: Target, path: str, limit_s: float) -> tuple[http.client.HTTPConnection, str, dict[str, str]]:
    """A connection, direct or through the proxy, with the URL and the headers of the request."""
    tls, url = tls_context(target), target.path_of(path)
    if target.proxy is None:
        return _Direct(target, tls, limit_s), url, target.headers
    proxy = urlsplit(target.proxy)
    credentials = f"{unquote(proxy.username or '')}:{unquote(proxy.password or '')}".encode()
    authorization = {"Proxy-Authorization": "Basic " + base64.b64encode(credentials).decode()} if proxy.username else {}
    connection = _plain_or_tls(str(proxy.hostname), proxy.port or 80, tls, limit_s)
    if tls is None:
        return connection, f"{target.origin}{url}", {**target.headers, **authorization}
    connection.set_tunnel(target.host, target.port, headers=authorization)
    return connection, url, target.headers


class _Direct(http.client.HTTPConnection):
    """Connects to the address or socket that the senders will use, with the host name in the Host header and in TLS."""

    def __init__(self, target: Target, tls: ssl.SSLContext | None, limit_s: float) -> None:
        super().__init__(target.host, target.port, timeout=limit_s)
        self._target, self._tls = target, tls
        self.default_port = 443 if tls else 80  # which the Host header omits

    def connect(self) -> None:
        if path := self._target.unix_socket:
            self.sock = socket.socket(socket.AF_UNIX)
            self.sock.settimeout(self.timeout)
            self.sock.connect(path)
        else:
            self.sock = socket.create_connection((self._target.address, self.port), self.timeout)
        if self._tls:
            self.sock = self._tls.wrap_socket(self.sock, server_hostname=self.host)


def _plain_or_tls(host: str, port: int, tls: ssl.SSLContext | None, limit_s: float) -> http.client.HTTPConnection:
    if tls is None:
        return http.client.HTTPConnection(host, port, timeout=limit_s)
    return http.client.HTTPSConnection(host, port, timeout=limit_s, context=tls)
