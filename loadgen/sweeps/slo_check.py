"""The check of a sweep or search before it sends anything: whether any request has an SLO target."""

from dataclasses import replace
from typing import Final

from loadgen.datasets import load
from loadgen.options import BenchOptions
from loadgen.server.discovery import with_defaults

WITHOUT_TARGETS: Final = ("random", "vbench")  # data sets whose samples have no slo_ms


def has_targets(options: BenchOptions) -> bool:
    """Whether flags or samples set SLO targets; raises UsageError for a data set that cannot be used."""
    return options.slo.enabled or (options.data.dataset not in WITHOUT_TARGETS and _samples_have(options))


def with_own_targets(options: BenchOptions) -> BenchOptions:
    """Return options that judge each request: targets of samples count also where no flag asks for them."""
    return replace(options, slo=replace(options.slo, enabled=has_targets(options)))


def _samples_have(options: BenchOptions) -> bool:
    data, _ = with_defaults(options.data, options.target)
    return any(sample.slo_ms is not None for sample in load(data, count=None).samples)
