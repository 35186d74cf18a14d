"""The terminal report of a capacity search: the bracket, then the decision on each rate."""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, Final

from rich import box
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from collector.text import quantity

STYLES: Final = {"holds": "bold green", "fails": "bold red", "open": "yellow"}
ENDED: Final = {
    "budget": "the time limit (--budget) was reached",
    "precision": "the requested precision was reached",
    "rates": "the maximum number of rates was measured",
    "interrupted": "interrupted",
    "fault": "an error of this tool",
}


def render(found: Mapping[str, Any], console: Console) -> None:
    """Print the result of a search (keys: docs/search.md)."""
    console.print(Group(*_bracket(found), *_looks(found), *_notes(found)), highlight=False)


def _bracket(found: Mapping[str, Any]) -> Iterator[RenderableType]:
    holds, fails = found["bracket"]
    met = f"at least {quantity.share(found['min_attainment'])} met"
    low = "no rate is shown to hold" if holds is None else f"{quantity.rate(holds)} holds"
    high = "none is shown to fail" if fails is None else f"{quantity.rate(fails)} fails"
    sure = quantity.share(found["confidence"])
    yield Text.assemble((f"{low}, {high}", "bold"), f" ({met}; joint confidence {sure})")
    ended = (
        f"{ENDED[found['ended']]}, after {quantity.seconds(found['took_s'])} of {quantity.seconds(found['budget_s'])}"
    )
    yield Text(ended, style="dim")


def _looks(found: Mapping[str, Any]) -> Iterator[RenderableType]:
    if not found["looks"]:
        return
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name, justify in (("rate", "right"), ("", "left"), ("met", "right"), ("of", "right"), ("runs", "left")):
        table.add_column(name, justify="right" if justify == "right" else "left", no_wrap=True)
    for look in sorted(found["looks"], key=lambda look: float(look["rate"])):
        decision = Text(look["decision"], style=STYLES[look["decision"]])
        runs = ", ".join(f"{count} {state}" for state, count in Counter(look["runs"]).items())
        share = quantity.share(look["attainment"])
        table.add_row(quantity.rate(look["rate"]), decision, share, f"{look['requests']:,}", runs)
    yield from (Text(), table)


def _notes(found: Mapping[str, Any]) -> Iterator[RenderableType]:
    if found["bracket"][0] is None and found["needs_n"] is not None:
        text = (
            f"to show that a rate holds takes n >= {found['needs_n']:,} requests that all meet their target, more"
            " where responses queue or some miss: give a larger --budget, or a lower --start-rate"
        )
        yield Text(text, style="yellow")
    states = Counter(state for look in found["looks"] for state in look["runs"])
    if states["INVALID"]:
        yield Text(f"{states['INVALID']} INVALID runs were not used: this machine or the tool was late", style="yellow")
    if states["CAPPED"]:
        yield Text("CAPPED runs were not used: raise --max-concurrency to test higher rates", style="yellow")
    yield from (Text(f"note: {text}", style="yellow") for text in found.get("remarks", ()))
