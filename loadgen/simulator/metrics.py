"""The Prometheus page of the simulated server, with names as vLLM has them."""

from typing import Final

from loadgen.simulator.engine.options import SimulatorOptions

TEXT: Final = "text/plain; version=0.0.4; charset=utf-8"


def page(options: SimulatorOptions, occupancy: tuple[int, int], requests: int) -> str:
    """Write the page: generations that run and that wait, the share of replicas at work, requests so far."""
    running, waiting = occupancy
    series = (
        ("num_requests_running", "gauge", "Generations at work.", running),
        ("num_requests_waiting", "gauge", "Generations that wait for a replica.", waiting),
        ("gpu_utilization", "gauge", "Share of the replicas that are at work.", running / options.replicas),
        ("requests_total", "counter", "Requests that came.", requests),
    )
    model = options.model.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
    return "".join(
        f'# HELP vllm:{name} {about}\n# TYPE vllm:{name} {kind}\nvllm:{name}{{model_name="{model}"}} {value}\n'
        for name, kind, about, value in series
    )
