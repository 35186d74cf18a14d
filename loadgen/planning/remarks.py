"""Remarks: flags without effect and requests that are not what the flags seem to ask for.

They are said before the load and are in the result; none of them is an error.
"""

from collections.abc import Iterator

from loadgen.backends import JobBackend, find_backend
from loadgen.bodies.extra_fields import FLAG_FIELDS
from loadgen.options import (
    IMAGE_INPUT_TASKS,
    VIDEO_TASKS,
    ArrivalOptions,
    BenchOptions,
    DataOptions,
    JobOptions,
    SloOptions,
    TargetOptions,
    WarmupOptions,
)
from loadgen.planning.plan import Plan
from loadgen.server.discovery import fill_in

_STEPS = WarmupOptions().num_inference_steps


def all_remarks(plan: Plan, options: BenchOptions) -> list[str]:
    """Return every remark on a run, for its result."""
    return [*of_options(options), *of_plan(plan, options)]


def of_options(options: BenchOptions) -> list[str]:
    """Return the remarks on options; `options.remarks` are the first."""
    options = fill_in(options)
    parts = (
        _data(options.data),
        _arrivals(options.arrivals, options.data),
        _target(options.target),
        _jobs(options.jobs, options.target.backend),
        _warmup(options.warmup),
        _slo(options.slo),
    )
    return list(dict.fromkeys((*options.remarks, *(text for part in parts for text in part))))


def of_plan(plan: Plan, options: BenchOptions) -> list[str]:
    """Return the remarks on a plan: fewer requests than were asked for."""
    if len(plan) >= plan.requested or options.arrivals.duration_s is not None:
        return []
    return [f"the trace has {len(plan)} rows and is sent once: {len(plan)} requests, not {plan.requested}"]


def _data(data: DataOptions) -> Iterator[str]:
    shape, is_random = data.shape, data.dataset == "random"
    if (shape.width is None) != (shape.height is None) and not (is_random and data.random_request_config):
        yield "only one of --width and --height is given, so no size is sent and the server decides; give both"
    if data.task not in VIDEO_TASKS:
        videos = (("--num-frames", shape.num_frames), ("--fps", shape.fps))
        yield from (_none(flag, f"with --task {data.task}") for flag, value in videos if value is not None)
    if is_random and data.dataset_path is not None:
        yield _none("--dataset-path", "with --dataset random")
    if not is_random and data.random_request_config is not None:
        yield _none("--random-request-config", f"with --dataset {data.dataset}")
    if data.random_request_seed != DataOptions().random_request_seed and not data.random_request_config:
        yield _none("--random-request-seed", "without --random-request-config")
    if data.num_input_images != 1 and not (is_random and data.task in IMAGE_INPUT_TASKS):
        why = f"with --task {data.task}" if is_random else f"with --dataset {data.dataset}"
        yield _none("--num-input-images", why)


def _arrivals(arrivals: ArrivalOptions, data: DataOptions) -> Iterator[str]:
    if arrivals.burstiness != 1 and arrivals.process != "gamma":
        yield _none("--burstiness", "without --arrival gamma")
    if arrivals.trace_speedup != 1 and arrivals.process != "trace":
        yield _none("--trace-speedup", "without --arrival trace")
    if arrivals.seed and arrivals.process not in ("poisson", "gamma"):
        yield _none("--arrival-seed", f"with --arrival {arrivals.process}, which draws nothing")
    by_time = arrivals.duration_s is not None and not arrivals.rate_series
    if by_time and data.num_prompts != DataOptions().num_prompts:
        yield _none("--num-prompts", "with --duration")


def _target(target: TargetOptions) -> Iterator[str]:
    if not any(url.lower().startswith("https:") for url in target.base_urls):
        given = (("--insecure", target.insecure), ("--ca-file", target.ca_file), ("--cert", target.cert_file))
        yield from (_none(flag, "without an https URL") for flag, value in given if value)
    if not target.auto_edits and target.backend != "vllm-omni":
        yield _none("--disable-auto-edits", f"with --backend {target.backend}")
    fields = (("bot_task", target.bot_task), ("return_stage_metrics", target.return_stage_metrics))
    for name, value in fields:
        if value and target.backend not in FLAG_FIELDS[name]:
            yield _none(f"--{name.replace('_', '-')}", f"with --backend {target.backend}")


def _jobs(jobs: JobOptions, backend: str) -> Iterator[str]:
    if isinstance(find_backend(backend), JobBackend):
        return
    given = (
        ("--poll-interval", jobs.poll_interval_s is not None),
        ("--poll-retries", jobs.poll_retries != JobOptions().poll_retries),
        ("--video-job-timeout", jobs.timeout_s is not None),
        ("--no-download", not jobs.download),
        ("--no-delete", not jobs.delete),
    )
    yield from (_none(flag, f"with --backend {backend}, which makes no jobs") for flag, value in given if value)


def _warmup(warmup: WarmupOptions) -> Iterator[str]:
    if warmup.requests:
        return
    given = (
        ("--warmup-num-inference-steps", warmup.num_inference_steps not in (_STEPS, None)),
        ("--warmup-num-frames", warmup.num_frames is not None),
        ("--warmup-concurrency", warmup.concurrency != 1),
    )
    yield from (_none(flag, "with --warmup-requests 0") for flag, value in given if value)


def _slo(slo: SloOptions) -> Iterator[str]:
    if slo.scale == SloOptions().scale:
        return
    if not slo.enabled:
        yield _none("--slo-scale", "without --slo")
    elif slo.flat_ms is not None:
        yield _none("--slo-scale", "with --slo-ms, which is the target itself")


def _none(flag: str, why: str) -> str:
    return f"{flag} has no effect {why}"
