"""Answers about jobs: a create, a poll, and the requests that follow from the id that a server chose."""

from collections.abc import Callable
from typing import Any, Final

import orjson
from hypothesis import strategies as st

from loadgen.backends import State, videos
from loadgen.bodies.server_figures import HEADERS, with_headers
from scripts.fuzzing.odd_values import damaged_bytes, mutated_json
from scripts.fuzzing.target import Target

_JOBS: Final = (
    {"id": "video_1", "object": "video", "status": "queued", "progress": 0},
    {"id": "video_1", "status": "in_progress", "progress": 50},
    {"id": "video_1", "status": "completed", "stage_durations": {"vae": 0.5}, "peak_memory_mb": 10.0},
    {"id": "video_1", "status": "completed", "metrics": {"peak_memory_mb": 10}},
    {"id": "video_1", "status": "failed", "error": {"message": "out of memory"}},
    {"id": "../../admin?x=y#z", "status": "queued"},
)
_bodies = mutated_json(_JOBS) | st.sampled_from([orjson.dumps(job) for job in _JOBS]).flatmap(damaged_bytes)
_headers = st.none() | st.sampled_from(("1.5", "nan", "-1", "1e999", "", "x", "\u0661")) | st.text(max_size=5)


@st.composite
def _case(draw: Callable[..., Any]) -> tuple[bytes, str | None, str | None]:
    return draw(_bodies), draw(st.sampled_from((None, "video_1", "x"))), draw(_headers)


def check(case: tuple[bytes, str | None, str | None]) -> str:
    """Read a job; where it has an id, every path it comes to stays below /v1/videos and is plain ASCII."""
    body, expected, header = case
    job = videos.read_job(body, expected)
    assert expected is None or job.id == expected
    with_headers(job.parsed, dict.fromkeys(HEADERS, header or ""))
    if job.id:
        for request in (videos.poll(job.id), videos.content(job.id), videos.delete(job.id)):
            rest = request.path.removeprefix("/v1/videos/").removesuffix("/content")
            assert request.path.isascii(), request.path
            assert not set(rest) & set("/?# \r\n"), request.path
            assert rest not in ("", ".", ".."), request.path
    else:
        assert job.state is State.FAILED
    return job.state.value


JOBS: Final = Target("job answers", 23, _case(), check)
