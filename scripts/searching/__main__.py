"""Prints the tables of docs/search.md: `scripts/search_coverage`."""

import argparse
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from statistics import median
from typing import Any, Final

import orjson

from loadgen.search.bracket import Bracket
from scripts.benching.table import markdown
from scripts.searching.decision_errors import decision_errors
from scripts.searching.simulated_search import Server, contains, coverage

REAL: Final = Server(mu=50, slo_s=0.12)
ATTAINMENT: Final = 0.9
SERVERS: Final = (  # server, attainment, time limit (s), seconds that a run takes to start and to end
    (Server(1, 5), 0.9, 3_600, 3.0),
    (Server(1, 5), 0.9, 6 * 3_600, 3.0),
    (Server(1, 10), 0.99, 8 * 3_600, 3.0),
    (Server(10, 0.5), 0.9, 3_600, 2.0),
    (Server(100, 0.1), 0.99, 600, 1.0),
    (Server(200, 0.03), 0.9, 75, 1.5),
    (Server(200, 0.03), 0.9, 600, 1.5),
    (REAL, ATTAINMENT, 110, 1.5),
)


def main() -> None:
    """Print the table of the pure simulation, and that of real searches unless there are to be none."""
    parser = argparse.ArgumentParser(prog="scripts/search_coverage", description=__doc__)
    parser.add_argument("--seeds", type=int, default=20, help="real searches; 0 for none (default: %(default)s)")
    parser.add_argument("--time-limit", type=float, default=110, help="of each, in seconds (default: %(default)s)")
    parser.add_argument("--jobs", type=int, default=4, help="at a time (default: %(default)s)")
    parser.add_argument("--simulated", type=int, default=200, help="searches a row without processes; 0 for none")
    parser.add_argument("--edge", type=int, default=400, help="visits a case of rates at the edge; 0 for none")
    arguments = parser.parse_args()
    if arguments.simulated:
        rows = [coverage(*row, arguments.simulated) for row in SERVERS]
        head = (
            "mu /s",
            "SLO",
            "attainment",
            "truth /s",
            "time limit",
            "contains it",
            "both ends",
            "fails / holds",
            "took",
        )
        print(markdown(head, rows), flush=True)
    if arguments.edge:
        wrong = ("service", "load", "requests in a run", "attainment", "said to hold", "said to fail")
        print(f"\n{markdown(wrong, list(decision_errors(arguments.edge)))}", flush=True)
    if arguments.seeds:
        print(f"\ntruth {REAL.truth(ATTAINMENT):.1f}/s\n", flush=True)
        real(arguments.seeds, arguments.time_limit, arguments.jobs)


def real(seeds: int, time_limit_s: float, jobs: int) -> None:
    """Search `seeds` times with processes and sockets; print a row for each as it ends."""
    truth, begun_s = REAL.truth(ATTAINMENT), time.monotonic()
    with ThreadPoolExecutor(jobs) as pool:
        found = []
        for seed, one in enumerate(pool.map(lambda seed: search(seed, time_limit_s), range(seeds))):
            found.append(one)
            states = [state for test in one["tests"] for state in test["runs"]]
            inside = contains(Bracket(*one["bracket"]), truth)
            print(
                seed,
                one["bracket"],
                "contains" if inside else "MISSES",
                f"{one['duration_s']:.0f} s",
                states.count("INVALID"),
                "of",
                len(states),
                "INVALID",
                flush=True,
            )
    hits = sum(contains(Bracket(*one["bracket"]), truth) for one in found)
    both = sum(None not in one["bracket"] for one in found)
    took = [float(one["duration_s"]) for one in found]
    print(
        f"\n{hits} of {seeds} contain it, {both} have both ends; a search took {median(took):.0f} s at the median and"
    )
    print(
        f"{max(took):.1f} s at most, of {time_limit_s:g}; {time.monotonic() - begun_s:.0f} s in all, {jobs} at a time"
    )


def search(seed: int, time_limit_s: float) -> Any:
    """Search once, and return its JSON."""
    service = f"--base-ms {1e3 / REAL.mu} --unit-ms 0 --service exponential --seed {seed}"
    arguments: Sequence[str] = (
        *("search", f"--simulate={service}", "--task", "t2i", "--dataset", "random", "--disable-tqdm"),
        *("--arrival", "poisson", "--arrival-seed", str(1000 * seed), "--slo-ms", str(REAL.slo_s * 1e3)),
        *("--min-attainment", str(ATTAINMENT), "--time-limit", str(time_limit_s), "--output-file", "-"),
    )
    done = subprocess.run([sys.executable, "-m", "loadgen", *arguments], capture_output=True, check=False)
    if done.returncode:
        raise SystemExit(f"search {seed}: exit {done.returncode}: {done.stderr.decode()}")
    return orjson.loads(done.stdout)


if __name__ == "__main__":
    main()
