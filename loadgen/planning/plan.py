"""The plan: encoded requests and their arrival times. Everything random or costly happens here, before time zero."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from collector.summary.slo import units
from loadgen.backends import Backend, backend_for, check_response_format
from loadgen.bodies.extra_fields import with_extra_fields
from loadgen.datasets import SampleSet, load
from loadgen.datasets.downloads import Hub
from loadgen.datasets.input_images import read_image
from loadgen.datasets.sample import Sample
from loadgen.errors import UsageError
from loadgen.options import ArrivalOptions, DataOptions, TargetOptions, WarmupOptions
from loadgen.planning.arrivals import plan_arrivals
from loadgen.planning.request_store import RequestStoreWriter
from loadgen.server.discovery import with_defaults

Progress = Callable[[int, int], None]  # requests encoded, requests in all


@dataclass(frozen=True, slots=True)
class Plan:
    """What is sent and when.

    For n requests in schedule order: `arrivals_ns` int64[n] from time zero; `entries` int32[n], the store entry of
    each (as `warmups` are); `slo_ms` float64[n], their own targets, nan where they have none. For the m store entries:
    `shapes` int32[m, 4] is width, height, frames, steps, 0 if the server decides; `ids` are the request_id of the
    samples, arbitrary text, empty if there are none. `requested` is the number of requests that was asked for.
    """

    arrivals_ns: NDArray[np.int64]
    entries: NDArray[np.int32]
    slo_ms: NDArray[np.float64]
    shapes: NDArray[np.int32]
    warmups: tuple[int, ...]
    store: dict[str, Any]
    source: str
    requested: int
    ids: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.arrivals_ns)

    def name(self, index: int) -> str:
        """The request_id of request `index`; "" if it has none."""
        return self.ids[self.entries[index]] if self.ids else ""

    @property
    def span_s(self) -> float:
        """Time of the last arrival, in seconds from time zero."""
        return float(self.arrivals_ns[-1]) / 1e9

    @property
    def rate(self) -> float:
        """Planned requests per second; inf if all are due at once."""
        span_ns = int(self.arrivals_ns[-1] - self.arrivals_ns[0])
        return (len(self) - 1) * 1e9 / span_ns if span_ns else math.inf


def build_plan(
    data: DataOptions,
    arrivals: ArrivalOptions,
    target: TargetOptions,
    warmup: WarmupOptions,
    hub: Hub | None = None,
    progress: Progress = lambda _done, _all: None,
) -> Plan:
    """Load the samples, draw the arrival times and encode every distinct request; UsageError for unusable input."""
    data, target = with_defaults(data, target)
    timed = arrivals.process == "trace"
    count = None if arrivals.duration_s is not None else data.num_prompts
    samples = load(data, count=count, arrival_timestamps=timed, hub=hub or Hub())
    times = _times(samples, arrivals, data.num_prompts)
    distinct = samples.samples if len(samples.samples) <= len(times) else samples.samples[: len(times)]
    return _encode(with_extra_fields(distinct, target), samples.source, times, data, target, warmup, progress)


def _times(samples: SampleSet, arrivals: ArrivalOptions, requested: int) -> NDArray[np.int64]:
    count = requested if samples.repeats else min(requested, len(samples.samples))
    timestamps = [sample.timestamp_s or 0.0 for sample in samples.samples] if arrivals.process == "trace" else ()
    times = plan_arrivals(arrivals, count, timestamps)
    if not len(times):
        raise UsageError("--duration is too short for one arrival at this rate; raise --duration or the rate")
    return times


def _encode(
    samples: Sequence[Sample],
    source: str,
    times: NDArray[np.int64],
    data: DataOptions,
    target: TargetOptions,
    warmup: WarmupOptions,
    progress: Progress,
) -> Plan:
    assert data.task is not None
    assert target.model is not None
    check_response_format(target.backend, target.response_format)
    backend, writer = backend_for(target.backend, data.task, target.n), RequestStoreWriter()
    warmup_samples = _warmups(samples, data.task, warmup, backend)
    total = len(samples) + len(warmup_samples)
    ids: list[str] = []
    shapes, slo_ms = np.zeros((total, 4), np.int32), np.full(total, np.nan)
    for k in range(total):
        sample = samples[k] if k < len(samples) else warmup_samples[k - len(samples)]
        writer.add(backend.encode(sample, target.model, data.task))
        shapes[k] = _shape(sample, backend)
        ids.append(sample.request_id or "")
        slo_ms[k] = math.nan if sample.slo_ms is None else sample.slo_ms
        if k % 1000 == 0:
            progress(k, total)
    read_image.cache_clear()  # frees megabytes per image before the run
    entries = (np.arange(len(times)) % len(samples)).astype(np.int32)
    warmups = tuple(range(len(samples), total))
    known_ids = tuple(ids) if any(ids) else ()
    return Plan(times, entries, slo_ms[entries], shapes, warmups, writer.finish(), source, data.num_prompts, known_ids)


def _warmups(samples: Sequence[Sample], task: str, options: WarmupOptions, backend: Backend) -> list[Sample]:
    chosen = _spanning(samples, task, options, backend) if options.spanning else range(options.requests)
    return [_as_warmup(samples[i % len(samples)], task, options) for i in chosen]


def _spanning(samples: Sequence[Sample], task: str, options: WarmupOptions, backend: Backend) -> list[int]:
    """Indexes of samples of distinct sizes, evenly from the largest to the smallest; repeated if there are too few.

    The largest goes first: one-time work of the server distorts its latency least.
    """
    first: dict[tuple[int, ...], int] = {}
    for index, sample in enumerate(samples):
        first.setdefault(_shape(_as_warmup(sample, task, options), backend), index)
    work, first_of_size = np.unique(units(*np.array(list(first)).T), return_index=True)
    indexes = np.array(list(first.values()))[first_of_size][::-1]
    if options.requests > len(work):
        return [int(indexes[i % len(indexes)]) for i in range(options.requests)]
    return [int(indexes[i]) for i in np.rint(np.linspace(0, len(work) - 1, options.requests)).astype(int)]


def _shape(sample: Sample, backend: Backend) -> tuple[int, int, int, int]:
    """Width, height, frames, steps; 0 if the server decides."""
    return (*backend.requested_size(sample), sample.num_frames or 0, sample.num_inference_steps or 0)


def _as_warmup(sample: Sample, task: str, options: WarmupOptions) -> Sample:
    """Return a sample as a warm-up: with fewer steps, and for video with fewer frames."""
    frames = options.num_frames or (1 if task == "t2v" and not options.spanning else sample.num_frames)
    return replace(
        sample, num_inference_steps=options.num_inference_steps or sample.num_inference_steps, num_frames=frames
    )
