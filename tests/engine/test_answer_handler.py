import math

import pytest

from collector.records.record import ErrorKind, Outcome
from loadgen.backends import chat_completions
from loadgen.bodies.parsed_answer import ParsedAnswer
from loadgen.engine.answer_handler import AnswerHandler, ExpectedMedia
from loadgen.transport.answer_headers import header, is_encoded
from loadgen.transport.interface import Answer


class Rows:
    """Keeps what a record sender would send."""

    def __init__(self) -> None:
        self.rows: list[dict[str, object]] = []

    def record(self, index: int, outcome: Outcome, _times: object, **row: object) -> None:
        self.rows.append({"index": index, "outcome": outcome, **row})

    def explain(self, _index: int, error: str, example: str) -> None:
        self.rows[-1]["said"] = f"{error}: {example}"

    def note(self, *_: object) -> None:
        """Not looked at here."""


@pytest.mark.parametrize(
    ("head", "coded"),
    [
        (b"", False),
        (b"HTTP/1.1 200 OK\r\nContent-Type: gzip\r\n", False),
        (b"HTTP/1.1 200 OK\r\nContent-Encoding: identity\r\n", False),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n", False),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n", True),
        (b"HTTP/1.1 200 OK\r\ncontent-ENCODING:br\r\n", True),
        (b"HTTP/1.1 200 OK\r\nX-Content-Encoding: br\r\n", False),
    ],
)
def test_a_head_tells_whether_the_body_is_encoded(head: bytes, coded: bool) -> None:
    assert is_encoded(head) is coded


def test_a_value_of_a_header_is_in_latin_letters_whatever_was_sent() -> None:
    assert header(b"HTTP/1.1 302 Found\r\nLocation: " + b"\xff" * 999 + b"\r\n", "Location") == "\xff" * 999
    assert header(b"HTTP/1.1 302 Found\r\n", "Location") == ""


def test_a_reader_that_fails_is_a_fault_of_ours_and_still_a_record() -> None:
    class Broken:
        def read(self, _body: object, _task: str, _n: int) -> ParsedAnswer:
            raise ZeroDivisionError("oh")

    rows = Rows()
    AnswerHandler(Broken(), ExpectedMedia("t2i"), rows).take(7, 1, Answer(1, 2, 3, 200, b"{}"))  # type: ignore[arg-type]
    (row,) = rows.rows
    assert (row["index"], row["outcome"], row["error"]) == (7, Outcome.ERROR, ErrorKind.CLIENT)
    assert "ZeroDivisionError" in str(row["said"])


@pytest.mark.parametrize("amount", ["1e300", "1e39", "-1", "true", '"9"', "1e999999"])
def test_an_odd_figure_of_the_servers_is_no_figure_and_costs_nothing(amount: str) -> None:
    content = b'[{"image_url":{"url":"data:image/png;base64,AAAA"}}]'
    body = b'{"choices":[{"message":{"content":' + content + b'}}],"peak_memory_mb":%s}'
    reply = chat_completions.read(body % amount.encode(), "t2i")
    assert reply.error in (ErrorKind.NONE, ErrorKind.INVALID_BODY)
    assert math.isnan(reply.peak_memory_mb)
