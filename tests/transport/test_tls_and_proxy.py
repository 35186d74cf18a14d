"""TLS by both transports, and a proxy by the one that knows it."""

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest
import trustme
import uvloop

from collector.records.record import ErrorKind
from loadgen.errors import UnreachableError, UsageError
from loadgen.options import TargetOptions
from loadgen.server.health_check import wait_for_server
from loadgen.server.target import resolve
from loadgen.transport import NAMES, choose, make_transport
from loadgen.transport.interface import Answer
from tests.transport.test_transport import WHOLE, ask, read_request

Conversation = Callable[[str], Awaitable[list[Answer]]]


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


async def answer_all(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while True:
            await read_request(reader)
            writer.write(WHOLE)
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()


def over_tls(authority: trustme.CA, conversation: Conversation, name: str = "127.0.0.1") -> list[Answer]:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert(name).configure_cert(context)

    async def main() -> list[Answer]:
        server = await asyncio.start_server(answer_all, "127.0.0.1", 0, ssl=context)
        answers = await conversation(f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}")
        server.close()
        return answers

    return uvloop.run(main())


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("trust", ["ca_file", "insecure"])
def test_an_answer_comes_over_tls_that_is_trusted(name: str, trust: str, authority: trustme.CA, tmp_path: Path) -> None:
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))

    async def talk(url: str) -> list[Answer]:
        trusted = {"ca_file": str(tmp_path / "ca.pem")} if trust == "ca_file" else {"insecure": True}
        transport = make_transport(name, resolve(replace(TargetOptions(base_url=url), **trusted)))
        assert await transport.open(2) == 2
        answers = [await ask(transport), await ask(transport)]
        await transport.close()
        return answers

    answers = over_tls(authority, talk)
    assert [(answer.error, answer.status, bytes(answer.body)) for answer in answers] == [(0, 200, b"hello")] * 2


@pytest.mark.parametrize("name", NAMES)
def test_a_certificate_that_is_not_trusted_is_a_failure_of_tls(name: str, authority: trustme.CA) -> None:
    async def talk(url: str) -> list[Answer]:
        transport = make_transport(name, resolve(TargetOptions(base_url=url)))
        answers = [await ask(transport)]
        await transport.close()
        return answers

    (answer,) = over_tls(authority, talk)
    assert answer.error is ErrorKind.TLS


@pytest.mark.parametrize("content", [None, "no certificate"])
def test_a_ca_file_that_is_none_is_bad_usage(content: str | None, tmp_path: Path) -> None:
    path = tmp_path / "ca.pem"
    if content:
        path.write_text(content)
    with pytest.raises(UsageError, match="--ca-file"):
        wait_for_server(resolve(TargetOptions(base_url="https://127.0.0.1:1", ca_file=str(path))), 0)


def test_a_request_goes_through_the_proxy_and_shows_it_its_password() -> None:
    seen: list[bytes] = []

    async def proxy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        seen.append(head)
        writer.write(WHOLE)
        await writer.drain()
        writer.close()

    async def main() -> Answer:
        server = await asyncio.start_server(proxy, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        options = TargetOptions(base_url="http://nowhere.invalid:81", proxy=f"http://me:pw@127.0.0.1:{port}")
        target = resolve(options)
        await asyncio.to_thread(wait_for_server, target, 0)
        transport = make_transport(choose("auto", options), target)
        assert transport.name == "aiohttp"
        answer = await ask(transport)
        await transport.close()
        server.close()
        return answer

    answer = uvloop.run(main())
    assert answer.status == 200
    assert seen[0].startswith(b"GET http://nowhere.invalid:81/health ")
    assert seen[1].startswith(b"POST http://nowhere.invalid:81/v1/x ")
    assert all(b"Proxy-Authorization: Basic bWU6cHc=" in head for head in seen)


def test_a_server_behind_tls_that_is_not_trusted_is_unreachable_and_says_why(authority: trustme.CA) -> None:
    async def look(url: str) -> list[Answer]:
        with pytest.raises(UnreachableError, match="certificate"):
            await asyncio.to_thread(wait_for_server, resolve(TargetOptions(base_url=url)), 0)
        return []

    assert over_tls(authority, look) == []
