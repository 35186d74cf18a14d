"""Flags become the options of a benchmark, or a UsageError names the flags that contradict each other."""

import argparse
import math
import os
import re
from pathlib import Path
from typing import Final

import orjson

from collector.statistics.latency_model import MIN_SIZES
from loadgen.backends import backend_for
from loadgen.bodies import extra_fields
from loadgen.cli import video_flags
from loadgen.errors import UsageError
from loadgen.media import verification
from loadgen.monitoring.metrics_urls import page_urls
from loadgen.options import (
    AUTO,
    ArrivalOptions,
    BenchOptions,
    DataOptions,
    Shape,
    SloOptions,
    TargetOptions,
    TrafficOptions,
    WarmupOptions,
)
from loadgen.planning.rate_series import read_series
from loadgen.server.url import parse_base_url
from loadgen.system.cpu_affinity import parse_affinity, usable_cores

MAX_SENDERS: Final = 256
WARMUP_STEPS: Final = 2  # with 1, some models skip the only step
_MAX_KEY_BYTES: Final = 1 << 16
_FRAMING: Final = frozenset({"content-length", "transfer-encoding", "connection"})  # which only we can know
_EXAMPLE: Final = '{"guidance_scale": 4.5}'
_TOKEN: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")  # RFC 9110, section 5.6.2


def read_options(arguments: argparse.Namespace) -> BenchOptions:
    """Turn parsed flags into options; raise UsageError if they contradict each other."""
    _check(arguments)
    a = arguments
    base_url, *further_urls = _base_urls(a)
    shape = Shape(a.width, a.height, a.num_frames, a.num_inference_steps, a.seed, a.fps)
    parse_affinity(a.pin, usable_cores(), a.senders)
    return BenchOptions(
        data=DataOptions(
            dataset=a.dataset,
            task=a.task,
            dataset_path=a.dataset_path,
            num_prompts=a.num_prompts or DataOptions().num_prompts,
            shape=shape,
            enable_negative_prompt=a.enable_negative_prompt,
            random_request_config=a.random_request_config,
            random_request_seed=a.random_request_seed,
            num_input_images=a.num_input_images,
        ),
        arrivals=_arrivals(a),
        target=TargetOptions(
            base_url=base_url,
            further_urls=tuple(further_urls),
            backend=a.backend,
            model=a.model,
            extra_body=_extra_body(a.extra_body),
            n=a.n,
            bot_task=a.bot_task,
            return_stage_metrics=a.return_stage_metrics,
            auto_edits=not a.disable_auto_edits,
            response_format=a.response_format,
            api_key=_api_key(a.api_key, a.api_key_file),
            headers=_headers(a.header),
            timeout_s=a.timeout,
            endpoint=a.endpoint,
            unix_socket=a.unix_socket,
            ca_file=a.ca_file,
            cert_file=a.cert,
            key_file=a.key,
            insecure=a.insecure,
            proxy=a.proxy,
            max_body_bytes=a.max_body_bytes,
            server_metrics=tuple(a.server_metrics),
        ),
        warmup=_warmup(a),
        confidence=a.confidence,
        remarks=_remarks(a),
        jobs=video_flags.read(a),
        slo=SloOptions(a.slo or a.slo_ms is not None, a.slo_scale, a.slo_model, a.slo_ms),
        traffic=TrafficOptions(
            max_concurrency=a.max_concurrency,
            senders=a.senders,
            transport=a.transport,
            spin_us=a.spin_us,
            pin=a.pin,
            realtime=a.realtime,
            latency_from=a.latency_from,
            save_dir=a.save_dir,
            verify=a.verify,
            verify_size=a.verify_size,
            drain_s=a.drain,
        ),
    )


def _remarks(a: argparse.Namespace) -> tuple[str, ...]:
    """Flags without effect that the options do not show; `loadgen/planning/remarks.py` has the others."""
    address = [flag for flag, given in (("--host", a.host != "localhost"), ("--port", a.port != 8091)) if given]
    instead = "--base-url" if a.base_url else "--simulate" if a.simulate is not None else ""
    found = [f"{flag} has no effect with {instead}" for flag in address if instead]
    if a.base_url and a.simulate is not None:
        found.append("--base-url has no effect with --simulate")
    return tuple(found)


def _arrivals(a: argparse.Namespace) -> ArrivalOptions:
    if a.rate_series is None:
        return ArrivalOptions(a.arrival, a.request_rate, a.burstiness, a.trace_speedup, a.arrival_seed, a.duration)
    series = read_series(a.rate_series)
    return ArrivalOptions(
        a.arrival,
        series.mean_rate,
        seed=a.arrival_seed,
        duration_s=series.end_s,
        rate_series=series.points,
        max_requests=a.num_prompts,
    )


def _check(a: argparse.Namespace) -> None:
    _check_server(a)
    page_urls(a.server_metrics, _base_urls(a)[0])
    has_rate = math.isfinite(a.request_rate) or a.rate_series is not None
    if a.rate_series is not None:
        _check_series(a)
    if a.arrival == "trace" and has_rate:
        raise UsageError(
            "--arrival trace uses the timestamps of the trace; drop --request-rate, or use --trace-speedup"
        )
    if a.arrival in ("poisson", "gamma") and not has_rate:
        raise UsageError(f"--arrival {a.arrival} needs a finite --request-rate, such as --request-rate 2")
    if a.duration is not None and a.arrival != "trace" and not has_rate:
        raise UsageError("--duration needs planned arrivals; give --request-rate, or --arrival trace")
    if a.drain is not None and a.arrival != "trace" and not has_rate:
        raise UsageError(
            "--drain needs planned arrivals; give --request-rate or --arrival trace, or use --timeout instead"
        )
    if a.senders > MAX_SENDERS:
        raise UsageError(f"--senders {a.senders}: give {MAX_SENDERS} or fewer; each one can use a core or two")
    if a.proxy and a.transport == "native":
        raise UsageError("--transport native has no proxy support; use --transport aiohttp, or drop --proxy")
    if a.api_key is not None and a.api_key_file is not None:
        raise UsageError("--api-key and --api-key-file both set the key; drop one of them")
    _check_slo(a)


def check_resolved(options: BenchOptions) -> None:
    """Raise UsageError where the task, backend and flags that were found out do not go together."""
    target, task = options.target, str(options.data.task)
    backend_for(target.backend, task, target.n)
    verification.check(options.traffic.verify, task)


def _check_server(a: argparse.Namespace) -> None:
    if a.backend != AUTO and a.task is not None:
        backend_for(a.backend, a.task, a.n)
    https = any(url.lower().startswith("https:") for url in _base_urls(a))
    if a.key is not None and a.cert is None:
        raise UsageError("--key is the private key of --cert; give that too")
    if a.cert is not None and not https:
        raise UsageError("--cert is for https; give an https --base-url, or drop it")
    for url in _base_urls(a):
        unix_socket = parse_base_url(url, a.unix_socket).unix_socket
        if unix_socket and a.proxy:
            raise UsageError("--proxy and a Unix socket exclude each other; drop one of them")
        if unix_socket and https and a.transport == "aiohttp":
            raise UsageError("--transport aiohttp has no TLS over a Unix socket; use --transport native")


def _check_slo(a: argparse.Namespace) -> None:
    enabled = a.slo or a.slo_ms is not None
    if a.min_slo_attainment is not None and not enabled:
        raise UsageError("--min-slo-attainment needs --slo or --slo-ms; give one of them")
    if a.slo_model == "linear":
        return
    if not enabled:
        raise UsageError(f"--slo-model {a.slo_model} needs --slo; give it too")
    if a.slo_ms is not None:
        raise UsageError(f"--slo-ms sets one target and --slo-model {a.slo_model} predicts others; drop one of them")
    if a.warmup_requests < MIN_SIZES:
        raise UsageError(f"--slo-model affine needs --warmup-requests {MIN_SIZES} or more, of different sizes")


def _warmup(a: argparse.Namespace) -> WarmupOptions:
    """Few steps, unless the affine model needs the latencies of full requests."""
    spanning = a.slo_model == "affine"
    steps = a.warmup_num_inference_steps or (None if spanning else WARMUP_STEPS)
    return WarmupOptions(a.warmup_requests, steps, a.warmup_num_frames, spanning, a.warmup_concurrency, force=a.force)


def _check_series(a: argparse.Namespace) -> None:
    if math.isfinite(a.request_rate):
        raise UsageError("--rate-series sets the rate; drop --request-rate")
    if a.duration is not None:
        raise UsageError("--rate-series ends at its last point; drop --duration")
    if a.arrival not in ("constant", "poisson"):
        raise UsageError(f"--rate-series is for --arrival constant or poisson, not {a.arrival}; drop one of them")


def _extra_body(text: str | None) -> dict[str, object]:
    try:
        fields = orjson.loads(text or "{}")
    except orjson.JSONDecodeError as error:
        raise UsageError(f"--extra-body {text}: is not JSON ({error}); quote it, such as '{_EXAMPLE}'") from None
    if not isinstance(fields, dict):
        raise UsageError(f"--extra-body {text}: is not a JSON object; give one, such as '{_EXAMPLE}'")
    extra_fields.check(fields)
    return fields


def _headers(pairs: list[str]) -> dict[str, str]:
    headers = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not _TOKEN.fullmatch(name.strip()):
            raise UsageError("--header takes NAME=VALUE, such as --header X-Team=video")
        if name.strip().lower() in _FRAMING:
            raise UsageError(f"--header {name.strip()}: is set for each request; drop it")
        headers[name.strip()] = _header_value(value, f"--header {name.strip()}")
    return headers


def _header_value(text: str, source: str) -> str:
    """The value of a header, stripped; an error does not show the value, which may be secret."""
    value = text.strip()
    if not value.isprintable() or not value.isascii():
        raise UsageError(f"{source}: the value has characters that a header cannot hold; use printable ASCII")
    return value


def _api_key(key: str | None, file: str | None) -> str | None:
    if file is not None:
        return _header_value(_first_line(file), f"--api-key-file {file}")
    key = key or os.environ.get("OPENAI_API_KEY") or ""
    return _header_value(key, "--api-key (or OPENAI_API_KEY)") or None


def _first_line(path: str) -> str:
    try:
        with Path(path).open("rb") as file:
            line = file.readline(_MAX_KEY_BYTES).decode(errors="replace").strip()
    except (OSError, ValueError) as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or error
        raise UsageError(f"--api-key-file {path}: {reason}; name a file that can be read") from None
    if not line:
        raise UsageError(f"--api-key-file {path}: the first line is empty; put the key there")
    return line


def _base_urls(a: argparse.Namespace) -> list[str]:
    host = f"[{a.host}]" if ":" in a.host else a.host
    return list(a.base_url or (f"http://{host}:{a.port}",))
