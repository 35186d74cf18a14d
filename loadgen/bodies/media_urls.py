"""Answers that hold URLs of media instead of base64: `data[*].url`, as OpenAI's API defines it."""

import base64
from collections.abc import Mapping, Sequence
from typing import Final

import orjson

from loadgen.bodies.json_body import json_object

_DATA: Final = "data:"


def urls(body: bytes | bytearray | memoryview) -> tuple[str, ...]:
    """The URLs of the media that are not in the body itself; none if the body has another form."""
    answer = json_object(body)
    items = answer.get("data") if isinstance(answer, dict) else None
    if not isinstance(items, list):
        return ()
    return tuple(url for item in items if (url := _url(item)))


def with_media(body: bytes | bytearray | memoryview, media: Sequence[bytes]) -> bytes:
    """The same answer with the fetched `media`, one for each of its `urls`, in `b64_json`."""
    answer = orjson.loads(body)
    rest = iter(media)
    answer["data"] = [
        {**item, "b64_json": orjson.Fragment(b'"%s"' % base64.b64encode(next(rest)))} if _url(item) else item
        for item in answer["data"]
    ]
    return orjson.dumps(answer)


def data_url(item: Mapping[str, object]) -> str | None:
    """The `url` of an item if it is a data URL, which holds the medium."""
    url = item.get("url")
    return url if isinstance(url, str) and url[: len(_DATA)].lower() == _DATA else None


def _url(item: object) -> str | None:
    """The URL that has to be fetched for an item, None if there is none."""
    if not isinstance(item, dict) or item.get("b64_json") or data_url(item):
        return None
    url = item.get("url")
    return url if isinstance(url, str) and url else None
