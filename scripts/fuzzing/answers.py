"""Fuzzing of answer bodies: every backend, up to the record and the note that are sent."""

import base64
import binascii
from collections.abc import Callable
from typing import Any, Final

import numpy as np
import orjson
from hypothesis import strategies as st

from collector.records.record import RECORD, ErrorKind
from collector.summary.run_info import RunNotes
from loadgen.backends import BACKENDS, Backend
from loadgen.datasets.input_images import synthetic_png
from loadgen.engine.answer_handler import AnswerHandler, ExpectedMedia
from loadgen.engine.record_sender import RecordSender
from loadgen.media.verification import HeaderVerifier
from loadgen.transport.interface import Answer
from scripts.fuzzing.odd_values import damaged_bytes, mutated_json
from scripts.fuzzing.target import Target

_PICTURE: Final = base64.b64encode(synthetic_png(8, 8, 0)).decode()
_FIGURES: Final = {"stage_durations": {"vae": 0.5, "dit": 2}, "peak_memory_mb": 1234.5}
_MOVIE: Final = b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom\0\0\0\x08free"


def _chat(*content: Any, **more: Any) -> dict[str, Any]:
    return {"id": "x", "choices": [{"message": {"role": "assistant", "content": list(content)}}], **more}


def _part(kind: str, text: str, **more: Any) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": f"data:{kind};base64,{text}"}, **more}


_CHATS: Final = (
    _chat(_part("image/png", _PICTURE, **_FIGURES)),
    _chat(_part("video/mp4", base64.b64encode(_MOVIE).decode()), metrics=_FIGURES),
    _chat(_part("image/png", _PICTURE * 400), {"type": "text", "text": "x"}, peak_memory_mb=1),
    {"choices": [{"message": {"content": "no picture, sorry"}}]},
    {"error": {"message": "out of memory", "type": "server_error", "code": 500}},
)
_IMAGES: Final = (
    {"created": 1, "data": [{"b64_json": _PICTURE}, {"b64_json": _PICTURE}], "usage": {"peak_memory_mb": 5}},
    {"data": [{"b64_json": _PICTURE * 400}], "metrics": _FIGURES},
    {"data": [{"url": "http://x/y.png"}]},
    {"error": "no"},
)


class _Sink:
    """Stands for the socket to the collector and for the loop: keeps what it is given, and has no time."""

    def __init__(self) -> None:
        self.sent: list[bytes] = []

    def send(self, message: bytes, _flags: int = 0) -> None:
        self.sent.append(message)

    def call_later(self, _delay: float, _callback: Callable[[], None]) -> None:
        pass


def _body(backend: Backend) -> "st.SearchStrategy[bytes]":
    if not backend.path.startswith("/v1/videos"):
        originals = _CHATS if backend.name == "vllm-omni" else _IMAGES
        whole = st.sampled_from([orjson.dumps(each) for each in originals])
        return mutated_json(originals) | mutated_json(originals) | whole.flatmap(damaged_bytes)
    return damaged_bytes(_MOVIE)


@st.composite
def _case(draw: Callable[..., Any]) -> tuple[Backend, str, int, Answer]:
    backend = draw(st.sampled_from(list(BACKENDS.values())))
    task, n = draw(st.sampled_from(backend.tasks)), draw(st.sampled_from((1, 1, 2))) if backend.takes_n else 1
    body, status = draw(_body(backend)), draw(st.sampled_from((200, 200, 200, 200, 500, 999)))
    shape = draw(st.sampled_from((bytes, memoryview, lambda content: memoryview(bytearray(content)))))
    return backend, task, n, Answer(10, 20, 30, status, shape(body))


def check(case: tuple[Backend, str, int, Answer]) -> str:
    """Take an answer in: it makes one record, whose error is never a fault of ours; media of a success decode."""
    backend, task, n, answer = case
    sink = _Sink()
    record_sender = RecordSender(sink, sink, 0)  # type: ignore[arg-type]
    asked = ExpectedMedia(task, n, lambda _index: (8, 8) if len(answer.body) % 2 else (0, 0))
    AnswerHandler(backend, asked, record_sender, None, HeaderVerifier(task)).take(7, 5, answer)
    record_sender.flush()
    *notes, rows = sink.sent
    (record,) = np.frombuffer(rows, RECORD, offset=1)
    assert record["error"] != ErrorKind.CLIENT, notes
    assert (record["index"], record["received_bytes"]) == (7, len(answer.body))
    taken = RunNotes()
    for _, note in orjson.loads(notes[0][1:]) if notes else ():
        taken.take(note)
    if record["error"]:
        return ErrorKind(int(record["error"])).name.lower()
    _decode(backend, bytes(answer.body))
    return "ok"


def _decode(backend: Backend, body: bytes) -> None:
    """Decode what was taken for a success; that it is no base64 after all is found here, and counted as unsaved."""
    try:
        list(backend.media(body))
    except (binascii.Error, ValueError):
        return


ANSWERS: Final = Target("answers", 46, _case(), check)
