"""The flags that say which server is asked, in which dialect, and how it lets us in."""

import argparse

from loadgen.backends import BACKENDS
from loadgen.cli.argument_types import count, not_negative, positive, size
from loadgen.options import MAX_BODY_BYTES


def add_arguments(group: "argparse._ArgumentGroup") -> None:
    """Add them to their group of `loadgen bench`."""
    group.add_argument(
        "--base-url",
        action="append",
        metavar="URL",
        help="the server, path prefix included; repeated for replicas, which take turns (default: http://HOST:PORT)",
    )
    group.add_argument("--host", default="localhost", help="used without --base-url (default: %(default)s)")
    group.add_argument("--port", type=int, default=8091, help="used without --base-url (default: %(default)s)")
    group.add_argument(
        "--simulate",
        nargs="?",
        const="",
        metavar="FLAGS",
        help="start the embedded server for this run, such as --simulate='--replicas 4'; see `loadgen serve --help`",
    )
    group.add_argument(
        "--backend",
        default="vllm-omni",
        metavar="NAME",
        help=f"the dialect: {_backends()}; or an entry point of the group loadgen.backends (default: %(default)s)",
    )
    group.add_argument("--model", default="default", help="model name in every request (default: %(default)s)")
    group.add_argument(
        "--extra-body",
        metavar="JSON",
        help="object of further fields for every request; wins over rows and flags, null leaves a field out",
    )
    group.add_argument(
        "--n", type=count, default=1, metavar="N", help="images a request, and in its answer (default: %(default)s)"
    )
    group.add_argument(
        "--api-key",
        metavar="KEY",
        help="sent as a bearer token, never shown; `ps` may see it for an instant (default: $OPENAI_API_KEY)",
    )
    group.add_argument("--api-key-file", metavar="PATH", help="read the key from the first line of this file")
    group.add_argument(
        "--header", action="append", default=[], metavar="K=V", help="further header for every request; repeatable"
    )
    group.add_argument("--ca-file", metavar="PEM", help="https: trust these certificates")
    group.add_argument("--insecure", action="store_true", help="https: trust any certificate")
    group.add_argument("--proxy", metavar="URL", help="go through an HTTP proxy (aiohttp transport)")
    group.add_argument(
        "--max-body-bytes",
        type=size,
        default=MAX_BODY_BYTES,
        metavar="N",
        help="an answer with a larger body is a failure (default: 1 GiB)",
    )
    group.add_argument(
        "--timeout", type=positive, metavar="S", help="give a request, any of a job too, up after this (default: never)"
    )
    group.add_argument(
        "--wait-for-server",
        type=not_negative,
        default=0.0,
        metavar="S",
        help="how long the server may take to come up (default: one try)",
    )
    group.add_argument(
        "--server-metrics", action="append", default=[], metavar="URL", help="Prometheus page, or its path; repeatable"
    )


def _backends() -> str:
    """The table of endpoints in words."""
    return ", ".join(f"{name} ({' '.join(one.tasks)})" for name, one in BACKENDS.items())
