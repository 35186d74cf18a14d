"""The command line of `scripts/bench`."""

import argparse
import signal
import sys
from collections.abc import Sequence

from loadgen.system.cpu_affinity import usable_cores
from scripts.benching import components, peers, polling
from scripts.benching.errors import NoResultError
from scripts.benching.goals import goals_table
from scripts.benching.machine import machine
from scripts.benching.media import media_table
from scripts.benching.nginx import Nginx, install_missing, nginx
from scripts.benching.rates_table import rates_table
from scripts.benching.rounds import Place, Rounds, tell


def main() -> None:
    """Measure what the flags select and print Markdown tables."""
    flags = read_flags()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that nginx is stopped too
    missing = [] if flags.parts else install_missing()
    for name in missing:
        tell(f"{name} is missing: as root, apt-get install nginx-light wrk; continuing without it")
    print(f"\n{machine()}\n")
    if flags.parts or "nginx" in missing:
        print(f"{components.components_table()}\n{polling.polling_table()}")
        return
    cores = usable_cores()
    with nginx(cores[0]) as server:
        place = Place(server, cores[0], cores[-1], "wrk" not in missing, 2.0 if flags.quick else 5.0)
        if flags.media:
            print(media_table(place, flags.rounds, quick=flags.quick))
            return
        if not flags.only_peers:
            measure(place, flags)
        if flags.peers or flags.only_peers:
            print_peers(server)


def read_flags(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line, or `arguments` instead of it."""
    parser = argparse.ArgumentParser(prog="scripts/bench", description=sys.modules["scripts.benching"].__doc__)
    parser.add_argument(
        "--quick", action="store_true", help="one round of short runs; without the run of 1,000,000 requests"
    )
    parser.add_argument("--rounds", type=int, default=3, help="number of rounds that medians are over (default: 3)")
    parser.add_argument("--parts", action="store_true", help="only components in isolation")
    parser.add_argument("--media", action="store_true", help="only the cost of media: verified, saved, sent as input")
    parser.add_argument("--peers", action="store_true", help="AIPerf too, installed from the package index")
    parser.add_argument("--only-peers", action="store_true", help="only AIPerf")
    flags = parser.parse_args(arguments)
    if flags.rounds < 1:
        parser.error("--rounds: give 1 or more")
    if flags.quick:
        flags.rounds = 1
    return flags


def measure(place: Place, flags: argparse.Namespace) -> None:
    """Measure the rounds, then the goals that are not part of rounds."""
    rounds = Rounds(place)
    try:
        for _ in range(flags.rounds):
            rounds.take()
    except NoResultError as error:
        sys.exit(f"scripts/bench: {error}")
    print(rates_table(rounds), flush=True)
    print(goals_table(rounds, flags.rounds, quick=flags.quick), flush=True)


def print_peers(server: Nginx) -> None:
    """Measure the peers against the same server."""
    print(f"\n{peers.peers_table(peers.measure(server.text))}")


if __name__ == "__main__":
    main()
