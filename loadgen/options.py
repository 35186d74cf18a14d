"""What a run is asked to do, as plain values: the command line fills these in, so does a Python caller."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

TASKS = ("t2i", "i2i", "ti2i", "t2v", "i2v", "ti2v")
IMAGE_INPUT_TASKS = frozenset({"i2i", "ti2i", "i2v", "ti2v"})
MAX_BODY_BYTES = 1 << 30
VIDEO_TASKS = frozenset({"t2v", "i2v", "ti2v"})


@dataclass(frozen=True, slots=True)
class Shape:
    """Size and effort of a generation as the flags give them; None leaves it to the sample or the server."""

    width: int | None = None
    height: int | None = None
    num_frames: int | None = None
    num_inference_steps: int | None = 50
    seed: int | None = None
    fps: int | None = None


@dataclass(frozen=True, slots=True)
class DataOptions:
    """Which samples to send: `--dataset` and what goes with it."""

    dataset: str = "vbench"
    task: str = "t2v"
    dataset_path: str | None = None
    num_prompts: int = 10
    shape: Shape = Shape()
    enable_negative_prompt: bool = False
    random_request_config: str | None = None
    random_request_seed: int = 42
    num_input_images: int = 1


@dataclass(frozen=True, slots=True)
class ArrivalOptions:
    """How planned send times are drawn. `rate` is in requests per second; inf is a closed loop.

    `rate_series` has points (second, requests/s) of a rate that changes, joined by straight lines; `rate` is then its
    mean and `duration_s` its end. `most` is how many of its arrivals are kept.
    """

    process: str = "constant"
    rate: float = math.inf
    burstiness: float = 1.0
    trace_speedup: float = 1.0
    seed: int = 0
    duration_s: float | None = None
    rate_series: tuple[tuple[float, float], ...] = ()
    most: int | None = None

    @property
    def planned(self) -> bool:
        """Whether arrival times are planned, so that latency may be counted from them."""
        return self.process == "trace" or math.isfinite(self.rate)


@dataclass(frozen=True, slots=True)
class TargetOptions:
    """The server: where it is, which dialect it speaks, what it must be told in every request."""

    base_url: str = field(default="http://localhost:8091", repr=False)  # may hold a password
    further_urls: tuple[str, ...] = field(default=(), repr=False)  # replicas: requests go round all, in plan order
    backend: str = "vllm-omni"
    model: str = "default"
    extra_body: Mapping[str, object] = field(default_factory=dict)
    n: int = 1
    api_key: str | None = field(default=None, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    timeout_s: float | None = None
    ca_file: str | None = None
    insecure: bool = False
    proxy: str | None = field(default=None, repr=False)
    max_body_bytes: int = MAX_BODY_BYTES
    server_metrics: tuple[str, ...] = field(default=(), repr=False)  # URLs, or paths on the first server

    @property
    def base_urls(self) -> tuple[str, ...]:
        """All of them; request i goes to number i modulo how many there are."""
        return (self.base_url, *self.further_urls)


@dataclass(frozen=True, slots=True)
class JobOptions:
    """How video jobs are followed. Seconds; a poll interval of None is adaptive, a time-out of None never comes."""

    poll_interval_s: float | None = None
    timeout_s: float | None = None
    download: bool = True
    delete: bool = True


@dataclass(frozen=True, slots=True)
class WarmupOptions:
    """Requests before time zero, to each base URL; they are in no statistic, but SLO targets may be taken from them.

    They are the first of the plan or, `spanning`, of sizes from the plan's smallest to its largest. Steps and frames of
    None are the request's own (of t2v that does not span: one frame).
    """

    requests: int = 1
    num_inference_steps: int | None = 2
    num_frames: int | None = None
    spanning: bool = False


@dataclass(frozen=True, slots=True)
class SloOptions:
    """Whether and how latencies are held against a target; a request's own `slo_ms` always comes first.

    Others have `flat_ms`, or `scale` times what a model of the warm-ups predicts: `linear`, or `affine`, for which
    warm-ups must be `spanning`. `unit_ms` (and `fixed_ms`) is what such a model found in an earlier run: then no
    warm-up is asked.
    """

    enabled: bool = False
    scale: float = 3.0
    model: str = "linear"
    flat_ms: float | None = None
    unit_ms: float | None = None
    fixed_ms: float = 0.0


@dataclass(frozen=True, slots=True)
class TrafficOptions:
    """How the load is carried: the shared budget, the processes, the HTTP client, and what latency counts from."""

    max_concurrency: int = 1
    senders: int = 1
    transport: str = "auto"
    spin_us: float = 100.0
    pin: str | None = None
    realtime: bool = False
    latency_from: str = "auto"
    save_dir: str | None = None
    verify: str = "header"
    drain_s: float | None = None


@dataclass(frozen=True, slots=True)
class BenchOptions:
    """All of it: one benchmark."""

    data: DataOptions = DataOptions()
    arrivals: ArrivalOptions = ArrivalOptions()
    target: TargetOptions = TargetOptions()
    warmup: WarmupOptions = WarmupOptions()
    slo: SloOptions = SloOptions()
    traffic: TrafficOptions = TrafficOptions()
    jobs: JobOptions = JobOptions()
    confidence: float = 0.95

    @property
    def latency_from(self) -> str:
        """`scheduled` or `sent`: what `auto` comes to, for arrival times that were planned or not."""
        if self.traffic.latency_from != "auto":
            return self.traffic.latency_from
        return "scheduled" if self.arrivals.planned else "sent"
