"""The `/metrics` page of the simulated server in the Prometheus text format, with the metric names of vLLM."""

from typing import Final

from loadgen.simulator.engine.options import SimulatorOptions

TEXT: Final = "text/plain; version=0.0.4; charset=utf-8"


def page(options: SimulatorOptions, occupancy: tuple[int, int], requests: int) -> str:
    """Return the page; `occupancy` is (running, waiting) generations, `requests` the requests received so far."""
    running, waiting = occupancy
    series = (
        ("num_requests_running", "gauge", "Generations in progress.", running),
        ("num_requests_waiting", "gauge", "Generations that wait for a replica.", waiting),
        ("gpu_utilization", "gauge", "Share of the replicas that are busy.", running / options.replicas),
        ("requests_total", "counter", "Requests received.", requests),
    )
    model = options.model.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
    return "".join(
        f'# HELP vllm:{name} {about}\n# TYPE vllm:{name} {kind}\nvllm:{name}{{model_name="{model}"}} {value}\n'
        for name, kind, about, value in series
    )
