"""The result of a run: its figures with everything that says how they came about."""

from collector.report import json
from collector.result import Result
from loadgen.command.environment import config, environment
from loadgen.options import BenchOptions
from loadgen.plan import Plan
from loadgen.run import Measured


def assemble(measured: Measured, plan: Plan, options: BenchOptions) -> Result:
    """Put the result JSON together."""
    good = [warmup for warmup in measured.warmups if warmup.error is None]
    return json.assemble(
        measured.figures,
        config=config(options),
        environment={**environment(), "source": plan.source},
        self_measured=measured.processes,
        warmup={
            "requests": len(measured.warmups),
            "ok": len(good),
            "latency_s": [warmup.latency_ms / 1e3 if warmup.error is None else None for warmup in measured.warmups],
            "errors": [f"{warmup.error}: {warmup.detail}" for warmup in measured.warmups if warmup.error is not None],
        },
        slo={"model": "linear", "unit_ms": measured.unit_ms} if options.slo.enabled else {},
        backend=options.target.backend,
        model=options.target.model,
        dataset=options.data.dataset,
        task=options.data.task,
    )
