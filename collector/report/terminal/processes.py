"""The tool's own section of the report: CPU and memory of its processes, and the machine's scheduling delays."""

from collections.abc import Iterator, Mapping
from typing import Any

from collector.text import quantity


def lines(processes: Mapping[str, Mapping[str, Any]]) -> Iterator[tuple[str, str]]:
    """Yield (name, text) of each measured process, the machine last."""
    for name, own in processes.items():
        if "cpu_share" in own:
            yield name, ", ".join(_parts(own))
    sampler = processes.get("sampler", {})
    if sampler.get("samples"):
        yield "machine", _machine(sampler)


def _parts(own: Mapping[str, Any]) -> Iterator[str]:
    polling = own["cpu_share"] - own.get("busy_share", own["cpu_share"])
    yield f"{quantity.share(own.get('busy_share', own['cpu_share']))} of a core"
    if polling > 0.005:
        yield f"{quantity.share(polling)} busy-polling"
    if own.get("stalls"):
        yield f"{own['stalls']} stalls, max {quantity.seconds(own['longest_stall_s'])}"
    yield f"{own['peak_memory_mb']:.0f} MB"
    if own.get("transport"):
        yield f"{own['transport']}, {own['timer']}"
    if own.get("undeleted"):
        yield f"{own['undeleted']} jobs could not be deleted on the server"
    if own.get("deleting"):
        yield f"the server was still deleting {own['deleting']} jobs at the end"
    if own.get("unfinished"):
        yield f"{own['unfinished']} jobs were still unfinished on the server at the end"
    if own.get("unknown_states"):
        yield f"unknown states of jobs: {', '.join(own['unknown_states'])}"
    if own.get("cores"):
        yield f"core {', '.join(map(str, own['cores']))}, {own['involuntary_switches']} involuntary context switches"
    if own.get("realtime"):
        yield f"real-time: {own['realtime']}"


def _machine(sampler: Mapping[str, Any]) -> str:
    times = f"p50 {quantity.seconds(sampler['p50'])}, p99 {quantity.seconds(sampler['p99'])}"
    return f"timer wake-up delay {times}, max {quantity.seconds(sampler['max'])}; {sampler['stalls']} stalls"
