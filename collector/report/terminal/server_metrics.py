"""The server metrics section (`--server-metrics`): scrape warnings, then the series that changed."""

from collections import Counter
from collections.abc import Iterator
from typing import Final

from rich import box
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from collector.summary.result import MetricSpread, PageFigures, Result, ServerMetrics
from collector.text import quantity
from collector.text.printable import printable

MAX_ROWS: Final = 8


def rows(result: Result) -> Iterator[RenderableType]:
    """Yield the section; nothing without `--server-metrics`."""
    found = result["server_metrics"]
    if found is None:
        return
    yield Text()
    yield from (Text(printable(f"warning: {text}"), style="yellow") for text in warnings(found))
    if found["changed"]:
        yield _table(found)
    else:
        yield Text(f"server metrics: none of {found['unchanged']} series changed", style="dim")


def warnings(found: ServerMetrics) -> Iterator[str]:
    """Yield one sentence per problem of a scraped page."""
    for page in found["pages"]:
        yield from _of_page(page)
    if found["warning"]:
        yield f"--server-metrics: {found['warning']}"


def _of_page(page: PageFigures) -> Iterator[str]:
    if page["failed"]:
        counts = f"{page['failed']} of {page['scrapes']} scrapes failed"
        yield f"--server-metrics {page['url']}: {counts}; first error: {page['error']}"
    if page["truncated"]:
        limits = "2,000 series with names of up to 1,000 characters are kept"
        yield f"--server-metrics {page['url']}: has more series than the limit: {limits}"


def _table(found: ServerMetrics) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("server metrics", overflow="fold")
    for name in ("min", "mean", "max"):
        table.add_column(name, justify="right", no_wrap=True)
    for one, label in list(zip(found["changed"], labels(found["changed"]), strict=True))[:MAX_ROWS]:
        table.add_row(Text(printable(label)), *(_figure(one, one[key]) for key in ("min", "mean", "max")))
    if (more := len(found["changed"]) - MAX_ROWS) > 0:
        table.add_row(Text(f"and {more} more series that changed are in the JSON", style="dim"), "", "", "")
    return table


def labels(found: list[MetricSpread]) -> list[str]:
    """Return the shortest unique name of each series: without labels, with labels, or with the page number."""
    bare = [one["name"].partition("{")[0] for one in found]
    whole = Counter(one["name"] for one in found)
    alike = Counter(bare)
    return [
        name
        if alike[name] == 1
        else one["name"]
        if whole[one["name"]] == 1
        else f"{one['name']} (page {one['page'] + 1})"
        for one, name in zip(found, bare, strict=True)
    ]


def _figure(one: MetricSpread, value: float | None) -> str:
    unit = "/s" if one["kind"] == "counter" and value is not None else ""
    return quantity.figure(value) + unit
