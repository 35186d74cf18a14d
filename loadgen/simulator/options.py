"""What a simulated server is asked to be, and the flags of `loadgen serve` that say it."""

import argparse
import math
from dataclasses import dataclass, fields
from typing import Final

from loadgen.errors import UsageError

SERVICES: Final = ("constant", "exponential", "lognormal")
MEDIA: Final = ("auto", "image", "video")
_CHOICES: Final = {"service": SERVICES, "media": MEDIA}


@dataclass(frozen=True, slots=True)
class SimulatorOptions:
    """Where to listen, how long a generation takes, how an answer looks and how often things go wrong.

    Mean service in ms = base_ms + unit_ms * max(w*h/256, 1) * max(frames, 1) * max(steps, 1); `service_sigma` is the
    standard deviation of the logarithm of a lognormal service time. Rates are probabilities per request.
    Raises UsageError that names the flag.
    """

    host: str = "127.0.0.1"
    port: int = 8091
    replicas: int = 1
    base_ms: float = 20.0
    unit_ms: float = 0.0001
    service: str = "constant"
    service_sigma: float = 0.5
    seed: int = 0
    media_bytes: int = 20_000
    fail_rate: float = 0.0
    stall: float = 0.0
    reset_rate: float = 0.0
    model: str = "default"
    media: str = "auto"

    def __post_init__(self) -> None:
        _require("--port", self.port, 0 <= self.port <= 65_535, "0 to 65535 (0 takes a free one)")
        _require("--replicas", self.replicas, 1 <= self.replicas <= 100_000, "1 to 100000")
        for flag, amount in (("base-ms", self.base_ms), ("unit-ms", self.unit_ms)):
            _require(f"--{flag}", amount, 0 <= amount < math.inf, "a finite number of milliseconds, 0 or more")
        _require("--service", self.service, self.service in SERVICES, f"one of {', '.join(SERVICES)}")
        _require("--service-sigma", self.service_sigma, 0 <= self.service_sigma <= 5, "0 to 5")
        _require("--media-bytes", self.media_bytes, 0 <= self.media_bytes <= 1 << 26, "0 to 67108864 (64 MiB)")
        for flag, share in (("fail-rate", self.fail_rate), ("stall", self.stall), ("reset-rate", self.reset_rate)):
            _require(f"--{flag}", share, 0 <= share <= 1, "a probability, 0 to 1")
        faulty = self.fail_rate + self.stall + self.reset_rate
        _require("--fail-rate + --stall + --reset-rate =", faulty, faulty <= 1 + 1e-9, "at most 1")
        _require("--media", self.media, self.media in MEDIA, f"one of {', '.join(MEDIA)}")
        _require("--model", repr(self.model), bool(self.model), "a name")


def _require(flag: str, value: object, holds: bool, rule: str) -> None:
    if not holds:
        raise UsageError(f"{flag} {value}: must be {rule}")


_HELP: Final = {
    "host": "address to listen on",
    "port": "port to listen on; 0 takes a free one",
    "replicas": "generations that can run at the same time; the others queue, first come first served",
    "base_ms": "fixed part of the mean service time, in ms",
    "unit_ms": "mean ms per unit of work; units = max(w*h/256, 1) * frames * steps",
    "service": "distribution of the service time around its mean",
    "service_sigma": "spread of --service lognormal: standard deviation of the logarithm",
    "seed": "seed of service times and faults",
    "media_bytes": "size of an answer's image or video, before base64",
    "fail_rate": "share of requests answered by HTTP 500",
    "stall": "share of requests that are never answered",
    "reset_rate": "share of requests whose connection is reset",
    "model": "the name that /v1/models tells",
    "media": "what an answer holds; auto is a video for more than one frame, else an image and a short clip",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags of `loadgen serve`: one per field of SimulatorOptions, whose defaults they take."""
    for field in fields(SimulatorOptions):
        parser.add_argument(
            f"--{field.name.replace('_', '-')}",
            type=type(field.default),
            default=field.default,
            choices=_CHOICES.get(field.name),
            help=f"{_HELP[field.name]} (default: %(default)s)",
        )


def from_arguments(namespace: argparse.Namespace) -> SimulatorOptions:
    """Read the options back from parsed flags; raises UsageError that names the flag."""
    return SimulatorOptions(**{field.name: getattr(namespace, field.name) for field in fields(SimulatorOptions)})
