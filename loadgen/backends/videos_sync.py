"""The backend `v1/videos/sync`: POST /v1/videos/sync, the form of `v1/videos`, answered with the video itself."""

from collections.abc import Iterable
from typing import Final

from loadgen.backends import videos
from loadgen.bodies import server_figures
from loadgen.bodies.parsed_answer import ParsedAnswer
from loadgen.bodies.request import Request
from loadgen.datasets.sample import Sample

name: Final = "v1/videos/sync"
path: Final = "/v1/videos/sync"
tasks: Final = videos.tasks
needs_authorization: Final = False
takes_n: Final = True
headers: Final = server_figures.HEADERS
requested_size = videos.requested_size


def encode(sample: Sample, model: str, task: str) -> Request:
    """Encode the form; raises as `videos.encode` does."""
    return videos.encode(sample, model, task)._replace(path=path)


def read(body: bytes | bytearray | memoryview, task: str, n: int = 1) -> ParsedAnswer:
    """Parse a 200 body: a success is a video."""
    return videos.read_content(body)


def media(body: bytes) -> Iterable[bytes]:
    """Return the video."""
    return (body,)
