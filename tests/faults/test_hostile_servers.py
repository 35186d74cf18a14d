"""Servers that misbehave against a whole sender, over both transports: a kind of failure each, sane stamps, no hang.

Where `timeout` is expected, that is what --timeout makes of it; everything else has to end by itself.
"""

from collections.abc import Iterator
from typing import NamedTuple

import pytest
import uvloop

from loadgen.transport import NAMES
from tests.support import hostile
from tests.support.hostile import BODY, CHUNK, CHUNKED, OK, WHOLE, Behaviour, HostileServer, serving
from tests.support.rig import LATE_S, SOON_S, Rig, Wire, check_stamps, names, transport_to


class Case(NamedTuple):
    """What a server does to two requests, what they end as, and whether a byte of an answer came (None: may be)."""

    behaviour: Behaviour
    end: str
    begun: bool | None = True
    detail: str = ""


def in_pieces(answer: bytes) -> Iterator[bytes]:
    return (answer[place : place + 15] for place in range(0, len(answer), 15))


CASES = {
    # resets, at every stage
    "resets at once": Case(hostile.reset, "reset", False),
    "resets with the request half read": Case(hostile.resets_on_the_request, "reset", False),
    "resets after the request": Case(hostile.says_and_resets(), "reset", False),
    "resets in the head": Case(hostile.says_and_resets(OK + b"Content-"), "reset"),
    "resets in the body": Case(hostile.says_and_resets(WHOLE[:-5]), "reset"),
    "resets in a chunk": Case(hostile.says_and_resets(CHUNKED + CHUNK[:-5]), "reset"),
    "resets in a body that only the end would end": Case(hostile.says_and_resets(OK + b"\r\n" + BODY[:-5]), "reset"),
    # says too little
    "says nothing": Case(hostile.says_nothing, "timeout", False),
    "closes without an answer": Case(hostile.says(), "disconnected", False),
    "one byte at a time": Case(hostile.one_byte_at_a_time, "timeout"),
    "half a head, then nothing": Case(hostile.says_and_stays(OK + b"Content-Le"), "timeout"),
    "half a head, then the end": Case(hostile.says(OK + b"Content-Le"), "head_cut"),
    "half a body, then nothing": Case(hostile.says_and_stays(WHOLE[:-5]), "timeout"),
    "half a body, then the end": Case(hostile.says(WHOLE[:-5]), "body_cut"),
    "half a large body, then the end": Case(
        hostile.says(OK + b"Content-Length: 9000\r\n\r\n", b"x" * 8000), "body_cut"
    ),
    "no last chunk, then nothing": Case(hostile.says_and_stays(CHUNKED + CHUNK), "timeout"),
    "no last chunk, then the end": Case(hostile.says(CHUNKED + CHUNK), "body_cut"),
    # lengths and chunks that are wrong
    "a length that is too long": Case(hostile.says(OK + b"Content-Length: 99\r\n\r\n" + BODY), "body_cut"),
    "a length that is too short": Case(
        hostile.says_and_stays(OK + b"Content-Length: 5\r\n\r\n" + BODY), "body_overrun"
    ),
    "a length that is too short, of a body in pieces": Case(
        hostile.says_and_stays(OK + b"Content-Length: 9\r\n\r\n" + BODY[:5], BODY[5:]), "body_overrun"
    ),
    "a length of twenty digits": Case(
        hostile.says_and_stays(OK + b"Content-Length: 10000000000000000000\r\n\r\n", BODY), "body_too_large"
    ),
    "a length below nothing": Case(hostile.says_and_stays(OK + b"Content-Length: -5\r\n\r\n" + BODY), "protocol"),
    "a length in words": Case(hostile.says_and_stays(OK + b"Content-Length: five\r\n\r\n" + BODY), "protocol"),
    "two lengths": Case(
        hostile.says_and_stays(OK + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\n" + BODY), "protocol"
    ),
    "a length and chunks": Case(hostile.says_and_stays(OK + b"Content-Length: 5\r\n" + CHUNKED[17:]), "protocol"),
    "a chunk size that is none": Case(hostile.says_and_stays(CHUNKED + b"zz\r\n" + BODY), "bad_chunk"),
    "a chunk size that is none, later": Case(hostile.says_and_stays(CHUNKED, CHUNK, b"zz\r\n" + BODY), "bad_chunk"),
    "a chunk size below nothing": Case(hostile.says_and_stays(CHUNKED, b"-5\r\n" + BODY), "bad_chunk"),
    "a chunk size beyond 64 bits": Case(hostile.says_and_stays(CHUNKED, b"f" * 17 + b"\r\n" + BODY), "bad_chunk"),
    "a chunk that is longer than its size": Case(hostile.says_and_stays(CHUNKED, b"3\r\n" + BODY), "bad_chunk"),
    # too much
    "headers without end": Case(hostile.endless(OK, hostile.header), "head_too_large"),
    "one header without end": Case(hostile.endless(OK + b"X: ", lambda _: b"y" * 9999), "head_too_large"),
    "a status line without end": Case(hostile.endless(b"HTTP/1.1 200 ", lambda _: b"y" * 9999), "head_too_large"),
    "trailers without end": Case(hostile.endless(CHUNKED + CHUNK + b"0\r\n", hostile.header), "head_too_large"),
    "a body without end": Case(hostile.endless(OK + b"\r\n", lambda _: b"y" * 9999), "body_too_large"),
    "chunks without end": Case(hostile.endless(CHUNKED, lambda _: CHUNK * 99), "body_too_large"),
    "a length beyond the limit": Case(hostile.says_and_stays(OK + b"Content-Length: 100001\r\n\r\n"), "body_too_large"),
    # not what was asked for
    "gzip": Case(hostile.says_and_stays(hostile.compressed()), "compressed", detail="Content-Encoding: gzip"),
    "gzip in capitals, in pieces": Case(
        hostile.says_and_stays(*in_pieces(hostile.compressed(b"CONTENT-ENCODING: GZIP\r\n"))),
        "compressed",
    ),
    "gzip in chunks": Case(
        hostile.says_and_stays(CHUNKED[:-2] + b"content-encoding:gzip\r\n\r\n5\r\n\x1f\x8b\x08\0\0\r\n", b"0\r\n\r\n"),
        "compressed",
    ),
    "gzip until the end": Case(hostile.says(OK + b"Content-Encoding: x-gzip\r\n\r\n\x1f\x8b\x08"), "compressed"),
    "a redirect": Case(
        hostile.says_and_stays(hostile.turns_away(b"302 Found", b"Location: /elsewhere")),
        "http_302",
        detail="not followed; Location: /elsewhere",
    ),
    "a redirect for good": Case(
        hostile.says_and_stays(hostile.turns_away(b"308 Permanent", b"location: /elsewhere")), "http_308"
    ),
    "no picture": Case(hostile.says_and_stays(OK + b"Content-Length: 11\r\n\r\n" + b'{"data":[]}'), "no_media"),
    "an empty body": Case(hostile.says_and_stays(OK + b"Content-Length: 0\r\n\r\n"), "invalid_body"),
    # not HTTP
    "no head, as in HTTP/0.9": Case(hostile.says_and_stays(BODY), "protocol"),
    "a frame of HTTP/2": Case(hostile.says_and_stays(b"\0\0\x12\x04\0\0\0\0\0\0\x03\0\0\0\x80"), "protocol"),
    "garbage": Case(hostile.says_and_stays(bytes(range(256))), "protocol"),
    "another protocol": Case(hostile.says_and_stays(b"SSH-2.0-OpenSSH_9.2\r\n"), "protocol"),
    "a header that is none": Case(hostile.says_and_stays(OK + b"no colon\r\n\r\n"), "protocol"),
    # odd, but as it may be
    "HTTP/1.0": Case(hostile.says(b"HTTP/1.0 200 OK\r\n\r\n" + BODY), "ok"),
    "HTTP/1.0 with a length": Case(hostile.says_and_stays(WHOLE.replace(b"1.1", b"1.0")), "ok"),
    "hints and then the answer": Case(hostile.says_and_stays(b"HTTP/1.1 103 Early\r\n\r\n" + WHOLE), "ok"),
    "says it is compressed and is not": Case(
        hostile.says_and_stays(WHOLE.replace(b"OK\r\n", b"OK\r\nContent-Encoding: gzip\r\n")), "ok"
    ),
}


async def meet(server: HostileServer, name: str, case: Case) -> Wire:
    """Send two requests at once to the server, then one to a server that behaves, by the same transport."""
    transport = transport_to(server, name)
    try:
        wire = await Rig(transport, 2, SOON_S if case.end == "timeout" else LATE_S).run()
        server.behaviour = hostile.good
        after = await Rig(transport, 1, LATE_S).run()
    finally:
        await transport.close()
    assert names(after.records) == {"ok"}, after.notes
    return wire


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("what", CASES)
def test_a_misbehaving_server_gets_its_own_name_and_spoils_no_other_request(name: str, what: str) -> None:
    case = CASES[what]
    with serving(case.behaviour) as server:
        wire = uvloop.run(meet(server, name, case))
    assert names(wire.records) == {case.end}, wire.notes
    assert case.detail in wire.examples
    check_stamps(wire.records, 2, case.begun)
