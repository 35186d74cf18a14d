"""Options of a run as plain values, set by the command line or a Python caller."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

TASKS = ("t2i", "i2i", "ti2i", "it2i", "t2v", "i2v", "ti2v", "v2v")
IMAGE_INPUT_TASKS = frozenset({"i2i", "ti2i", "it2i", "i2v", "ti2v"})
VIDEO_TASKS = frozenset({"t2v", "i2v", "ti2v", "v2v"})
MAX_BODY_BYTES = 1 << 30
AUTO = "auto"
DEFAULT_TASK = "t2v"

# Every spelling of a task, in lower case with dashes, and the task.
TASK_SPELLINGS: Mapping[str, str] = MappingProxyType(
    {
        **{task: task for task in TASKS},
        "text-to-image": "t2i",
        "image-to-image": "i2i",
        "text-image-to-image": "ti2i",
        "image-text-to-image": "it2i",
        "text-to-video": "t2v",
        "image-to-video": "i2v",
        "text-image-to-video": "ti2v",
        "video-to-video": "v2v",
    }
)


@dataclass(frozen=True, slots=True)
class Shape:
    """Size and steps of a generation as the flags set them; None leaves a value to the sample or the server."""

    width: int | None = None
    height: int | None = None
    num_frames: int | None = None
    num_inference_steps: int | None = 50
    seed: int | None = None
    fps: float | None = None


@dataclass(frozen=True, slots=True)
class DataOptions:
    """Which samples to send: `--dataset` and its flags."""

    dataset: str = "vbench"
    task: str | None = None  # what the server says, or t2v
    dataset_path: str | None = None
    num_prompts: int = 10
    shape: Shape = Shape()
    enable_negative_prompt: bool = False
    random_request_config: str | None = None
    random_request_seed: int = 42
    num_input_images: int = 1


@dataclass(frozen=True, slots=True)
class ArrivalOptions:
    """How send times are drawn. `rate` is in requests per second; inf is a closed loop.

    `rate_series` has points (second, requests/s) of a changing rate, joined by straight lines; `rate` is then its mean,
    `duration_s` its end and `max_requests` the limit of its arrivals.
    """

    process: str = "constant"
    rate: float = math.inf
    burstiness: float = 1.0
    trace_speedup: float = 1.0
    seed: int = 0
    duration_s: float | None = None
    rate_series: tuple[tuple[float, float], ...] = ()
    max_requests: int | None = None

    @property
    def planned(self) -> bool:
        """Whether arrival times are planned, so that latency can count from them; else it is a closed loop."""
        return self.process == "trace" or math.isfinite(self.rate)


@dataclass(frozen=True, slots=True)
class TargetOptions:
    """The server: its URL, its backend (wire format), and what goes into each request."""

    base_url: str = field(default="http://localhost:8091", repr=False)  # may hold a password
    further_urls: tuple[str, ...] = field(default=(), repr=False)  # replicas, used in turn, in plan order
    backend: str = AUTO  # which the task and the server decide
    model: str | None = None  # the only one that the server has
    extra_body: Mapping[str, object] = field(default_factory=dict)
    endpoint: str | None = None  # a path that replaces the backend's own
    discovery: str = ""  # how backend, model and task were found, for the report
    n: int = 1
    bot_task: str | None = None  # a field of V's image endpoints; a row's own one wins
    return_stage_metrics: bool = False
    auto_edits: bool = True  # whether `auto` sends image edits to images/edits, not to chat
    response_format: str | None = None  # "b64_json" or "url"; None is the backend's choice
    api_key: str | None = field(default=None, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    timeout_s: float | None = None
    ca_file: str | None = None
    cert_file: str | None = None  # of the client
    key_file: str | None = None
    insecure: bool = False
    unix_socket: str | None = None
    proxy: str | None = field(default=None, repr=False)
    max_body_bytes: int = MAX_BODY_BYTES
    server_metrics: tuple[str, ...] = field(default=(), repr=False)  # URLs, or paths on the first server

    @property
    def base_urls(self) -> tuple[str, ...]:
        """All base URLs; request i goes to number i modulo their count."""
        return (self.base_url, *self.further_urls)


@dataclass(frozen=True, slots=True)
class JobOptions:
    """How video jobs are polled. Seconds; a poll interval of None is adaptive, a timeout of None is no limit."""

    poll_interval_s: float | None = None
    timeout_s: float | None = None
    download: bool = True
    delete: bool = True
    poll_retries: int = 5  # failed polls in a row that are repeated
    wait_for_jobs: bool = False  # whether a run ends only when its unfinished jobs have ended on the server


@dataclass(frozen=True, slots=True)
class WarmupOptions:
    """Requests before time zero, to each base URL. No statistic includes them, but SLO targets may be based on them.

    They are the first of the plan or, if `spanning`, of sizes from its smallest to its largest. None leaves steps and
    frames as in the request (but one frame for t2v, unless `spanning`).
    """

    requests: int = 1
    num_inference_steps: int | None = 2
    num_frames: int | None = None
    spanning: bool = False
    concurrency: int = 1
    force: bool = False  # send the load even if every warm-up failed


@dataclass(frozen=True, slots=True)
class SloOptions:
    """The SLO targets of requests; a sample's own `slo_ms` takes precedence.

    The target of other requests is `flat_ms`, or `scale` times the prediction of a model of the warm-ups: `linear`, or
    `affine`, for which warm-ups must be `spanning`. `unit_ms` (and `fixed_ms`) are that model's parameters from an
    earlier run, which replace the warm-ups.
    """

    enabled: bool = False
    scale: float = 3.0
    model: str = "linear"
    flat_ms: float | None = None
    unit_ms: float | None = None
    fixed_ms: float = 0.0


@dataclass(frozen=True, slots=True)
class TrafficOptions:
    """How the load is sent: the concurrency budget, processes, HTTP client, verification, and the start of latency."""

    max_concurrency: int = 1
    senders: int = 1
    transport: str = "auto"
    spin_us: float = 100.0
    pin: str | None = None
    realtime: bool = False
    latency_from: str = "auto"
    save_dir: str | None = None
    verify: str = "header"
    verify_size: str = "any"
    drain_s: float | None = None


@dataclass(frozen=True, slots=True)
class BenchOptions:
    """All options of one benchmark."""

    data: DataOptions = DataOptions()
    arrivals: ArrivalOptions = ArrivalOptions()
    target: TargetOptions = TargetOptions()
    warmup: WarmupOptions = WarmupOptions()
    slo: SloOptions = SloOptions()
    traffic: TrafficOptions = TrafficOptions()
    jobs: JobOptions = JobOptions()
    confidence: float = 0.95
    remarks: tuple[str, ...] = ()  # what is to be said of these options, before the load and in the result

    @property
    def latency_from(self) -> str:
        """`scheduled` or `sent`; `auto` is scheduled if arrivals are planned, else sent."""
        if self.traffic.latency_from != "auto":
            return self.traffic.latency_from
        return "scheduled" if self.arrivals.planned else "sent"
