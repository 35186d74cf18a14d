"""Where and with what a run was made, for its report. No secret ever comes in here."""

import dataclasses
import platform
import socket
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

from loadgen.options import BenchOptions
from loadgen.pins import usable_cores
from loadgen.target import redacted

_PACKAGES = ("diffusion-loadgen", "aiohttp", "numpy", "orjson", "pyzmq", "uvloop")


def environment() -> dict[str, Any]:
    """Versions, cores and host."""
    return {
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "host": socket.gethostname(),
        "system": platform.platform(),
        "cores": len(usable_cores()),
        "python": platform.python_version(),
        "packages": {name: version(name) for name in _PACKAGES},
    }


def config(options: BenchOptions) -> dict[str, Any]:
    """The options as they were used, without secrets: of headers only the names are kept."""
    shown = dataclasses.asdict(options)
    target = shown["target"]
    del target["api_key"]
    target["base_url"] = redacted(target["base_url"])
    target["proxy"] = redacted(target["proxy"]) if target["proxy"] else None
    target["headers"] = sorted(target["headers"])
    return shown
