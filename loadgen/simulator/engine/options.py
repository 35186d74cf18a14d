"""The options of a simulated server, and the flags of `loadgen serve` that set them."""

import argparse
import math
from dataclasses import dataclass, fields
from http import HTTPStatus
from typing import Final

from loadgen.errors import UsageError

SERVICES: Final = ("constant", "exponential", "lognormal")
MEDIA: Final = ("auto", "image", "video")
FRAMINGS: Final = ("length", "chunked", "close")
SERVERS: Final = ("any", "vllm-omni-0.30", "sglang-0.5.23", "dynamo", "lightx2v")
KINDS: Final = ("image", "edit", "video")
_CHOICES: Final = {"service": SERVICES, "media": MEDIA, "framing": FRAMINGS, "server": SERVERS, "kind": KINDS}


@dataclass(frozen=True, slots=True)
class SimulatorOptions:
    """Address, service times, answer format and fault rates.

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
    cut_rate: float = 0.0
    garbage_rate: float = 0.0
    model: str = "default"
    media: str = "auto"
    bytes_per_pixel: float = 0.0
    framing: str = "length"
    http_errors: str = ""
    tls: bool = False
    tls_cert: str = ""
    tls_key: str = ""
    server: str = "any"
    kind: str = "image"
    profiler: bool = False
    fail_prompt: str = ""
    abort_ms: float = 0.0

    def __post_init__(self) -> None:
        _require("--port", self.port, 0 <= self.port <= 65_535, "0 to 65535 (0 for a free port)")
        _require("--replicas", self.replicas, 1 <= self.replicas <= 100_000, "1 to 100000")
        for flag, amount in (("base-ms", self.base_ms), ("unit-ms", self.unit_ms), ("abort-ms", self.abort_ms)):
            _require(f"--{flag}", amount, 0 <= amount < math.inf, "a finite number of milliseconds, 0 or more")
        _require("--service", self.service, self.service in SERVICES, f"one of {', '.join(SERVICES)}")
        _require("--service-sigma", self.service_sigma, 0 <= self.service_sigma <= 5, "0 to 5")
        _require("--media-bytes", self.media_bytes, 0 <= self.media_bytes <= 1 << 26, "0 to 67108864 (64 MiB)")
        rates = ("fail_rate", "stall", "reset_rate", "cut_rate", "garbage_rate")
        shares = {f"--{name.replace('_', '-')}": getattr(self, name) for name in rates}
        for flag, share in shares.items():
            _require(flag, share, 0 <= share <= 1, "a probability, 0 to 1")
        faulty = sum(shares.values()) + sum(share for _, share in http_shares(self.http_errors))
        _require(f"{' + '.join(shares)} + --http-errors =", faulty, faulty <= 1 + 1e-9, "at most 1")
        _require("--media", self.media, self.media in MEDIA, f"one of {', '.join(MEDIA)}")
        _require("--model", repr(self.model), bool(self.model), "a non-empty name")
        _require("--bytes-per-pixel", self.bytes_per_pixel, 0 <= self.bytes_per_pixel <= 8, "0 to 8")
        _require("--framing", self.framing, self.framing in FRAMINGS, f"one of {', '.join(FRAMINGS)}")
        _require("--server", self.server, self.server in SERVERS, f"one of {', '.join(SERVERS)}")
        _require("--kind", self.kind, self.kind in KINDS, f"one of {', '.join(KINDS)}")
        _require("--tls-key", self.tls_key, not self.tls_key or bool(self.tls_cert), "given with --tls-cert")

    @property
    def scheme(self) -> str:
        """The scheme of its URL."""
        return "https" if self.tls or self.tls_cert else "http"


def _require(flag: str, value: object, holds: bool, rule: str) -> None:
    if not holds:
        raise UsageError(f"{flag} {value}: must be {rule}")


def http_shares(text: str) -> tuple[tuple[int, float], ...]:
    """Parse `--http-errors`; 503:0.1,429:0.05 answers a tenth of the requests with 503. Raises UsageError."""
    return tuple(_http_share(pair.strip()) for pair in text.split(",")) if text else ()


def _http_share(pair: str) -> tuple[int, float]:
    status, _, share = pair.partition(":")
    rule = "STATUS:SHARE pairs separated by commas, such as 503:0.1,429:0.05; a status of 400 to 599, a share of 0 to 1"
    try:
        found = int(HTTPStatus(int(status))), float(share)
    except ValueError:
        found = 0, 0.0
    _require("--http-errors", pair, 400 <= found[0] <= 599 and 0 <= found[1] <= 1, rule)
    return found


_HELP: Final = {
    "host": "address to listen on",
    "port": "port to listen on; 0 chooses a free one",
    "replicas": "generations that can run at the same time; the others queue, first come first served",
    "base_ms": "fixed part of the mean service time, in ms",
    "unit_ms": "mean ms per unit of work; units = max(w*h/256, 1) * frames * steps",
    "service": "distribution of the service time around its mean",
    "service_sigma": "spread of --service lognormal: standard deviation of the logarithm",
    "seed": "seed of service times and faults",
    "media_bytes": "size of an answer's image or video in bytes, before base64",
    "fail_rate": "share of requests answered by HTTP 500",
    "stall": "share of requests that are never answered",
    "reset_rate": "share of requests whose connection is reset",
    "cut_rate": "share of requests answered by half a body before the connection closes",
    "garbage_rate": "share of requests answered by bytes that are not HTTP",
    "model": "model name in /v1/models; with --server, default is a name of that server's own",
    "server": "the server whose answers, errors and refusals are given; any takes what every --backend sends",
    "kind": "what the --server is for: text to image, image edits, or videos",
    "profiler": "give stage times with --server vllm-omni-0.30, as with its --enable-diffusion-pipeline-profiler",
    "fail_prompt": "requests whose prompt has this text fail like those of --fail-rate",
    "abort_ms": "time in ms that the DELETE of a running job takes",
    "bytes_per_pixel": "image size in bytes per pixel, if larger than --media-bytes; photographs take about 1.5",
    "framing": "message framing of answers: Content-Length, chunked, or until the connection closes",
    "http_errors": "share of requests answered by each status, such as 503:0.1,429:0.05",
    "tls": "serve https with a new self-signed certificate; clients must skip verification (bench --insecure)",
    "tls_cert": "serve https with this PEM certificate",
    "tls_key": "private key of --tls-cert, unless it is in the same file",
    "media": "media of a chat answer; auto: a video for more than one frame, else an image and a one-frame video",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags of `loadgen serve`: one per field of SimulatorOptions, with the same defaults."""
    for field in fields(SimulatorOptions):
        flag = f"--{field.name.replace('_', '-')}"
        if isinstance(field.default, bool):
            parser.add_argument(flag, action="store_true", help=_HELP[field.name])
            continue
        parser.add_argument(
            flag,
            type=type(field.default),
            default=field.default,
            choices=_CHOICES.get(field.name),
            help=f"{_HELP[field.name]} (default: {'none' if field.default == '' else field.default})",
        )


def from_arguments(namespace: argparse.Namespace) -> SimulatorOptions:
    """Build the options from parsed flags; raises UsageError that names the flag."""
    return SimulatorOptions(**{field.name: getattr(namespace, field.name) for field in fields(SimulatorOptions)})
