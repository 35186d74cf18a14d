"""The command line of `scripts/soak`."""

import argparse
import json
import signal
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from collector.saved.run_folder import read_run
from loadgen.processes.simulated_server import simulated
from loadgen.simulator.engine.options import SimulatorOptions
from scripts.soaking.discrepancies import discrepancies
from scripts.soaking.growth import Looks, growths, watched

RATE = 500
TIMEOUT_S, DRAIN_S, MORE_S = (
    60,
    90,
    120,
)  # only a stall takes the first; nothing the second; all of the command, the third
SERVER = SimulatorOptions(
    port=0,
    replicas=1000,
    base_ms=30.0,
    service="exponential",
    media_bytes=2000,
    media="image",
    fail_rate=0.005,
    reset_rate=0.005,
    cut_rate=0.005,
    garbage_rate=0.005,
    stall=0.001,
    http_errors="429:0.005,503:0.005",
)


def main() -> None:
    """Load the server for as long as the flag says; print the figures, and exit with 1 where something is wrong."""
    parser = argparse.ArgumentParser(prog="scripts/soak", description=sys.modules["scripts.soaking"].__doc__)
    parser.add_argument("--seconds", type=int, default=600, help="how long requests are sent (default: 600)")
    seconds = parser.parse_args().seconds
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the run and its server are stopped too
    with tempfile.TemporaryDirectory(prefix="soak-") as folder, simulated(SERVER) as url:
        result, looks = soak(url, Path(folder), seconds)
        with urllib.request.urlopen(f"{url}/sim/faults", timeout=30) as answer:
            faults = json.load(answer)
        wrong = list(discrepancies(result, read_run(Path(folder) / "run"), faults))
    wrong += [excess for each in growths(looks) if (excess := each.excess(result["offered"]["sent"]))]
    for line in report_lines(result, looks, faults):
        print(line)
    for line in wrong:
        print(f"WRONG  {line}")
    print("failed" if wrong else "passed: nothing grew, all requests are accounted for, every record is explained")
    sys.exit(1 if wrong else 0)


def soak(url: str, folder: Path, seconds: int) -> tuple[dict[str, Any], Looks]:
    """Run `loadgen bench`; return its result and what its processes took."""
    arguments = ["--base-url", url, "--task", "t2i", "--dataset", "random", "--width", "64", "--height", "64"]
    load = ["--arrival", "poisson", "--request-rate", str(RATE), "--duration", str(seconds), "--senders", "2"]
    bounds = ["--max-concurrency", "1000", "--timeout", str(TIMEOUT_S), "--drain", str(DRAIN_S)]
    places = ["--run-dir", str(folder / "run"), "--output-file", str(folder / "result.json"), "--warmup-requests", "0"]
    command = [sys.executable, "-m", "loadgen", "bench", *arguments, *load, *bounds, *places]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    with process, watched(process.pid) as looks:
        try:
            process.wait(seconds + DRAIN_S + MORE_S)
        finally:
            process.kill()
    if not (folder / "result.json").exists():
        sys.exit(f"scripts/soak: loadgen bench ended with {process.returncode} and without a result")
    return json.loads((folder / "result.json").read_bytes()), looks


def report_lines(result: dict[str, Any], looks: Looks, faults: dict[str, int]) -> Iterator[str]:
    """Yield the figures, a line each."""
    offered, response = result["offered"], result["response"]
    yield f"sent    {offered['sent']} of {offered['planned']}, {offered['achieved_rate']:.1f}/s of {offered['asked_rate']}/s"
    yield f"ended   { ({name: count for name, count in result['outcomes'].items() if count}) }, retried {result['retried']}"
    yield f"errors  { ({kind: error['count'] for kind, error in result['errors'].items()}) }"
    yield f"faults  {dict(sorted(faults.items()))}"
    yield f"times   response p50 {response['p50']:.4f} s, p99 {response['p99']:.4f} s, lag p99 {result['lag']['p99']:.6f} s"
    yield f"verdict {result['verdict']['state']} {[reason['what'] for reason in result['verdict']['reasons']]}"
    for each in growths(looks):
        before, after = each.before, each.after
        yield (
            f"{each.name:24} {before.pss_mb:6.1f} -> {after.pss_mb:6.1f} MB,"
            f" {before.descriptors:4} -> {after.descriptors:4} descriptors"
        )


if __name__ == "__main__":
    main()
