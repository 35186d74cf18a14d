"""The terminal report of a capacity search: the bracket, then the decision on each rate."""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, Final

from rich import box
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from collector.report.terminal.verdict import failed_share
from collector.text import quantity

STYLES: Final = {"holds": "bold green", "fails": "bold red", "open": "yellow"}
ENDED: Final = {
    "time_limit": "the time limit (--time-limit) was reached",
    "precision": "the requested precision was reached",
    "rates": "the maximum number of rates was measured",
    "interrupted": "interrupted",
    "warmup": "every warm-up of a run failed",
    "fault": "an error of this tool",
}


def render(found: Mapping[str, Any], console: Console) -> None:
    """Print the result of a search (keys: docs/search.md)."""
    console.print(Group(*_bracket(found), *_tests(found), *_notes(found)), highlight=False)


def _bracket(found: Mapping[str, Any]) -> Iterator[RenderableType]:
    holds, fails = found["bracket"]
    met = f"at least {quantity.share(found['min_attainment'])} met"
    low = "no rate is shown to hold" if holds is None else f"{quantity.rate(holds)} holds"
    high = "none is shown to fail" if fails is None else f"{quantity.rate(fails)} fails"
    sure = quantity.share(found["confidence"])
    yield Text.assemble((f"{low}, {high}", "bold"), f" ({met}; joint confidence {sure})")
    duration, limit = quantity.seconds(found["duration_s"]), quantity.seconds(found["time_limit_s"])
    yield Text(f"{ENDED[found['ended']]}, after {duration} of {limit}", style="dim")


def _tests(found: Mapping[str, Any]) -> Iterator[RenderableType]:
    if not found["tests"]:
        return
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name, justify in (("rate", "right"), ("", "left"), ("met", "right"), ("of", "right"), ("runs", "left")):
        table.add_column(name, justify="right" if justify == "right" else "left", no_wrap=True)
    table.add_column("")
    for test in sorted(found["tests"], key=lambda test: float(test["rate"])):
        decision = Text(test["decision"], style=STYLES[test["decision"]])
        runs = ", ".join(f"{count} {state}" for state, count in Counter(test["runs"]).items())
        share = quantity.share(test["attainment"])
        failed = failed_share(test["failed"], test["sent"], test["request_errors"])
        table.add_row(quantity.rate(test["rate"]), decision, share, f"{test['requests']:,}", runs, failed)
    yield from (Text(), table)


def _notes(found: Mapping[str, Any]) -> Iterator[RenderableType]:
    if found["bracket"][0] is None and found["needs_n"] is not None:
        text = (
            f"to show that a rate holds takes n >= {found['needs_n']:,} requests that all meet their target, more"
            " where responses queue or some miss: give a larger --time-limit, or a lower --start-rate"
        )
        yield Text(text, style="yellow")
    states = Counter(state for test in found["tests"] for state in test["runs"])
    if states["INVALID"]:
        yield Text(f"{states['INVALID']} INVALID runs were not used: this machine or the tool was late", style="yellow")
    if states["CAPPED"]:
        yield Text("CAPPED runs were not used: raise --max-concurrency to test higher rates", style="yellow")
    yield from (Text(f"note: {text}", style="yellow") for text in found.get("remarks", ()))
