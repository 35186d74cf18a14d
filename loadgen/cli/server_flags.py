"""The flags of the server: its URL, the backend (wire format), authentication, TLS and limits."""

import argparse

from loadgen.backends import BACKENDS
from loadgen.cli.argument_types import count, not_negative, positive, size
from loadgen.errors import UsageError
from loadgen.options import AUTO, MAX_BODY_BYTES
from loadgen.server.url import endpoint_path


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
        type=backend,
        default=AUTO,
        metavar="NAME",
        help=f"wire format: {_backends()}; or an entry point of the group loadgen.backends"
        " (default: auto, by the task and the server's /openapi.json)",
    )
    group.add_argument(
        "--endpoint",
        type=endpoint,
        metavar="PATH",
        help="path of the requests, instead of the backend's own, such as /v1/images/generations",
    )
    group.add_argument(
        "--model", metavar="NAME", help="model name in each request (default: the only one that the server has)"
    )
    group.add_argument(
        "--extra-body",
        metavar="JSON",
        help="JSON object of more fields for each request; overrides samples and flags, null removes a field",
    )
    group.add_argument(
        "--num-outputs-per-prompt",
        "--n",
        dest="n",
        type=count,
        default=1,
        metavar="N",
        help="images or videos to generate per request (default: %(default)s)",
    )
    group.add_argument(
        "--bot-task", metavar="TASK", help="field bot_task of image requests, such as think, unless the sample sets it"
    )
    group.add_argument(
        "--return-stage-metrics", action="store_true", help="ask the server for stage times, by a field of that name"
    )
    group.add_argument(
        "--disable-auto-edits",
        action="store_true",
        help="--backend auto: send the tasks i2i, ti2i, it2i to chat completions, not to images/edits",
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
    group.add_argument("--cert", metavar="PEM", help="https: certificate of the client")
    group.add_argument("--key", metavar="PEM", help="https: its private key (default: in --cert)")
    group.add_argument("--insecure", action="store_true", help="https: do not verify the certificate")
    group.add_argument(
        "--unix-socket", metavar="PATH", help="connect to this Unix socket; --base-url has the Host header"
    )
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
    group.add_argument("--skip-health-check", action="store_true", help="start without asking for /health")
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


def backend(text: str) -> str:
    """The name of a backend; its path, with or without the leading slash, is a spelling of it."""
    spelled = text.strip("/")
    by_path = {
        each.path.strip("/"): name for name, each in reversed(tuple(BACKENDS.items()))
    }  # the first of a path wins
    return text if text in BACKENDS else by_path.get(spelled, text)


def endpoint(text: str) -> str:
    """A path, with or without the leading slash."""
    try:
        return endpoint_path(text)
    except UsageError as error:
        raise argparse.ArgumentTypeError(str(error).removeprefix("--endpoint ")) from None
