"""The one seam to the network: one file per HTTP client."""

from loadgen.target import Target
from loadgen.transport.seam import Transport


def make_transport(name: str, target: Target) -> Transport:
    """Return the HTTP client called `name`; only the one that is used gets imported."""
    assert name == "aiohttp", name
    from loadgen.transport.aiohttp import AiohttpTransport

    return AiohttpTransport(target)
