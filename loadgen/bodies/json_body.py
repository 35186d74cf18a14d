"""Parses JSON answer bodies, and the error objects in them."""

from typing import Any, Final

import orjson

from collector.records.record import ErrorKind
from loadgen.bodies.base64_elision import DATA_URL, Marker, elide_base64
from loadgen.bodies.parsed_answer import ParsedAnswer

DETAIL_CHARS: Final = 200
MESSAGE_CHARS: Final = 1000  # of the server's own message
_LARGE: Final = 1 << 16  # bytes; shorter bodies are parsed whole


def success_object(body: bytes | bytearray | memoryview, marker: Marker = DATA_URL) -> dict[str, Any] | ParsedAnswer:
    """Parse a JSON object; a failed ParsedAnswer if it is not one, or has an `error`."""
    answer = json_object(body, marker)
    if isinstance(answer, dict) and (error := answer.get("error")):
        return ParsedAnswer(ErrorKind.SERVER_ERROR, error_text(error))
    return answer


def json_object(body: bytes | bytearray | memoryview, marker: Marker = DATA_URL) -> dict[str, Any] | ParsedAnswer:
    """Parse a JSON object, with long base64 texts behind `marker` shortened; a failed ParsedAnswer if it is not one."""
    try:
        answer = _parse(body, marker)
    except orjson.JSONDecodeError as fault:
        return ParsedAnswer(ErrorKind.INVALID_BODY, short(f"not JSON: {fault}"))
    return answer if isinstance(answer, dict) else ParsedAnswer(ErrorKind.INVALID_BODY, "not a JSON object")


def _parse(body: bytes | bytearray | memoryview, marker: Marker) -> object:
    if len(body) < _LARGE:
        return orjson.loads(body)
    try:
        return orjson.loads(elide_base64(body, marker))
    except orjson.JSONDecodeError:
        return orjson.loads(body)  # a marker occurred elsewhere, or the body is invalid


def error_text(error: object) -> str:
    """Return the `message` of an OpenAI API error, or the whole error as JSON."""
    message = error.get("message") if isinstance(error, dict) else error
    return short(message if isinstance(message, str) and message else orjson.dumps(error).decode(), MESSAGE_CHARS)


def short(text: str, chars: int = DETAIL_CHARS) -> str:
    """Return the text as one line of at most `chars` characters."""
    return " ".join(text[: 4 * chars].split())[:chars]
