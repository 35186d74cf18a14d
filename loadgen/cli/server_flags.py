"""The flags of the server: its URL, the backend (wire format), authentication, TLS and limits."""

import argparse

from loadgen.backends import BACKENDS
from loadgen.cli.argument_types import count, not_negative, positive, size
from loadgen.options import MAX_BODY_BYTES


def add_arguments(group: "argparse._ArgumentGroup") -> None:
    """Add them to a group of `loadgen bench`."""
    group.add_argument(
        "--base-url",
        action="append",
        metavar="URL",
        help="server URL with path prefix; repeat it for replicas, used in turn (default: http://HOST:PORT)",
    )
    group.add_argument(
        "--host", metavar="NAME", default="localhost", help="server host, without --base-url (default: %(default)s)"
    )
    group.add_argument(
        "--port", type=int, metavar="N", default=8091, help="server port, without --base-url (default: %(default)s)"
    )
    group.add_argument(
        "--simulate",
        nargs="?",
        const="",
        metavar="FLAGS",
        help="start a simulated server for this run, with these flags of loadgen serve, such as '--replicas 4'",
    )
    group.add_argument(
        "--backend",
        default="vllm-omni",
        metavar="NAME",
        help=f"wire format: {_backends()}; or an entry point of the group loadgen.backends (default: %(default)s)",
    )
    group.add_argument(
        "--model", metavar="NAME", default="default", help="model name in each request (default: %(default)s)"
    )
    group.add_argument(
        "--extra-body",
        metavar="JSON",
        help="JSON object of more fields for each request; overrides samples and flags, null removes a field",
    )
    group.add_argument(
        "--n", type=count, default=1, metavar="N", help="images to generate per request (default: %(default)s)"
    )
    group.add_argument(
        "--response-format",
        choices=("b64_json", "url"),
        help="how images come. b64_json: in the answer; url: fetched from the server by a second request, inside the"
        " latency (default: b64_json)",
    )
    group.add_argument(
        "--api-key",
        metavar="KEY",
        help="bearer token; never shown, but `ps` may see it for an instant (default: $OPENAI_API_KEY)",
    )
    group.add_argument("--api-key-file", metavar="PATH", help="read the API key from the first line of this file")
    group.add_argument(
        "--header", action="append", default=[], metavar="NAME=VALUE", help="header for each request; repeatable"
    )
    group.add_argument("--ca-file", metavar="PEM", help="https: CA certificates to trust")
    group.add_argument("--insecure", action="store_true", help="https: do not verify the certificate")
    group.add_argument("--proxy", metavar="URL", help="HTTP proxy; uses the aiohttp transport")
    group.add_argument(
        "--max-body-bytes",
        type=size,
        default=MAX_BODY_BYTES,
        metavar="N",
        help="largest body of an answer in bytes; a larger one is a failure (default: 1 GiB)",
    )
    group.add_argument(
        "--timeout",
        type=positive,
        metavar="S",
        help="seconds until an HTTP request times out, those of a video job included (default: none)",
    )
    group.add_argument(
        "--wait-for-server",
        type=not_negative,
        default=0.0,
        metavar="S",
        help="seconds to wait until the server is ready (default: one attempt)",
    )
    group.add_argument(
        "--server-metrics",
        action="append",
        default=[],
        metavar="URL",
        help="Prometheus metrics endpoint to scrape, or its path on the server; repeatable",
    )


def _backends() -> str:
    """The built-in backends and their tasks."""
    return ", ".join(f"{name} ({' '.join(one.tasks)})" for name, one in BACKENDS.items())
