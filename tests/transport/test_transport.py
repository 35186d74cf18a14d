"""Every transport against raw sockets that behave and misbehave: an answer or a kind of failure, never a hang."""

import asyncio
import socket
import struct
from collections.abc import Awaitable, Callable

import pytest
import uvloop

from collector.records.record import RETRIED, ErrorKind
from loadgen.bodies.request import Request
from loadgen.clock import now_ns
from loadgen.options import TargetOptions
from loadgen.server.target import resolve
from loadgen.transport import NAMES, make_transport
from loadgen.transport.interface import Answer, Transport

TRANSPORTS = NAMES
REQUEST = Request("POST", "/v1/x", "application/json", b'{"a":1}')
Behaviour = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
Talk = Callable[[Transport], Awaitable[list[Answer]]]


async def read_request(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    (length,) = (line.split(b":")[1] for line in head.lower().split(b"\r\n") if line.startswith(b"content-length"))
    return head + await reader.readexactly(int(length))


def says(*pieces: bytes, then: str = "close") -> Behaviour:
    """Answer the first request of a connection with these bytes, a little apart, then close, reset or stay."""

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0.01)
        if then == "reset":
            raw = writer.get_extra_info("socket")
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        if then == "stay":
            await asyncio.sleep(30)
        writer.close()

    return behave


async def ask(transport: Transport, request: Request = REQUEST) -> Answer:
    answered = asyncio.get_running_loop().create_future()
    transport.send(request, answered.set_result)
    answer: Answer = await asyncio.wait_for(answered, 20)
    return answer


async def once(transport: Transport) -> list[Answer]:
    return [await ask(transport)]


def talk(name: str, behaviour: Behaviour, talk: Talk = once, limit: int = 1 << 30) -> list[Answer]:
    async def main() -> list[Answer]:
        server = await asyncio.start_server(behaviour, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        options = TargetOptions(base_url=f"http://127.0.0.1:{port}", max_body_bytes=limit)
        transport = make_transport(name, resolve(options))
        try:
            return await talk(transport)
        finally:
            await transport.close()
            server.close()

    return uvloop.run(main())


OK = b"HTTP/1.1 200 OK\r\n"
WHOLE = OK + b"Content-Length: 5\r\n\r\nhello"


@pytest.mark.parametrize("name", TRANSPORTS)
@pytest.mark.parametrize(
    ("pieces", "status", "body"),
    [
        ((WHOLE,), 200, b"hello"),
        ((WHOLE[:9], WHOLE[9:30], WHOLE[30:]), 200, b"hello"),
        ((OK + b"Content-Length: 0\r\n\r\n",), 200, b""),
        ((OK + b"Transfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n",), 200, b"hello"),
        ((OK + b"Transfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2", b"\r\nlo\r\n0\r\nX-Late: 1\r\n\r\n"), 200, b"hello"),
        ((OK + b"Connection: close\r\n\r\nhel", b"lo"), 200, b"hello"),
        ((b"HTTP/1.0 200 OK\r\n\r\nhello",), 200, b"hello"),
        ((b"HTTP/1.1 100 Continue\r\n\r\n" + WHOLE,), 200, b"hello"),
        ((b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n", WHOLE), 200, b"hello"),
        ((b"HTTP/1.1 204 No Content\r\n\r\n",), 204, b""),
        ((b"HTTP/1.1 503 Busy\r\nRetry-After: 9\r\nContent-Length: 4\r\n\r\nbusy",), 503, b"busy"),
        ((b"HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n",), 302, b""),
        ((OK + b"Content-Encoding: gzip\r\nContent-Length: 5\r\n\r\nhello",), 200, b"hello"),
        ((WHOLE + b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nnot",), 200, b"hello"),
        ((OK + b"Content-Length: 3000000\r\n\r\n" + b"x" * 3_000_000,), 200, b"x" * 3_000_000),
    ],
)
@pytest.mark.parametrize("then", ["close", "stay"])
def test_a_whole_answer_is_read_to_its_end(
    name: str, pieces: tuple[bytes, ...], status: int, body: bytes, then: str
) -> None:
    delimited = b"Content-Length" in pieces[-1] or b"chunked" in pieces[0] or status == 204
    if then == "stay" and not delimited:
        return  # only the end of the connection ends such a body
    before = now_ns()
    (answer,) = talk(name, says(*pieces, then=then))
    assert (answer.error, answer.status, bytes(answer.body)) == (ErrorKind.NONE, status, body)
    assert before <= answer.sent_ns <= answer.first_byte_ns <= answer.done_ns <= now_ns()
    assert answer.flags == 0


BROKEN = {ErrorKind.DISCONNECTED, ErrorKind.RESET}


@pytest.mark.parametrize("name", TRANSPORTS)
@pytest.mark.parametrize(
    ("pieces", "then", "kind"),
    [
        ((), "close", ErrorKind.DISCONNECTED),
        ((), "reset", ErrorKind.RESET),
        ((b"HTTP/1.1 200",), "close", ErrorKind.HEAD_CUT),
        ((OK + b"Content-Le",), "reset", ErrorKind.RESET),
        ((OK + b"Content-Length: 50\r\n\r\nhello",), "close", ErrorKind.BODY_CUT),
        ((OK + b"Content-Length: 50\r\n\r\nhello",), "reset", ErrorKind.RESET),
        ((OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",), "close", ErrorKind.BODY_CUT),
        ((OK + b"Transfer-Encoding: chunked\r\n\r\n", b"zz\r\nhello\r\n0\r\n\r\n"), "stay", ErrorKind.BAD_CHUNK),
        ((OK + b"Transfer-Encoding: chunked\r\n\r\nzz\r\nhello\r\n0\r\n\r\n",), "stay", ErrorKind.BAD_CHUNK),
        ((b"SSH-2.0-OpenSSH_9.2\r\n",), "stay", ErrorKind.PROTOCOL),
        ((b"\x16\x03\x01\x02\x00garbage\r\n\r\n",), "stay", ErrorKind.PROTOCOL),
        ((OK + b"Content-Length: five\r\n\r\nhello",), "stay", ErrorKind.PROTOCOL),
    ],
)
def test_a_broken_answer_is_a_failure_of_its_kind(
    name: str, pieces: tuple[bytes, ...], then: str, kind: ErrorKind
) -> None:
    (answer,) = talk(name, says(*pieces, then=then))
    assert answer.error is kind, answer
    assert answer.detail
    assert answer.sent_ns <= answer.done_ns


@pytest.mark.parametrize("name", TRANSPORTS)
@pytest.mark.parametrize(
    "pieces",
    [
        (OK + b"Content-Length: 11\r\n\r\nhello world",),
        (OK + b"Content-Length: 999999999999\r\n\r\n", b"hello"),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n", b"6\r\nhello \r\n", b"5\r\nworld\r\n", b"0\r\n\r\n"),
        (OK + b"Connection: close\r\n\r\nhello", b" world"),
    ],
)
def test_a_body_beyond_the_limit_is_a_failure_of_its_own(name: str, pieces: tuple[bytes, ...]) -> None:
    (answer,) = talk(name, says(*pieces, then="stay"), limit=10)
    assert answer.error is ErrorKind.BODY_TOO_LARGE
    assert "--max-body-bytes" in answer.detail


@pytest.mark.parametrize("name", TRANSPORTS)
def test_a_body_at_the_limit_is_taken(name: str) -> None:
    (answer,) = talk(name, says(OK + b"Content-Length: 10\r\n\r\n", b"0123456789"), limit=10)
    assert (answer.error, bytes(answer.body)) == (ErrorKind.NONE, b"0123456789")


@pytest.mark.parametrize("name", TRANSPORTS)
def test_a_refused_connection_is_a_failure_to_connect(name: str) -> None:
    async def main() -> Answer:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
        transport = make_transport(name, resolve(TargetOptions(base_url=f"http://127.0.0.1:{port}")))
        assert await transport.open(3) == 0
        answer = await ask(transport)
        await transport.close()
        return answer

    answer = uvloop.run(main())
    assert answer.error is ErrorKind.CONNECT
    assert answer.first_byte_ns == 0


@pytest.mark.parametrize("name", TRANSPORTS)
def test_rubbish_behind_a_whole_answer_voids_that_answer_and_spoils_no_other(name: str) -> None:
    async def ask_twice(transport: Transport) -> list[Answer]:
        return [await ask(transport), await ask(transport)]

    for answer in talk(name, says(WHOLE + b"\0rubbish", then="stay"), ask_twice):
        assert answer.error is ErrorKind.BODY_OVERRUN


class Connections:
    """Counts the connections of a server that answers `each` times on one and then closes it."""

    def __init__(self, each: int, *, silently: bool = False) -> None:
        self.each, self.silently, self.count, self.requests = each, silently, 0, 0

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.count += 1
        try:
            for _ in range(self.each):
                await read_request(reader)
                self.requests += 1
                writer.write(WHOLE)
            if self.silently:  # close as the next request comes in: the client cannot have known
                await read_request(reader)
        except asyncio.IncompleteReadError:
            pass
        writer.close()


@pytest.mark.parametrize("name", TRANSPORTS)
def test_connections_are_opened_ahead_and_kept(name: str) -> None:
    server = Connections(100)

    async def open_and_ask(transport: Transport) -> list[Answer]:
        assert await transport.open(40) == 40
        answers = [await ask(transport) for _ in range(50)]
        while server.count < 40:  # the listen queue is taken in the server's own time
            await asyncio.sleep(0.01)
        return answers

    answers = talk(name, server, open_and_ask)
    assert server.count == 40
    assert all(answer.status == 200 for answer in answers)


@pytest.mark.parametrize("name", TRANSPORTS)
def test_a_kept_connection_that_the_server_closed_is_not_used_again(name: str) -> None:
    server = Connections(1)

    async def ask_slowly(transport: Transport) -> list[Answer]:
        answers = []
        for _ in range(3):
            answers.append(await ask(transport))
            await asyncio.sleep(0.05)
        return answers

    answers = talk(name, server, ask_slowly)
    assert [answer.flags for answer in answers] == [0, 0, 0]
    assert server.count == 3


@pytest.mark.parametrize("name", TRANSPORTS)
def test_a_request_that_meets_the_closing_of_a_kept_connection_is_sent_once_more_and_marked(name: str) -> None:
    server = Connections(1, silently=True)

    async def ask_twice(transport: Transport) -> list[Answer]:
        return [await ask(transport), await ask(transport)]

    first, second = talk(name, server, ask_twice)
    assert (first.status, first.flags) == (200, 0)
    assert (second.status, second.flags) == (200, RETRIED)


@pytest.mark.parametrize("name", TRANSPORTS)
def test_a_request_is_not_sent_again_on_a_connection_of_its_own_nor_after_a_byte_of_an_answer(name: str) -> None:
    asked = 0

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal asked
        await read_request(reader)
        asked += 1
        writer.close()

    (answer,) = talk(name, behave)
    assert answer.error in BROKEN
    assert asked == 1


@pytest.mark.parametrize("name", TRANSPORTS)
def test_what_is_given_up_is_never_answered_and_its_connection_is_closed(name: str) -> None:
    closed = asyncio.Event

    async def main() -> bool:
        gone = closed()

        async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await read_request(reader)
            assert await reader.read() == b""
            gone.set()
            writer.close()

        server = await asyncio.start_server(behave, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        transport = make_transport(name, resolve(TargetOptions(base_url=f"http://127.0.0.1:{port}")))
        answers: list[Answer] = []
        exchange = transport.send(REQUEST, answers.append)
        await asyncio.sleep(0.1)
        exchange.abandon()
        await asyncio.wait_for(gone.wait(), 20)
        await asyncio.sleep(0.05)
        await transport.close()
        server.close()
        return answers == []

    assert uvloop.run(main())


@pytest.mark.parametrize("name", TRANSPORTS)
def test_the_request_on_the_wire_is_what_was_encoded(name: str) -> None:
    seen: list[bytes] = []

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(await read_request(reader))
        writer.write(WHOLE)

    async def main() -> None:
        server = await asyncio.start_server(behave, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        options = TargetOptions(base_url=f"http://127.0.0.1:{port}/prefix", api_key="k", headers={"X-Team": "video"})
        transport = make_transport(name, resolve(options))
        await ask(transport)
        await transport.close()
        server.close()

    uvloop.run(main())
    head, _, body = seen[0].partition(b"\r\n\r\n")
    lines = [line.lower() for line in head.split(b"\r\n")]
    assert lines[0] == b"post /prefix/v1/x http/1.1"
    assert {b"authorization: bearer k", b"x-team: video", b"content-type: application/json"} <= set(lines)
    assert not any(line.startswith(b"accept-encoding") for line in lines)
    assert body == REQUEST.body


@pytest.mark.parametrize("name", TRANSPORTS)
def test_a_request_that_the_server_may_have_worked_on_is_not_sent_again(name: str) -> None:
    requests = 0

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal requests
        await read_request(reader)
        writer.write(WHOLE)
        await read_request(reader)
        requests += 1
        await asyncio.sleep(0.2)
        writer.close()

    async def ask_twice(transport: Transport) -> list[Answer]:
        return [await ask(transport), await ask(transport)]

    _, second = talk(name, behave, ask_twice)
    assert second.error in BROKEN
    assert (second.flags, requests) == (0, 1)


@pytest.mark.parametrize("opened", [0, 1])
def test_natively_nothing_is_sent_and_no_connection_is_opened_before_its_time(opened: int) -> None:
    due_ns: list[int] = []

    async def punctual(transport: Transport) -> list[Answer]:
        await transport.open(opened)
        answered = asyncio.get_running_loop().create_future()
        due_ns.append(now_ns() + 2_000_000)
        transport.send(REQUEST, answered.set_result, due_ns[0])
        return [await asyncio.wait_for(answered, 20)]

    (answer,) = talk("native", says(WHOLE), punctual)
    assert answer.sent_ns >= due_ns[0]
