"""The backend `lightx2v-video`: tasks of LightX2V that make videos, created by POST /v1/tasks/video/."""

from typing import Final

from loadgen.backends import lightx2v
from loadgen.bodies import media_size
from loadgen.bodies.request import Request
from loadgen.datasets.sample import Sample

name: Final = "lightx2v-video"
path: Final = "/v1/tasks/video/"
tasks: Final = ("t2v", "i2v", "ti2v")
needs_authorization: Final = False
takes_n: Final = False
headers: Final[tuple[str, ...]] = ()
requested_size = media_size.from_sides
delete_stops_work: Final = lightx2v.delete_stops_work

read_job, poll, content, delete = lightx2v.read_job, lightx2v.poll, lightx2v.content, lightx2v.delete
read, media = lightx2v.read, lightx2v.media


def encode(sample: Sample, model: str, task: str) -> Request:
    """Encode the JSON body; see `lightx2v.encode`."""
    return lightx2v.encode(sample, task, path, {"num_frames": sample.num_frames}, ".mp4")
