"""Message framing of answers: Content-Length, chunked, or until the connection closes (RFC 9112, section 6)."""

from http import HTTPStatus
from typing import Final

from aiohttp import web

from loadgen.simulator.engine.answer import Payload

_CHUNK: Final = 1 << 16  # bytes


async def send(request: web.Request, payload: Payload, framing: str) -> web.StreamResponse:
    """Send an answer; `framing` is the value of `--framing`."""
    if framing == "chunked":
        return await _chunked(request, payload)
    if framing == "close":
        return _until_close(request, payload)
    return web.Response(
        body=payload.body, status=payload.status, content_type=payload.content_type, headers=payload.headers
    )


async def _chunked(request: web.Request, payload: Payload) -> web.StreamResponse:
    response = web.StreamResponse(
        status=payload.status, headers={**payload.headers, "Content-Type": payload.content_type}
    )
    response.enable_chunked_encoding()
    await response.prepare(request)
    body = memoryview(payload.body)
    for start in range(0, len(body), _CHUNK):
        await response.write(body[start : start + _CHUNK])
    await response.write_eof()
    return response


def _until_close(request: web.Request, payload: Payload) -> web.StreamResponse:
    """Bypass aiohttp, which would use chunks; the returned response is never sent, as the connection is closing."""
    status = HTTPStatus(payload.status)
    lines = {"Content-Type": payload.content_type, "Connection": "close", **payload.headers}
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    if (transport := request.transport) is not None:
        transport.write(f"HTTP/1.1 {status} {status.phrase}\r\n{head}\r\n".encode("latin-1") + payload.body)
        transport.close()
    return web.Response()
