"""Media that lie in a body as base64 and are decoded slice by slice."""

import base64
import json
import os

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadgen.backends import chat_completions, image_generations
from loadgen.bodies.base64_text import Base64Text
from loadgen.media.headers import Media, describe
from loadgen.media.mp4_atoms import Readable
from loadgen.simulator.engine.mp4 import mp4
from loadgen.simulator.engine.png import png


def medium_of(data: bytes, escape: bool = False, lines: bool = False) -> Readable:
    """What the reader of chat answers makes of a video."""
    text = (base64.encodebytes(data) if lines else base64.b64encode(data)).decode()
    url = {"image_url": {"url": "data:video/mp4;base64,@"}}
    body = json.dumps({"choices": [{"message": {"content": [url]}}]})
    inside = json.dumps(text)[1:-1].replace("/", "\\/" if escape else "/")
    (medium,) = chat_completions.read(body.replace("@", inside).encode(), "t2v").media
    return medium


@given(st.binary(min_size=1, max_size=60), st.integers(-70, 70), st.integers(-70, 70), st.booleans())
def test_any_slice_is_what_a_slice_of_the_bytes_would_be(data: bytes, start: int, stop: int, lines: bool) -> None:
    medium = medium_of(data, lines=lines)
    assert len(medium) == len(data)
    assert medium[start:stop] == data[start:stop]
    assert medium[:] == data


@pytest.mark.parametrize("size", [1_000, 200_000])  # whole, and cut out before parsing
@pytest.mark.parametrize("escape", [False, True])
@pytest.mark.parametrize("lines", [False, True])
def test_escapes_and_lines_in_a_text_shift_nothing(size: int, escape: bool, lines: bool) -> None:
    video = mp4(64, 32, 5)
    data = video + os.urandom(size) + b"end"
    medium = medium_of(data, escape, lines)
    assert describe(medium) == Media("video", "video/mp4", 64, 32, 5)
    assert len(medium) == len(data)
    assert medium[len(data) - 3 :] == b"end"


@pytest.mark.parametrize("text", ["!!!!", "A===", "ÄÄÄÄ", "AAA AAAA"])
def test_what_is_no_base64_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError):
        bytes(Base64Text(text, b"")[:3] + Base64Text(text, b"")[3:])


def test_a_place_that_a_server_made_up_reads_nothing_outside_the_body() -> None:
    buffer = bytearray(b"AAAA" * 100)
    assert Base64Text("AAAA#0-400", memoryview(buffer)[:8])[:] == bytes(6)
    assert len(Base64Text("AAAA#300-200", buffer)) == 0


def test_a_place_that_a_server_made_up_in_a_body_that_is_never_cut_is_no_base64() -> None:
    large = np.zeros(100, np.uint8).data  # what a body beyond 16 MiB lies in
    with pytest.raises(ValueError):
        Base64Text("AAAA#0-40", large)[:]


def test_pictures_of_a_json_list_are_read_by_place_too() -> None:
    pictures = [os.urandom(90_000), os.urandom(50), os.urandom(80_001)]
    data = [{"b64_json": base64.b64encode(each).decode()} for each in pictures]
    reply = image_generations.read(json.dumps({"data": data}).encode(), "t2i", 3)
    assert [medium[:] for medium in reply.media] == pictures


@pytest.mark.parametrize("size", [1_000, 200_000])  # whole, and cut out before parsing
@pytest.mark.parametrize("head", ["data:image/png;base64,", "DATA:;base64,", "data:image/png;name=x;base64,"])
@pytest.mark.parametrize("escape", [False, True])
def test_a_data_url_where_base64_was_expected_is_taken(size: int, head: str, escape: bool) -> None:
    data = png(64, 32, size)
    text = head + base64.b64encode(data).decode()
    body = json.dumps({"data": [{"b64_json": text}]}).replace("/", "\\/" if escape else "/").encode()
    (medium,) = image_generations.read(body, "t2i").media
    assert len(medium) == len(data)
    assert (medium[:24], medium[:]) == (data[:24], data)
    assert list(image_generations.media(body)) == [data]


@pytest.mark.parametrize("text", ["data:", "data:image/png;base64", "data:" + "x" * 300 + ",AAAA", "data:,"])
def test_a_data_url_without_data_is_empty(text: str) -> None:
    (medium,) = image_generations.read(json.dumps({"data": [{"b64_json": text}]}).encode(), "t2i").media
    assert (len(medium), medium[:]) == (0, b"")
