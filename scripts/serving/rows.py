"""The rows of the table: which command is run against which server, and what has to come."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

RANDOM: Final = "--dataset random"
ODD: Final = "--width 1000 --height 1000"
FAILING: Final = """--random-request-config '[{"prompt": "FAILENGINE", "width": 64, "height": 64, "weight": 1}]'"""
SLOW: Final = FAILING.replace("FAILENGINE", "SLOW")
IMAGES: Final = ("v-image", "s-image")
EDITS: Final = ("v-edit", "s-edit")
VIDEOS: Final = ("v-video", "s-video")
EVERY: Final = (*IMAGES, *EDITS, *VIDEOS)
OK, REFUSED, FAILED = 0, 2, 4


@dataclass(frozen=True, slots=True)
class Row:
    """One command on each of `servers`: `loadgen bench --base-url URL{suffix} {flags} --num-prompts 5`.

    `code` is the exit code to come, `text` are patterns that the output must have, `figures` keys of the JSON with
    their values. With `real_only` it is left out where servers are simulated.
    """

    section: str
    servers: tuple[str, ...]
    flags: str = ""
    suffix: str = ""
    code: int = OK
    text: tuple[str, ...] = ()
    figures: Mapping[str, object] = field(default_factory=dict)
    drop_in: bool = False
    real_only: bool = False

    @property
    def expected(self) -> str:
        """What has to come, in a few words."""
        figures = [f"{key} {value}" for key, value in self.figures.items()]
        return "; ".join(("all ok" if self.code == OK else f"exit {self.code}", *self.text, *figures))


def _of(section: str, servers: tuple[str, ...], flags: str = "", *text: str, code: int = OK, **figures: object) -> Row:
    return Row(section, servers, flags, code=code, text=text, figures=figures)


_URLS: Final = ("/v1", "/v1/", "/", "/v1/images/generations", "?api-version=2024-10-21", "/v1?api-version=2024-10-21")
_RESIZED: Final = r"1000x1000 -> 992x992"

ROWS: Final = (
    # no flag at all, and the table of the first tries
    _of("defaults", EVERY),
    _of("defaults", ("v-image", "s-image", "v-video", "s-video"), RANDOM),
    _of("first tries", IMAGES, f"{RANDOM} --task t2i"),
    _of("first tries", IMAGES, f"{RANDOM} --task t2i --backend openai"),
    _of("first tries", IMAGES, f"{RANDOM} --task t2i --backend openai {ODD}", _RESIZED),
    _of("first tries", VIDEOS, f"{RANDOM} --task t2v --backend v1/videos"),
    Row("first tries", ("v-image", "s-image"), f"{RANDOM} --task t2i", drop_in=True),
    Row("first tries", ("v-video", "s-video"), f"{RANDOM} --task t2v", drop_in=True),
    # 1: what is chosen
    _of("1 chosen", IMAGES, f"{RANDOM} --task t2i", r"/v1/images/generations", r"Qwen/Qwen-Image"),
    _of("1 chosen", EDITS, f"{RANDOM} --task i2i", r"/v1/images/edits", r"Qwen/Qwen-Image-Edit"),
    _of("1 chosen", VIDEOS, f"{RANDOM} --task t2v", r"/v1/videos", r"Wan-AI/"),
    _of("1 chosen", ("v-image",), f"{RANDOM} --task t2i --backend vllm-omni", r"vllm-omni"),
    _of("1 chosen", IMAGES, f"{RANDOM} --task t2i --endpoint v1/images/generations"),
    _of(
        "1 missing path",
        ("s-image",),
        f"{RANDOM} --task t2i --backend vllm-omni",
        "404",
        "--backend|--endpoint",
        code=FAILED,
    ),
    _of(
        "1 missing path",
        ("s-video",),
        f"{RANDOM} --task t2v --backend v1/videos/sync",
        "405",
        "--backend|--endpoint",
        code=FAILED,
    ),
    _of("1 model", ("v-image",), f"{RANDOM} --task t2i --model default", "Model mismatch", code=FAILED),
    _of("1 model", ("s-image",), f"{RANDOM} --task t2i --model default"),
    *(Row("1 base URL", IMAGES, f"{RANDOM} --task t2i", suffix=suffix) for suffix in _URLS),
    # 2: the server's choice is not its failure
    _of("2 size", IMAGES, f"{RANDOM} --task t2i {ODD}", _RESIZED),
    _of("2 size", IMAGES, f"{RANDOM} --task t2i {ODD} --verify-size near", _RESIZED),
    _of("2 size", IMAGES, f"{RANDOM} --task t2i {ODD} --verify-size exact", "wrong_media", code=FAILED),
    _of("2 size", VIDEOS, f"{RANDOM} --task t2v --width 854 --height 480 --num-frames 18", r"854x480 -> 848x480"),
    _of("2 size", EDITS, f"{RANDOM} --task i2i {ODD}", _RESIZED),
    _of("2 size", EDITS, f"{RANDOM} --task i2i"),
    _of("2 url answers", ("s-image", "s-edit"), f"{RANDOM} --response-format url", "fetched"),
    _of("2 url answers", ("v-image",), f"{RANDOM} --response-format url", "http_400", code=FAILED),
    _of("2 figures", ("s-image", "s-edit", "v-video", "s-video"), RANDOM, "server inference"),
    _of("2 figures", ("v-image",), f"{RANDOM} --slo", "--enable-diffusion-pipeline-profiler"),
    # 3: jobs, and several outputs
    _of("3 failed jobs", VIDEOS, f"{RANDOM} {FAILING} --force", "job_failed", "made up|injected", code=FAILED),
    Row(
        "3 time limit",
        VIDEOS,
        f"{RANDOM} {SLOW} --video-timeout 1 --force --warmup-requests 0",
        code=FAILED,
        text=("timeout",),
        real_only=True,
    ),
    _of("3 outputs", (*IMAGES, *EDITS), f"{RANDOM} --num-outputs-per-prompt 2", completed_outputs=10),
    _of("3 outputs", ("v-image",), f"{RANDOM} --task t2i --backend vllm-omni --n 2", completed_outputs=10),
    _of("3 concurrency", VIDEOS, f"{RANDOM} --max-concurrency 5 --poll-interval 0.05"),
    *(_of("3 transports", EVERY, f"{RANDOM} --transport {transport}") for transport in ("native", "aiohttp")),
    # 4: several pictures of one edit
    _of("4 edits", EDITS, f"{RANDOM} --task i2i --num-input-images 2"),
)
