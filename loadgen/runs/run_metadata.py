"""Run metadata: the config, the server, versions and host of a run. It never holds a secret."""

import dataclasses
import platform
import socket
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any, Final

from loadgen.backends import find_backend
from loadgen.monitoring import metrics_urls
from loadgen.options import BenchOptions, TargetOptions
from loadgen.planning.plan import Plan
from loadgen.planning.remarks import all_remarks
from loadgen.runs.targets import Targets
from loadgen.runs.warmups import Warmup
from loadgen.server.target import redacted
from loadgen.server.url import parse_base_url
from loadgen.system.cpu_affinity import usable_cores

_PACKAGES: Final = (
    "diffusion-loadgen",
    "aiohttp",
    "httptools",
    "numpy",
    "orjson",
    "prometheus_client",
    "pyzmq",
    "uvloop",
)


def run_metadata(plan: Plan, options: BenchOptions, warmups: list[Warmup], targets: Targets) -> dict[str, Any]:
    """The part of a result that is known before time zero."""
    return {
        "config": config(options),
        "environment": {**environment(), "source": plan.source},
        "warmup": _warmup(warmups),
        "slo": targets.about,
        "remarks": all_remarks(plan, options),
        "backend": options.target.backend,
        "endpoint": _endpoint(options.target),
        "model": options.target.model,
        "dataset": options.data.dataset,
        "task": options.data.task,
        "bot_task": options.target.extra_body.get("bot_task"),
        "num_outputs_per_prompt": options.target.n,
    }


def _endpoint(target: TargetOptions) -> str:
    """The URL path of the requests, without the prefix and the query of the server."""
    given = target.endpoint or parse_base_url(target.base_url, target.unix_socket).endpoint
    return "/" + (given or find_backend(target.backend).path).lstrip("/")


def environment() -> dict[str, Any]:
    """Time, host, cores and versions."""
    return {
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "host": socket.gethostname(),
        "system": platform.platform(),
        "cores": len(usable_cores()),
        "python": platform.python_version(),
        "packages": {name: version(name) for name in _PACKAGES},
    }


def config(options: BenchOptions) -> dict[str, Any]:
    """The options without secrets; of headers only the names."""
    shown = dataclasses.asdict(options)
    del shown["remarks"]  # in the result itself
    target = shown["target"]
    del target["api_key"]
    target["base_url"] = redacted(target["base_url"])
    target["further_urls"] = [redacted(url) for url in target["further_urls"]]
    target["proxy"] = redacted(target["proxy"]) if target["proxy"] else None
    target["server_metrics"] = list(map(metrics_urls.shown, target["server_metrics"]))
    target["headers"] = sorted(target["headers"])
    return shown


def _warmup(warmups: list[Warmup]) -> dict[str, Any]:
    return {
        "requests": len(warmups),
        "ok": sum(warmup.error is None for warmup in warmups),
        "latency_s": [warmup.latency_ms / 1e3 if warmup.error is None else None for warmup in warmups],
        "errors": [f"{warmup.error}: {warmup.detail}" for warmup in warmups if warmup.error is not None],
    }
