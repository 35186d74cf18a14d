"""The times that the server reports of itself, and how to turn on those that are missing."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from collector.text import quantity

_TIMES: Final = (("server inference", "server_inference"), ("server queue", "server_queue"))
_SHOWN: Final = ("mean", "p50", "p90", "p99", "max")
_NO_STAGES: Final = (
    "no stage times from the server: start vLLM-Omni with --enable-diffusion-pipeline-profiler, "
    "or ask per request with --return-stage-metrics"
)


def lines(result: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield (name, text) rows."""
    for label, key in _TIMES:
        if own := result.get(key):
            figures = ", ".join(f"{name} {quantity.seconds(own[name])}" for name in _SHOWN)
            late = "; known to within the poll interval" if key == "server_queue" else ""
            yield label, f"{figures} ({own['n']:,} of {result['completed_requests']:,}{late})"


def missing_stages(result: Mapping[str, Any]) -> Iterator[str]:
    """Yield a sentence if stage times would explain the figures, or were asked for, and none came."""
    target = result.get("config", {}).get("target", {})
    asked = bool((target.get("extra_body") or {}).get("return_stage_metrics"))
    if (asked or result["slo"].get("enabled")) and result["completed_requests"] and not result["stage_durations_p50"]:
        yield _NO_STAGES
