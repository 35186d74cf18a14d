"""Servers that misbehave, one function each, on plain sockets: what is done with a connection that was accepted."""

import gzip
import itertools
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Self

Behaviour = Callable[[socket.socket], None]
OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
BODY = b'{"data":[{"b64_json":"aGVsbG8="}]}'
WHOLE = OK + b"Content-Length: %d\r\n\r\n" % len(BODY) + BODY
CHUNK = b"%x\r\n%s\r\n" % (len(BODY), BODY)
HUGE = 100 << 20


class HostileServer:
    """Listens on a port of its own; every connection gets a thread, and the behaviour of that time."""

    def __init__(self, behaviour: Behaviour) -> None:
        self.behaviour, self.requests, self.taken_bytes = behaviour, 0, 0
        self._open: set[socket.socket] = set()
        self._socket = socket.socket()
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._socket.bind(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]

    def listen(self) -> Self:
        """Take connections from now on; until then they are refused."""
        self._socket.listen(128)
        threading.Thread(target=self._accept, args=(self._socket,), daemon=True).start()
        return self

    def crash(self) -> None:
        """End like a process that is killed: whatever is open gets closed, whoever comes is refused."""
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        for connection in list(self._open):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def restart(self) -> None:
        """Come back on the same port."""
        self._socket = socket.socket()
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._socket.bind(("127.0.0.1", self.port))
        self.listen()

    def _accept(self, listening: socket.socket) -> None:
        with suppress(OSError):
            while True:
                connection, _ = listening.accept()
                self._open.add(connection)
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with suppress(OSError, EOFError), connection:
            self.behaviour(connection)
        self._open.discard(connection)


@contextmanager
def serving(behaviour: Behaviour, *, listening: bool = True) -> Iterator[HostileServer]:
    """A server that lives as long as the block."""
    server = HostileServer(behaviour)
    try:
        yield server.listen() if listening else server
    finally:
        server.crash()


def read_request(connection: socket.socket) -> None:
    """Read one request to its end; EOFError where the client closes instead."""
    received = b""
    while b"\r\n\r\n" not in received:
        received += _some(connection)
    head, _, body = received.partition(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0] or b"0")
    while len(body) < length:
        body += _some(connection)


def _some(connection: socket.socket) -> bytes:
    if not (received := connection.recv(65536)):
        raise EOFError
    return received


def reset(connection: socket.socket) -> None:
    """Close with a TCP reset."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def good(connection: socket.socket) -> None:
    """Answer whatever is asked, and keep the connection."""
    while True:
        read_request(connection)
        connection.sendall(WHOLE)


def says(*pieces: bytes) -> Behaviour:
    """Answer with these bytes, a little apart, and close."""

    def behave(connection: socket.socket) -> None:
        read_request(connection)
        for piece in pieces:
            connection.sendall(piece)
            time.sleep(0.01)

    return behave


def says_and_stays(*pieces: bytes) -> Behaviour:
    """Answer with these bytes and keep the connection; whatever else is asked on it is answered well."""

    def behave(connection: socket.socket) -> None:
        says(*pieces)(connection)
        good(connection)

    return behave


def says_and_resets(*pieces: bytes) -> Behaviour:
    """Answer with these bytes, then reset."""

    def behave(connection: socket.socket) -> None:
        says(*pieces)(connection)
        reset(connection)

    return behave


def resets_on_the_request(connection: socket.socket) -> None:
    """Reset with the request half read."""
    connection.recv(10)
    reset(connection)


def closes_on_the_first_byte(connection: socket.socket) -> None:
    """Close with the request, or the handshake, read."""
    connection.recv(65536)


def garbage_for_a_handshake(connection: socket.socket) -> None:
    """Answer a TLS hello with HTTP."""
    connection.recv(65536)
    connection.sendall(WHOLE)
    says_nothing(connection)


def half_a_handshake(connection: socket.socket) -> None:
    """Begin a TLS record (a server's hello of 80 bytes) and never end it."""
    connection.recv(65536)
    connection.sendall(b"\x16\x03\x03\x00\x50\x02\x00\x00\x4c\x03\x03")
    says_nothing(connection)


def says_nothing(connection: socket.socket) -> None:
    """Take everything, answer nothing."""
    while True:
        _some(connection)


def one_byte_at_a_time(connection: socket.socket) -> None:
    """An answer that gets longer for an hour."""
    read_request(connection)
    for byte in OK + b"X-Slow: " + b"x" * 36_000:
        connection.sendall(bytes([byte]))
        time.sleep(0.1)


def endless(beginning: bytes, repeated: Callable[[int], bytes]) -> Behaviour:
    """Answer with a beginning, then 100 MB of pieces, unless the client closes before that."""

    def behave(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(beginning)
        sent = 0
        for number in itertools.count():
            sent += len(piece := repeated(number))
            connection.sendall(piece)
            if sent > HUGE:
                raise AssertionError("all of it was taken")

    return behave


def header(number: int) -> bytes:
    """One of many lines."""
    return b"X-%d: %s\r\n" % (number, b"y" * 1000)


def compressed(head: bytes = b"Content-Encoding: gzip\r\n") -> bytes:
    """An answer in gzip."""
    body = gzip.compress(BODY)
    return OK + head + b"Content-Length: %d\r\n\r\n" % len(body) + body


def turns_away(status: bytes, *headers: bytes) -> bytes:
    """An answer without a picture."""
    lines = b"".join(header + b"\r\n" for header in headers)
    return b"HTTP/1.1 %s\r\n%sContent-Length: 4\r\n\r\nbusy" % (status, lines)
