"""Tries this tool against servers, row by row, and prints the table of docs/servers.md: `scripts/servers`."""

import argparse
import datetime
import os
import sys
import tempfile
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from scripts.benching.table import markdown
from scripts.serving.attempt import Attempt, attempt
from scripts.serving.rows import ROWS
from scripts.serving.servers import SERVERS, simulated_servers, started_servers
from scripts.serving.stand_in import fill

HEAD = ("server", "version", "section", "command", "expected", "outcome", "ok")
PAGE = Path(__file__).parents[2] / "docs" / "servers.md"
VERSIONS = {server.name: server.version for server in SERVERS}


def main() -> int:
    """Run the rows; return 1 if one of them is not as expected."""
    arguments = _parser().parse_args()
    rows = [row for row in ROWS if arguments.only in row.section and not (arguments.simulate and row.real_only)]
    with tempfile.TemporaryDirectory() as cache, _servers(arguments) as urls:
        fill(Path(cache))
        pairs = [(row, server) for row in rows for server in row.servers if server in urls]
        with ThreadPoolExecutor(arguments.jobs) as pool:
            done = list(pool.map(lambda pair: attempt(pair[0], pair[1], urls[pair[1]], Path(cache)), pairs))
    text = table(done, simulated=arguments.simulate)
    print(text)
    if arguments.write:
        write(text)
    return int(not done or any(one.faults for one in done))


def table(attempts: list[Attempt], *, simulated: bool) -> str:
    """Return the date, how many rows are as expected, and the table."""
    good = sum(not one.faults for one in attempts)
    day = datetime.datetime.now(tz=datetime.UTC).date()
    against = "the simulated server in their roles" if simulated else "the servers"
    return f"{day}, against {against}: {good} of {len(attempts)} rows as expected\n\n" + markdown(
        HEAD, [_cells(one) for one in attempts]
    )


def write(text: str) -> None:
    """Put the table between its marks in docs/servers.md."""
    before, begin, rest = PAGE.read_text().partition("<!-- scripts/servers: begin -->\n")
    _, end, after = rest.partition("<!-- scripts/servers: end -->")
    PAGE.write_text(f"{before}{begin}\n{text}\n\n{end}{after}")


def _cells(one: Attempt) -> tuple[str, ...]:
    verdict = "yes" if not one.faults else f"NO: {'; '.join(one.faults)}"
    cells = (
        one.server,
        VERSIONS[one.server],
        one.row.section,
        f"`{one.command}`",
        one.row.expected,
        one.outcome,
        verdict,
    )
    return tuple(cell.replace("|", "\\|") for cell in cells)


def _servers(arguments: argparse.Namespace) -> AbstractContextManager[Mapping[str, str]]:
    if arguments.simulate:
        return simulated_servers()
    if arguments.url:
        return nullcontext(dict(arguments.url))
    if not arguments.peers:
        raise SystemExit("scripts/servers: give --simulate, --url NAME=URL, or --peers DIR")
    return started_servers(Path(arguments.peers))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="scripts/servers", description=__doc__)
    parser.add_argument("--simulate", action="store_true", help="our simulated server in the role of each")
    parser.add_argument(
        "--url",
        action="append",
        type=_named,
        metavar="NAME=URL",
        help=f"a server that is up; names: {', '.join(VERSIONS)}",
    )
    parser.add_argument(
        "--peers", default=os.environ.get("PEERS_HOME"), help="folder of start.sh (default: $PEERS_HOME)"
    )
    parser.add_argument("--only", default="", help="only rows whose section has this text, such as defaults or 2")
    parser.add_argument("--jobs", type=int, default=1, help="commands at a time (default: %(default)s)")
    parser.add_argument("--write", action="store_true", help="also put the table into docs/servers.md")
    return parser


def _named(text: str) -> tuple[str, str]:
    name, _, url = text.partition("=")
    if name not in VERSIONS or not url:
        raise argparse.ArgumentTypeError(f"{text!r}: must be NAME=URL with a name of {', '.join(VERSIONS)}")
    return name, url


if __name__ == "__main__":
    sys.exit(main())
