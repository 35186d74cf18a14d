"""Bodies of answers: what every dialect that answers in JSON has in common."""

from typing import Any, Final

import orjson

from collector.records.record import ErrorKind
from loadgen.bodies.base64_elision import DATA_URL, Mark, without_media
from loadgen.bodies.parsed_answer import ParsedAnswer

DETAIL_CHARS: Final = 200
_LARGE: Final = 1 << 16  # bytes from which on a body is worth cutting


def success_object(body: bytes | bytearray | memoryview, mark: Mark = DATA_URL) -> dict[str, Any] | ParsedAnswer:
    """Return the object that a body holds; a failed Reply where it is none, or has an `error`."""
    answer = json_object(body, mark)
    if isinstance(answer, dict) and (error := answer.get("error")):
        return ParsedAnswer(ErrorKind.SERVER_ERROR, error_text(error))
    return answer


def json_object(body: bytes | bytearray | memoryview, mark: Mark = DATA_URL) -> dict[str, Any] | ParsedAnswer:
    """Return the object that a body holds, long base64 texts behind `mark` cut; a failed Reply where it is none."""
    try:
        answer = _parse(body, mark)
    except orjson.JSONDecodeError as fault:
        return ParsedAnswer(ErrorKind.INVALID_BODY, short(f"not JSON: {fault}"))
    return answer if isinstance(answer, dict) else ParsedAnswer(ErrorKind.INVALID_BODY, "not a JSON object")


def _parse(body: bytes | bytearray | memoryview, mark: Mark) -> object:
    if len(body) < _LARGE:
        return orjson.loads(body)
    try:
        return orjson.loads(without_media(body, mark))
    except orjson.JSONDecodeError:
        return orjson.loads(body)  # something looked like media and was not, or the body really is broken


def error_text(error: object) -> str:
    """Return the message of an `error` as the OpenAI API writes it, or all of it."""
    message = error.get("message") if isinstance(error, dict) else error
    return short(message if isinstance(message, str) and message else orjson.dumps(error).decode())


def short(text: str) -> str:
    """One line of at most 200 characters."""
    return " ".join(text[: 4 * DETAIL_CHARS].split())[:DETAIL_CHARS]
