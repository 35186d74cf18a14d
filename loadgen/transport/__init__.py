"""The network: HTTP clients behind one interface, and where requests go. It knows no plan and no schedule."""

from typing import Final

from loadgen.options import TargetOptions
from loadgen.server.target import Target
from loadgen.transport.interface import Transport

NAMES: Final = ("native", "aiohttp")


def choose(name: str, options: TargetOptions) -> str:
    """Resolve `auto`: native, or aiohttp if there is a proxy, which only aiohttp supports."""
    if name != "auto":
        return name
    return "aiohttp" if options.proxy else "native"


def make_transport(name: str, target: Target) -> Transport:
    """Return the HTTP client called `name`, in the running loop; imports only that one."""
    if name == "native":
        from loadgen.transport.native import NativeTransport

        return NativeTransport(target)
    from loadgen.transport.aiohttp import AiohttpTransport

    return AiohttpTransport(target)
