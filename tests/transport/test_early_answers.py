"""Answers that come before the request was read, from a server that then closes: they count, over both transports."""

import asyncio
import socket
from collections.abc import Callable
from contextlib import suppress
from functools import partial

import pytest
import uvloop

from collector.records.record import ErrorKind
from loadgen.bodies.request import Request
from loadgen.transport import NAMES
from loadgen.transport.interface import Answer
from tests.support.hostile import Behaviour, reset, serving
from tests.support.rig import transport_to

SIZES = (2_000, 300_000, 30_000_000)  # bytes of the request: within the socket buffers, and far beyond them
TIMES = 4  # which of read and write the client does first is a matter of luck


def read_head(connection: socket.socket) -> None:
    received = b""
    while b"\r\n\r\n" not in received:
        received += connection.recv(1024)


def closes(connection: socket.socket) -> None:
    """With the rest unread: the system sends a reset after the answer."""
    connection.close()


def closes_slowly(connection: socket.socket) -> None:
    """As nginx does (lingering_close): reads on for a while."""
    connection.shutdown(socket.SHUT_WR)
    connection.settimeout(0.2)
    with suppress(OSError):
        while connection.recv(1 << 16):
            pass


def refuses(answer: bytes, then: Callable[[socket.socket], None]) -> Behaviour:
    def behave(connection: socket.socket) -> None:
        read_head(connection)
        connection.sendall(answer)
        then(connection)

    return behave


def keep(done: "asyncio.Future[Answer]", answer: Answer) -> None:
    done.set_result(answer._replace(body=bytes(answer.body)))


async def ask(name: str, behaviour: Behaviour, size: int) -> list[Answer]:
    with serving(behaviour) as server:
        answers = []
        for _ in range(TIMES):
            transport = transport_to(server, name)
            done: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
            request = Request("POST", "/v1/images/generations", "application/json", b"x" * size)
            transport.send(request, partial(keep, done))
            answers.append(await asyncio.wait_for(done, 20))
            await transport.close()
        return answers


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("then", [closes, reset, closes_slowly])
@pytest.mark.parametrize(
    ("status", "headers"),
    [
        ("413 Payload Too Large", b"Connection: close\r\nContent-Length: 4\r\n"),
        ("413 Payload Too Large", b"Content-Length: 4\r\n"),
        ("413 Payload Too Large", b"Connection: close\r\n"),
        ("401 Unauthorized", b"Transfer-Encoding: chunked\r\n"),
        ("400 Bad Request", b"Connection: close\r\nContent-Length: 4\r\n"),
    ],
)
def test_an_answer_to_a_request_that_was_not_read_counts(
    name: str, size: int, then: Callable[[socket.socket], None], status: str, headers: bytes
) -> None:
    body = b"4\r\nbusy\r\n0\r\n\r\n" if b"chunked" in headers else b"busy"
    behaviour = refuses(b"HTTP/1.1 %b\r\n%b\r\n%b" % (status.encode(), headers, body), then)
    answers = uvloop.run(ask(name, behaviour, size))
    ends = {(answer.status, answer.error, bytes(answer.body)) for answer in answers}
    assert ends == {(int(status[:3]), ErrorKind.NONE, b"busy")}
    for answer in answers:
        assert answer.sent_ns <= answer.first_byte_ns <= answer.done_ns


@pytest.mark.parametrize("name", NAMES)
def test_a_success_that_ends_in_a_reset_is_still_cut(name: str) -> None:
    behaviour = refuses(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{}", reset)
    assert {answer.error for answer in uvloop.run(ask(name, behaviour, 2_000))} == {ErrorKind.RESET}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("size", SIZES)
def test_a_reset_without_an_answer_stays_one(name: str, size: int) -> None:
    def behave(connection: socket.socket) -> None:
        read_head(connection)
        reset(connection)

    assert {answer.error for answer in uvloop.run(ask(name, behave, size))} == {ErrorKind.RESET}


def test_a_connection_that_ended_in_a_refusal_is_not_used_again() -> None:
    async def main() -> list[int]:
        with serving(refuses(b"HTTP/1.1 413 Large\r\nContent-Length: 4\r\n\r\nbusy", closes)) as server:
            transport = transport_to(server, "native")
            statuses = []
            for _ in range(20):
                done: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
                transport.send(Request("POST", "/", "a/b", b"x" * 20_000_000), done.set_result)
                statuses.append((await asyncio.wait_for(done, 20)).status)
            await transport.close()
        return statuses

    assert uvloop.run(main()) == [413] * 20
