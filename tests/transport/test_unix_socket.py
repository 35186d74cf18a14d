"""Requests over a Unix socket, with a client certificate, and with headers of the user's own, by both transports."""

import asyncio
import re
import ssl
from dataclasses import replace
from pathlib import Path

import pytest
import trustme
import uvloop

from collector.records.record import ErrorKind
from loadgen.bodies.request import Request
from loadgen.errors import UsageError
from loadgen.options import TargetOptions
from loadgen.server.health_check import wait_for_server
from loadgen.server.target import resolve
from loadgen.transport import NAMES, make_transport
from loadgen.transport.interface import Answer
from tests.transport.test_transport import WHOLE, ask

GET = Request("GET", "/v1/x", "", b"")


class Served:
    """A server that keeps what it was sent."""

    def __init__(self) -> None:
        self.requests: list[bytes] = []

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = re.search(rb"content-length: (\d+)", head.lower())
                self.requests.append(head + await reader.readexactly(int(length[1]) if length else 0))
                writer.write(WHOLE)
        except (asyncio.IncompleteReadError, ConnectionError, ssl.SSLError):
            writer.close()


async def asked(name: str, options: TargetOptions, request: Request) -> Answer:
    await asyncio.to_thread(wait_for_server, resolve(options), 5)
    transport = make_transport(name, resolve(options))
    await transport.open(1)
    answer = await ask(transport, request)
    await transport.close()
    return answer


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("by_url", [True, False])
def test_a_request_goes_over_a_unix_socket(name: str, by_url: bool, tmp_path: Path) -> None:
    path, served = str(tmp_path / "s.sock"), Served()
    options = TargetOptions(base_url=f"unix:{path}") if by_url else TargetOptions(unix_socket=path)

    async def main() -> Answer:
        async with await asyncio.start_unix_server(served.answer, path):
            return await asked(name, options, Request("POST", "/v1/x", "application/json", b"{}"))

    answer = uvloop.run(main())
    assert (answer.error, answer.status, bytes(answer.body)) == (ErrorKind.NONE, 200, b"hello")
    assert served.requests[-1].startswith(b"POST /v1/x HTTP/1.1\r\n")


@pytest.mark.parametrize("name", NAMES)
def test_a_socket_that_is_not_there_is_a_failure_to_connect(name: str, tmp_path: Path) -> None:
    async def main() -> Answer:
        transport = make_transport(name, resolve(TargetOptions(unix_socket=str(tmp_path / "none.sock"))))
        answer = await ask(transport)
        await transport.close()
        return answer

    assert uvloop.run(main()).error == ErrorKind.CONNECT


@pytest.mark.parametrize("name", NAMES)
def test_headers_of_the_users_own_are_sent_once(name: str) -> None:
    served = Served()
    headers = {"host": "other.example", "content-type": "application/x-mine", "accept": "image/png"}

    async def main() -> Answer:
        async with await asyncio.start_server(served.answer, "127.0.0.1", 0) as server:
            url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
            options = TargetOptions(base_url=url, headers=headers, backend="openai", api_key="k")
            return await asked(name, options, Request("POST", "/v1/x", "application/json", b"{}"))

    assert uvloop.run(main()).status == 200
    lines = served.requests[-1].lower().split(b"\r\n")
    for key, value in headers.items():
        assert [line for line in lines if line.startswith(f"{key}:".encode())] == [f"{key}: {value}".encode()]
    assert sum(line.startswith(b"authorization:") for line in lines) == 1


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("shown", [True, False])
def test_a_server_that_wants_a_certificate_is_shown_it(name: str, shown: bool, tmp_path: Path) -> None:
    authority, served = trustme.CA(), Served()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.configure_trust(context)
    context.verify_mode = ssl.CERT_REQUIRED
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    ours = authority.issue_cert("client")
    ours.private_key_and_cert_chain_pem.write_to_path(str(tmp_path / "both.pem"))

    async def main() -> Answer:
        async with await asyncio.start_server(served.answer, "127.0.0.1", 0, ssl=context) as server:
            url = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"
            options = TargetOptions(base_url=url, ca_file=str(tmp_path / "ca.pem"))
            if shown:
                return await asked(name, replace(options, cert_file=str(tmp_path / "both.pem")), GET)
            transport = make_transport(name, resolve(options))
            answer = await ask(transport, GET)
            await transport.close()
            return answer

    answer = uvloop.run(main())
    assert (answer.status == 200) is shown
    assert bool(answer.error) is not shown


@pytest.mark.parametrize("content", [None, "no PEM"])
def test_a_certificate_that_is_none_is_one_line(content: str | None, tmp_path: Path) -> None:
    path = tmp_path / "cert.pem"
    if content is not None:
        path.write_text(content)
    with pytest.raises(UsageError, match=r"--cert .*cert\.pem: .*name PEM files"):
        uvloop.run(_make(TargetOptions(base_url="https://127.0.0.1:1", cert_file=str(path))))


async def _make(options: TargetOptions) -> None:
    make_transport("native", resolve(options))
