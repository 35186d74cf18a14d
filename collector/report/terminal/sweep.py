"""The terminal report of a sweep: the knee, a table, and a chart of each figure against the rate."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, Literal

from rich import box
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from collector.report.terminal import chart
from collector.report.terminal.verdict import FAILED, STYLES, headline
from collector.sweeps.point import Estimate, Point
from collector.text import quantity

Name = Literal["attainment", "p50", "p99", "throughput"]
FIGURES: Final[tuple[tuple[Name, str, Callable[[float | None], str], bool], ...]] = (
    ("attainment", "SLO met", quantity.share, False),
    ("p50", "p50", quantity.seconds, True),
    ("p99", "p99", quantity.seconds, True),
    ("throughput", "throughput", quantity.rate, False),
)


def render(sweep: Mapping[str, Any], console: Console) -> None:
    """Print a sweep (keys: docs/search.md)."""
    parts = [*_knee(sweep), *_table(sweep), *(part for figure in FIGURES for part in _chart(sweep, *figure))]
    console.print(Group(*parts), highlight=False)


def _knee(sweep: Mapping[str, Any]) -> Iterator[RenderableType]:
    knee = sweep["knee"]
    at = "not found" if knee["rate"] is None else f"at {quantity.rate(knee['rate'])}"
    yield Text.assemble(("knee " + at, "bold"), f": {knee['note']}")
    missing = len(sweep["rates"]) - len(sweep["points"])
    if missing:
        yield Text(
            f"{missing} of {len(sweep['rates'])} rates are not measured yet: run the same command to continue",
            style="yellow",
        )
    yield from (Text(f"note: {text}", style="yellow") for text in sweep.get("remarks", ()))
    for point in sweep["points"]:
        if point["failed"]:
            share = headline(point["state"], point["failed"], point["sent"], point["request_errors"])
            yield Text.assemble(f"{quantity.rate(point['rate'])}, ", share)
        for reason in point["reasons"]:
            yield Text(f"{quantity.rate(point['rate'])}, {point['state']}: {reason}", style="dim")


def _table(sweep: Mapping[str, Any]) -> Iterator[RenderableType]:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("rate", no_wrap=True)
    for name in ("verdict", "requests", *(label for _, label, _, _ in FIGURES)):
        table.add_column(name, justify="left" if name == "verdict" else "right", no_wrap=name == "verdict")
    for point in sweep["points"]:
        figures = (_figure(point[name], write) for name, _, write, _ in FIGURES)
        failed = f"\n{point['failed']:,} failed" if point["failed"] else ""
        state = Text.assemble((point["state"], STYLES[point["state"]]), (failed, FAILED))
        mark = " knee" if point["rate"] == sweep["knee"]["rate"] else ""
        table.add_row(quantity.rate(point["rate"]) + mark, state, f"{point['requests']:,}", *figures)
    yield from (Text(), table)
    latency = "response" if sweep["latency_from"] == "scheduled" else "service"
    level = quantity.share(sweep["confidence"])
    yield Text(f"p50 and p99 of {latency}; {level} CI below each figure, where available", style="dim")


def _figure(figure: Estimate, write: Callable[[float | None], str]) -> str:
    return write(figure["value"]) + (f"\n{ends(figure, write)}" if figure["ci"] else "")


def ends(figure: Estimate, write: Callable[[float | None], str]) -> str:
    """Return an interval as text."""
    low, high = figure["ci"] or (None, None)
    return f"{write(low)} - {'inf' if high is None else write(high)}"


def _chart(
    sweep: Mapping[str, Any], name: Name, label: str, write: Callable[[float | None], str], log: bool
) -> Iterator[RenderableType]:
    points: Sequence[Point] = sweep["points"]
    scale = chart.scale_of([point[name] for point in points], log=log)
    if scale is None:
        return
    low, high = write(scale.low), write(scale.high)
    grid = Table.grid(padding=(0, 1))
    grid.add_column(justify="right", no_wrap=True)
    grid.add_column(no_wrap=True, min_width=chart.WIDTH)
    grid.add_column(no_wrap=True)
    grid.add_row(Text(label, style="bold"), Text(low + high.rjust(chart.WIDTH - len(low)), style="dim"))
    for point in points:
        mark = "knee" if point["rate"] == sweep["knee"]["rate"] else ""
        grid.add_row(quantity.rate(point["rate"]), Text(chart.row(point[name], scale)), Text(mark, style="bold"))
    yield from (Text(), grid)
