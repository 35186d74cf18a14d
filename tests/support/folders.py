"""Run folders built from arrays, so that the result of a comparison is known in advance."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from collector.records.record import RECORD, ErrorKind, Outcome
from collector.saved import run_folder
from collector.summary.result import LAYOUT
from tests.support.runs import START, S

Floats = NDArray[np.float64]


def write_run(
    folder: Path,
    arrivals_s: Floats,
    response_s: Floats,
    *,
    outcome: NDArray[np.int64] | None = None,
    slo_ms: float = float("nan"),
    rate: float = 10.0,
    cap: int = 1_000_000,
    digest: str | None = "d1",
    config: Mapping[str, Any] | None = None,
    confidence: float = 0.95,
) -> Path:
    """Save a run whose requests were all sent on time and ended after `response_s` with `outcome` (default: ok)."""
    n = len(arrivals_s)
    folder.mkdir(parents=True)
    plan, records = np.zeros(n, run_folder.PLANNED), np.zeros(n, RECORD)
    plan["arrival_ns"], plan["slo_ms"] = np.round(arrivals_s * S), slo_ms
    records["index"], records["peak_memory_mb"], records["status"] = np.arange(n), np.nan, 200
    records["scheduled_ns"] = records["sent_ns"] = START + plan["arrival_ns"]
    records["done_ns"] = records["sent_ns"] + np.round(response_s * S).astype(np.int64)
    records["outcome"] = Outcome.OK if outcome is None else outcome
    records["error"] = np.where(records["outcome"] == Outcome.ERROR, ErrorKind.RESET, ErrorKind.NONE)
    parameters = {
        "output_format": "",
        "max_concurrency": cap,
        "asked_rate": str(rate),
        "latency_from": "scheduled",
        "slo_enabled": bool(np.isfinite(slo_ms)),
        "slo_scale": 3.0,
        "confidence": confidence,
        "arrival": "constant",
        "burstiness": 1.0,
        "rate_series": [],
        "urls": [],
    }
    about = {"requests": n, **({} if digest is None else {"digest": digest})}
    run = {"layout": LAYOUT, "started_ns": START, "parameters": parameters, "plan": about, "config": config or {}}
    end: dict[str, Any] = {
        "sent_count": n,
        "stopped_ns": None,
        "drained_ns": None,
        "ended_ns": int(records["done_ns"].max()),
        "died": [],
        "busiest_sender": None,
    }
    (folder / run_folder.PLAN).write_bytes(plan.tobytes())
    (folder / run_folder.RECORDS).write_bytes(records.tobytes())
    (folder / run_folder.SEND_TIMES).write_bytes(records["sent_ns"].tobytes())
    (folder / run_folder.RUN).write_bytes(orjson.dumps(run))
    (folder / run_folder.SUMMARY).write_bytes(orjson.dumps({"layout": LAYOUT, "end": end}))
    return folder
