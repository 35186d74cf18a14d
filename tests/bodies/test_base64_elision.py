import base64
import json

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.records.record import ErrorKind
from loadgen.backends import chat_completions
from loadgen.bodies.base64_elision import elide_base64


def body(*urls: str, text: str = "") -> bytes:
    items = [{"type": "image_url", "image_url": {"url": url}} for url in urls]
    message = {"content": items, "text": text}
    return json.dumps({"choices": [{"message": message}], "peak_memory_mb": 7}).encode()


BIG = "data:image/png;base64," + base64.b64encode(bytes(range(256)) * 1000).decode()


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview, lambda data: memoryview(bytearray(data))])
def test_a_large_body_is_cut_and_reads_as_before(kind: type) -> None:
    whole = body(BIG, BIG)
    cut = elide_base64(kind(whole))
    assert len(cut) < 1000 < len(whole)
    answer = orjson.loads(cut)
    urls = [item["image_url"]["url"] for item in answer["choices"][0]["message"]["content"]]
    assert all(BIG.startswith(url.partition("#")[0]) and len(url) > 80 for url in urls)
    reply = chat_completions.read(kind(whole), "t2i")
    assert (reply.error, reply.peak_memory_mb) == (ErrorKind.NONE, 7)
    assert list(chat_completions.media(whole)) == [bytes(range(256)) * 1000] * 2
    assert [medium[:] for medium in reply.media] == list(chat_completions.media(whole))


@pytest.mark.parametrize(
    "text", [";base64," + 'x" quoted ' * 50, ";base64,", ';base64,"', ";base64," + "\\" * 200, "no media"]
)
def test_a_text_that_only_looks_like_media_spoils_nothing(text: str) -> None:
    assert chat_completions.read(body(BIG, text=text), "t2i").error is ErrorKind.NONE


def test_a_large_body_that_is_no_json_is_still_none() -> None:
    assert chat_completions.read(body(BIG)[:-20], "t2i").error is ErrorKind.INVALID_BODY


@given(st.text(max_size=400), st.integers(0, 200))
def test_a_body_that_parses_still_parses_or_is_read_whole(text: str, padding: int) -> None:
    whole = body(BIG, text=text + ";base64," + "A" * padding + text)
    assert chat_completions.read(whole, "t2i").error is ErrorKind.NONE
