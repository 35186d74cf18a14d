"""The plan: requests plus arrival times. Everything random or costly is decided here, before time zero."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from collector.summary.slo import units
from loadgen.backends import Backend, backend_for
from loadgen.bodies.extra_fields import with_extra_fields
from loadgen.datasets import SampleSet, load
from loadgen.datasets.downloads import Hub
from loadgen.datasets.input_images import read_image
from loadgen.datasets.sample import Sample
from loadgen.errors import UsageError
from loadgen.options import ArrivalOptions, DataOptions, TargetOptions, WarmupOptions
from loadgen.planning.arrivals import plan_arrivals
from loadgen.planning.request_store import RequestStoreWriter

Progress = Callable[[int, int], None]  # encoded so far, to encode


@dataclass(frozen=True, slots=True)
class Plan:
    """What will be sent and when.

    For n requests in schedule order: `arrivals_ns` int64[n] from time zero; `entries` int32[n], where each is in
    the store (as `warmups` are); `slo_ms` float64[n], their own targets, nan where they have none. `shapes`
    int32[m, 4] is width, height, frames, steps of each of the m store entries, 0 where the server decides. `ids` are
    what the data set calls them, if it does: text that may be anything.
    """

    arrivals_ns: NDArray[np.int64]
    entries: NDArray[np.int32]
    slo_ms: NDArray[np.float64]
    shapes: NDArray[np.int32]
    warmups: tuple[int, ...]
    store: dict[str, Any]
    source: str
    wanted: int
    ids: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.arrivals_ns)

    def name(self, index: int) -> str:
        """What the data set calls request `index`; "" if nothing."""
        return self.ids[self.entries[index]] if self.ids else ""

    @property
    def span_s(self) -> float:
        """Planned time of the last arrival, in seconds from time zero."""
        return float(self.arrivals_ns[-1]) / 1e9

    @property
    def rate(self) -> float:
        """Requests per second that the plan asks for; inf where all are due at once."""
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
    """Load the samples, draw the arrival times and encode every distinct request."""
    traced = arrivals.process == "trace"
    count = None if arrivals.duration_s is not None else data.num_prompts
    found = load(data, count=count, arrival_timestamps=traced, hub=hub or Hub())
    times = _times(found, arrivals, data.num_prompts)
    distinct = found.samples if len(found.samples) <= len(times) else found.samples[: len(times)]
    return _encode(with_extra_fields(distinct, target), found.source, times, data, target, warmup, progress)


def _times(found: SampleSet, arrivals: ArrivalOptions, wanted: int) -> NDArray[np.int64]:
    count = wanted if found.repeats else min(wanted, len(found.samples))
    timestamps = [s.timestamp_s or 0.0 for s in found.samples] if arrivals.process == "trace" else ()
    times = plan_arrivals(arrivals, count, timestamps)
    if not len(times):
        raise UsageError("--duration is too short for one arrival at this rate; make either larger")
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
    backend, writer = backend_for(target.backend, data.task, target.n), RequestStoreWriter()
    warm = _warmups(samples, data.task, warmup, backend)
    total = len(samples) + len(warm)
    names: list[str] = []
    shapes, slo_ms = np.zeros((total, 4), np.int32), np.full(total, np.nan)
    for k in range(total):
        sample = samples[k] if k < len(samples) else warm[k - len(samples)]
        writer.add(backend.encode(sample, target.model, data.task))
        shapes[k] = _shape(sample, backend)
        names.append(sample.request_id or "")
        slo_ms[k] = math.nan if sample.slo_ms is None else sample.slo_ms
        if k % 1000 == 0:
            progress(k, total)
    read_image.cache_clear()  # megabytes each, and the run is still to come
    entries = (np.arange(len(times)) % len(samples)).astype(np.int32)
    warmups = tuple(range(len(samples), total))
    ids = tuple(names) if any(names) else ()
    return Plan(times, entries, slo_ms[entries], shapes, warmups, writer.finish(), source, data.num_prompts, ids)


def _warmups(samples: Sequence[Sample], task: str, options: WarmupOptions, backend: Backend) -> list[Sample]:
    chosen = _spanning(samples, task, options, backend) if options.spanning else range(options.requests)
    return [_warm(samples[i % len(samples)], task, options) for i in chosen]


def _spanning(samples: Sequence[Sample], task: str, options: WarmupOptions, backend: Backend) -> list[int]:
    """Places of samples of distinct sizes, evenly from the largest to the smallest; again from there if there are few.

    The largest goes first, since what a server does only once weighs least there.
    """
    first: dict[tuple[int, ...], int] = {}
    for place, sample in enumerate(samples):
        first.setdefault(_shape(_warm(sample, task, options), backend), place)
    work, kept = np.unique(units(*np.array(list(first)).T), return_index=True)
    places = np.array(list(first.values()))[kept][::-1]
    if options.requests > len(work):
        return [int(places[i % len(places)]) for i in range(options.requests)]
    return [int(places[i]) for i in np.rint(np.linspace(0, len(work) - 1, options.requests)).astype(int)]


def _shape(sample: Sample, backend: Backend) -> tuple[int, int, int, int]:
    """Width, height, frames, steps; 0 where the server decides."""
    return (*backend.requested_size(sample), sample.num_frames or 0, sample.num_inference_steps or 0)


def _warm(sample: Sample, task: str, options: WarmupOptions) -> Sample:
    """A warm-up is a request of the plan with fewer steps, and for video with fewer frames."""
    frames = options.num_frames or (1 if task == "t2v" and not options.spanning else sample.num_frames)
    return replace(
        sample, num_inference_steps=options.num_inference_steps or sample.num_inference_steps, num_frames=frames
    )
