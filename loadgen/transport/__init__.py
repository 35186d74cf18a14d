"""The one seam to the network: one file per HTTP client."""

from typing import Final

from loadgen.options import TargetOptions
from loadgen.transport.interface import Transport
from loadgen.transport.target import Target

NAMES: Final = ("native", "aiohttp")


def choose(name: str, options: TargetOptions) -> str:
    """What `auto` comes to: native, unless the run needs what only aiohttp has."""
    if name != "auto":
        return name
    return "aiohttp" if options.proxy else "native"


def make_transport(name: str, target: Target) -> Transport:
    """Return the HTTP client called `name`, in the running loop; only the one that is used gets imported."""
    if name == "native":
        from loadgen.transport.native import NativeTransport

        return NativeTransport(target)
    from loadgen.transport.aiohttp import AiohttpTransport

    return AiohttpTransport(target)
