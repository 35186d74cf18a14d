"""Comparisons of two runs, on a terminal or as Markdown: verdicts, then the differences."""

import math
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from rich import box
from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from collector.comparison.compare import Comparison, Side
from collector.comparison.difference import Difference, worsening
from collector.report.terminal.verdict import MEANING, headline
from collector.text import quantity
from collector.text.failures import error_kinds, failed_requests
from collector.text.printable import printable

_STYLES: Final = {"worse": "bold red", "better": "bold green"}
_MARKDOWN: Final = re.compile(r"([\\`*_{}\[\]<>|#~])")


def render(comparison: Comparison, console: Console) -> None:
    """Print one comparison; text from the runs is never markup."""
    parts: list[RenderableType] = []
    if comparison["rate"] is not None:
        parts.append(Text(f"at {_rate(comparison['rate'])}", style="bold underline"))
    for name, side in _sides(comparison):
        parts += _verdict(name, side)
    parts += [Padding(Text(_line(text), style="yellow"), (0, 0, 0, 2)) for text in _warnings(comparison)]
    parts += [_table(comparison), *(Text(text, style="dim") for text in _methods(comparison)), Text()]
    console.print(Group(*parts), highlight=False)


def markdown(comparison: Comparison) -> str:
    """Write one comparison as Markdown, for a pull request."""
    lines = [f"### At {_rate(comparison['rate'])}\n"] if comparison["rate"] is not None else []
    for name, side in _sides(comparison):
        meaning = MEANING[side["verdict"]["state"]]
        lines.append(f"- **{name}** {escaped(side['path'])}: {_markdown_title(side)}, {meaning}")
        lines += [f"  - {escaped(text)}" for text in _reasons(side)]
    lines += [f"- {escaped(text)}" for text in _warnings(comparison)]
    head = ("figure", "A", "B", "difference", "change", f"{quantity.share(comparison['confidence'])} CI", "")
    rows = [(*cells[:3], _difference(found), *cells[3:]) for found, cells in _rows(comparison)]
    return "\n".join(
        [*lines, "", *_pipes(head, rows), "", *(f"_{escaped(text)}_" for text in _methods(comparison)), ""]
    )


def gate(comparisons: Iterable[Comparison], limit: float) -> list[tuple[str, bool]]:
    """Return sentences on the figures that are worse by more than `limit` (0.05 is 5 %, or 5 points of a share).

    Each comes with whether its whole interval is beyond the limit; if not, the change may be chance.
    """
    sentences = []
    for comparison in comparisons:
        at = "" if comparison["rate"] is None else f" at {_rate(comparison['rate'])}"
        for found in comparison["figures"]:
            much, least = worsening(found)
            sign = 1 if found["worse_if"] == "higher" else -1
            name = found["figure"].replace("_", " ") + at
            if least > limit:
                text = f"{name} {_signed(found, sign * much)}, at least {_signed(found, sign * least)}"
                sentences.append((text, True))
            elif much > limit:
                why = f"interval {_interval(found)}" if found["change_ci"] else found["no_interval"]
                sentences.append((f"{name} {_signed(found, sign * much)} ({why})", False))
    return sentences


def _sides(comparison: Comparison) -> tuple[tuple[str, Side], tuple[str, Side]]:
    return ("A", comparison["a"]), ("B", comparison["b"])


def _verdict(name: str, side: Side) -> Iterator[RenderableType]:
    state, partial = side["verdict"]["state"], " (partial)" if side["partial"] else ""
    title = headline(state, side["failed"], side["sent"], side["request_errors"], partial)
    yield Text.assemble((f"{name} ", "bold"), f"{_line(side['path'])}: ", title, f", {MEANING[state]}")
    for text in _reasons(side):
        yield Padding(Text(_line(text)), (0, 0, 0, 2))


def _markdown_title(side: Side) -> str:
    """The verdict, which is about the load, and the share of the requests that failed."""
    state = f"**{side['verdict']['state']}{' (partial)' if side['partial'] else ''}**"
    if not side["failed"]:
        return state
    kinds = error_kinds(side["request_errors"])
    return f"{state} load, **{failed_requests(side['failed'], side['sent'])}**{escaped(f' ({kinds})') if kinds else ''}"


def _reasons(side: Side) -> list[str]:
    return [f"{reason['cause']}: {reason['text']}" for reason in side["verdict"]["reasons"]]


def _warnings(comparison: Comparison) -> list[str]:
    differs = comparison["workload_differences"]
    forced = [f"different workloads (A / B): {'; '.join(differs)}"] if differs else []
    return [*forced, *comparison["notes"]]


def _table(comparison: Comparison) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in ("", "A", "B", "change", f"{quantity.share(comparison['confidence'])} CI", ""):
        table.add_column(name, justify="right" if name else "left", no_wrap=name in ("A", "B", "change"))
    for found, cells in _rows(comparison):
        style = _STYLES.get(found["conclusion"] or "", "")
        table.add_row(*(Text(cell, style=style if cell == cells[-1] else "") for cell in cells))
    return table


def _rows(comparison: Comparison) -> Iterator[tuple[Difference, tuple[str, ...]]]:
    """Yield each figure that either run has, and its cells: name, A, B, change, interval, better or worse."""
    for found in comparison["figures"]:
        if math.isnan(found["a"]) and math.isnan(found["b"]):
            continue
        change = _signed(found, found["change"])
        interval = _interval(found) if found["change_ci"] else found["no_interval"] or ""
        conclusion = found["conclusion"] if found["conclusion"] in _STYLES else ""
        values = (_value(found, found["a"]), _value(found, found["b"]))
        yield found, (found["figure"].replace("_", " "), *values, change, interval, conclusion or "")


def _methods(comparison: Comparison) -> Iterator[str]:
    if comparison["method"] == "intervals":
        yield "CI: from the intervals of the two results, assumed independent"
        return
    resampling = "paired" if comparison["paired"] else "unpaired"
    blocks = sorted({found["block_length"] for found in comparison["figures"]} - {0})
    longest = f" in blocks of up to {blocks[-1]:,} requests" if blocks else ""
    yield f"CI: {resampling} bootstrap{longest}; per figure, not joint"
    wider = max(found["width_factor"] for found in comparison["figures"])
    if wider > 1:
        yield f"widened by up to {wider:.2f} times for the uncertain autocorrelation of these series"


def _value(found: Difference, value: float) -> str:
    if not math.isfinite(value):
        return quantity.UNKNOWN if math.isnan(value) else f"{value}"
    show = {"s": quantity.seconds, "1/s": quantity.rate, "share": quantity.share}
    return show[found["unit"]](value)


def _difference(found: Difference) -> str:
    """Return the difference and its interval in the figure's unit; empty for a share (see its change)."""
    if found["unit"] == "share":
        return ""
    ends = found["difference_ci"]
    shown = [f"{'+' if part > 0 else ''}{_value(found, part)}" for part in (found["difference"], *(ends or ()))]
    return f"{shown[0]} ({shown[1]} to {shown[2]})" if ends else shown[0]


def _signed(found: Difference, change: float) -> str:
    """Format a change in percent, or in points for a share."""
    return f"{_number(100 * change)} {_points(found)}"


def _interval(found: Difference) -> str:
    ends = found["change_ci"]
    return "" if ends is None else f"{_number(100 * ends[0])} to {_number(100 * ends[1])} {_points(found)}"


def _points(found: Difference) -> str:
    return "points" if found["unit"] == "share" else "%"


def _number(value: float) -> str:
    """Format with a sign and about three digits; nan is unknown."""
    if math.isnan(value):
        return quantity.UNKNOWN
    size = abs(value)
    decimals = 0 if size >= 100 or size == 0 else 1 if size >= 1 else 2
    return f"{value:+,.{decimals}f}" if size >= 0.01 or not size else f"{value:+.0e}"


def _rate(per_s: float | None) -> str:
    return "a closed loop" if per_s == math.inf else quantity.rate(per_s)


def _line(text: str) -> str:
    return " ".join(printable(text).split())


def escaped(text: str) -> str:
    """Return `text` as one line, escaped for Markdown."""
    return _MARKDOWN.sub(r"\\\1", _line(text))


def _pipes(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield _pipe(head)
    yield "|---|" + "---:|" * (len(head) - 2) + "---|"
    yield from (_pipe([escaped(cell) for cell in row]) for row in rows)


def _pipe(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
