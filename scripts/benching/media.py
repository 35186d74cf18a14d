"""The cost of media: verified answers, saved answers, and input images in memory."""

import os
import tempfile
from pathlib import Path

from loadgen.simulator.engine.png import png
from scripts.benching.goals import Goal, tried
from scripts.benching.loadgen_run import Run
from scripts.benching.rounds import Place, tell
from scripts.benching.table import markdown, middle, number, seconds

RATE = 100
IMAGES, IMAGE_BYTES, SENDERS = 1_000, 1_000_000, 4
MOST_MB = 1_600.0


def media_table(place: Place, repeats: int, *, quick: bool) -> str:
    """Measure and lay out."""
    goals = tried("2 MB answers looked at and saved", lambda: looked_at(place, repeats))
    goals += tried("input images", lambda: inputs(place, IMAGES // 10 if quick else IMAGES))
    arguments = {True: "yes", False: "no", None: "not judged"}
    return markdown(("media", "bound", "reached", ""), [(g.what, g.bound, g.reached, arguments[g.met]) for g in goals])


def looked_at(place: Place, repeats: int) -> list[Goal]:
    """2 MB answers at 100/s, by turns without a look, with a look at the head, and saved; the turns rotate."""
    runs: dict[str, list[Run]] = {"none": [], "header": [], "save": []}
    for turn in range(repeats):
        for k in range(len(runs)):
            kind = list(runs)[(turn + k) % len(runs)]
            runs[kind].append(_run(place, kind))
        lags = ", ".join(f"{kind} {seconds(own[-1].figure('lag', 'p99'))}" for kind, own in runs.items())
        tell(f"turn {turn + 1} of {repeats}: lag p99 {lags}")
    lags_s = {kind: [run.figure("lag", "p99") for run in own] for kind, own in runs.items()}
    late = {kind: middle(own) for kind, own in lags_s.items()}
    least = {kind: min(own) for kind, own in lags_s.items()}  # of the quietest turn: what the machine adds, it adds to
    rate_result = [run.result["media"] for run in runs["header"]]
    each_s = middle(media["verify_s"] / max(media["verified"], 1) for media in rate_result)
    longest_s = max(media["longest_verify_s"] for media in rate_result)
    ratio, saved = late["header"] / late["none"], late["save"] / late["none"]
    best = f"; in its best turn {seconds(least['header'])}, none {seconds(least['none'])}"
    what = f"lag p99 at {RATE}/s of 2 MB answers"
    return [
        Goal(
            f"{what}, --verify header",
            f"<= 1.10 x {seconds(late['none'])} of none",
            number(ratio, 2) + best,
            ratio <= 1.1,
        ),
        Goal("a look at one of them, mean and longest", "", f"{seconds(each_s)}, {seconds(longest_s)}", None),
        Goal(f"{what}, --save-dir too", "", f"{number(saved, 2)} x none; best {seconds(least['save'])}", None),
    ]


def _run(place: Place, kind: str) -> Run:
    arguments = ("--request-rate", str(RATE), "--num-prompts", str(round(RATE * place.run_s)))
    if kind != "save":
        return place.bench(*arguments, "--verify", kind, url=place.server.big)
    with tempfile.TemporaryDirectory(prefix="loadgen-bench-") as folder:
        return place.bench(*arguments, "--save-dir", folder, url=place.server.big)


def inputs(place: Place, count: int) -> list[Goal]:
    """Distinct input images of 1 MB, base64 in every request, with 4 senders: memory of all processes (PSS)."""
    with tempfile.TemporaryDirectory(prefix="loadgen-bench-") as name:
        trace = write_images(Path(name), count)
        data = ("--task", "i2i", "--dataset", "trace", "--dataset-path", str(trace), "--num-prompts", str(count))
        run = place.bench(*data, "--senders", str(SENDERS), "--max-concurrency", "16", "--pin", "auto", watch=True)
    peak_mb = run.peak_mb() * (1 << 20) / 1e6
    what = f"peak PSS of all processes, {run.result['completed_requests']:,} x 1 MB images, {SENDERS} senders"
    return [
        Goal(what, f"<= {MOST_MB:,.0f} MB", f"{number(peak_mb)} MB", peak_mb <= MOST_MB if count == IMAGES else None)
    ]


def write_images(folder: Path, count: int) -> Path:
    """Write images that differ, and a trace that names them; return the trace."""
    head = png(64, 64)[:33]  # signature and IHDR
    rows = []
    for k in range(count):
        place = folder / f"{k}.png"
        place.write_bytes(head + os.urandom(IMAGE_BYTES - len(head)))
        rows.append(f"Request(prompt='{k}', image_path={str(place)!r})\n")
    trace = folder / "trace.txt"
    trace.write_text("".join(rows))
    return trace
