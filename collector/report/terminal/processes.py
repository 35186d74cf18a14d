"""The tool's own part of the report: what its processes cost, and what they saw of the machine."""

from collections.abc import Iterator, Mapping
from typing import Any

from collector.text import quantity


def lines(processes: Mapping[str, Mapping[str, Any]]) -> Iterator[tuple[str, str]]:
    """Give (name, text) of each process that measured itself, the machine last."""
    for name, own in processes.items():
        if "cpu_share" in own:
            yield name, ", ".join(_parts(own))
    sampler = processes.get("sampler", {})
    if sampler.get("samples"):
        yield "machine", _machine(sampler)


def _parts(own: Mapping[str, Any]) -> Iterator[str]:
    awake = own["cpu_share"] - own.get("busy_share", own["cpu_share"])
    yield f"{quantity.share(own.get('busy_share', own['cpu_share']))} of a core"
    if awake > 0.005:
        yield f"{quantity.share(awake)} waiting awake"
    if own.get("stalls"):
        yield f"{own['stalls']} stalls, up to {quantity.seconds(own['longest_stall_s'])}"
    yield f"{own['peak_memory_mb']:.0f} MB"
    if own.get("transport"):
        yield f"{own['transport']}, {own['timer']}"
    if own.get("undeleted"):
        yield f"{own['undeleted']} jobs could not be deleted on the server"
    if own.get("cores"):
        yield f"core {', '.join(map(str, own['cores']))}, put off it {own['involuntary_switches']} times"
    if own.get("realtime"):
        yield f"real-time: {own['realtime']}"


def _machine(sampler: Mapping[str, Any]) -> str:
    times = f"p50 {quantity.seconds(sampler['p50'])}, p99 {quantity.seconds(sampler['p99'])}"
    return f"woke a sleeper late by {times}, max {quantity.seconds(sampler['max'])}; {sampler['stalls']} hiccup(s)"
