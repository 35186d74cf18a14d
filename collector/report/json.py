"""The JSON report: figures and run metadata in one document, keys in the order of KEYS."""

import math
import re
from collections.abc import Mapping, Sequence
from typing import Final, cast

import orjson

from collector.summary.result import LAYOUT, Figures, Result, ServerMetrics

# control characters that JSON does not escape but a terminal obeys: DEL, and U+0080 to U+009F
_CONTROLS: Final = re.compile(rb"\x7f|\xc2[\x80-\x9f]")
KEYS: Final = (
    "layout",
    *("duration", "completed_requests", "failed_requests", "request_errors", "throughput_qps"),
    *("completed_outputs", "output_throughput_ops", "num_outputs_per_prompt"),
    *("latency_mean", "latency_median", "latency_p50", "latency_p90", "latency_p95", "latency_p99"),
    *("peak_memory_mb_max", "peak_memory_mb_mean", "peak_memory_mb_median"),
    *("stage_durations_mean", "stage_durations_p50", "stage_durations_p99", "server_inference", "server_queue"),
    *("slo_attainment_rate", "slo_met_success", "slo_scale"),
    *("backend", "endpoint", "model", "dataset", "task", "bot_task"),
    *("offered", "lag", "wait", "service", "response", "completion_width", "latency_from"),
    *("confidence", "outcomes", "errors", "retry_after", "retried", "failed_polls", "max_in_flight"),
    *("by_url", "media", "server_metrics"),
    *("slo", "stationarity", "arrival_audit", "over_time", "warmup", "config", "environment", "processes"),
    *("end", "partial", "remarks", "verdict"),
)


def assemble(
    figures: Figures,
    *,
    config: Mapping[str, object],
    environment: Mapping[str, object],
    processes: Mapping[str, object],
    media: Mapping[str, object],
    warmup: Mapping[str, object],
    slo: Mapping[str, object],
    backend: str,
    model: str,
    dataset: str,
    task: str,
    remarks: Sequence[str] = (),
    endpoint: str = "",
    bot_task: object = None,
    num_outputs_per_prompt: int = 1,
    server_metrics: ServerMetrics | None = None,
) -> Result:
    """Merge figures and run metadata into JSON-native values; `slo` (unit_ms, ...) is added to the SLO figures.

    `config` must hold no secrets: nothing is removed here.
    """
    values: dict[str, object] = {
        "layout": LAYOUT,
        **figures,
        "backend": backend,
        "endpoint": endpoint,
        "model": model,
        "dataset": dataset,
        "task": task,
        "bot_task": bot_task,
        "num_outputs_per_prompt": num_outputs_per_prompt,
        "slo": {**figures["slo"], **slo},
        "warmup": warmup,
        "config": config,
        "environment": environment,
        "processes": processes,
        "server_metrics": server_metrics,
        "media": {**media, **figures["media"]},
        "remarks": remarks,
    }
    return cast("Result", {key: native(values[key]) for key in KEYS})


def dump(result: Mapping[str, object]) -> bytes:
    """Write a result as UTF-8 JSON, indented by two, with a final newline and without control characters."""
    encoded = orjson.dumps(native(result), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
    return _CONTROLS.sub(lambda match: b"\\u00%02x" % match[0][-1], encoded)


def native(value: object) -> object:
    """Convert to a JSON-native value: nan becomes null, infinity "inf", an unknown type its text.

    Text that is not valid UTF-8 becomes "?", so that an odd path or server message cannot lose a report.
    """
    match value:
        case None | bool() | int():
            return value
        case float():
            return value if math.isfinite(value) else None if math.isnan(value) else str(value)
        case Mapping():
            return {_text(key): native(item) for key, item in value.items()}
        case list() | tuple():
            return [native(item) for item in value]
        case _:
            return _text(value)


def _text(value: object) -> str:
    return str(value).encode(errors="replace").decode()
