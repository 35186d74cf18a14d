"""HTML elements; all text is escaped here, and nowhere else."""

import html
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from collector.text import quantity
from collector.text.failures import error_kinds, failed_requests
from collector.text.printable import printable

EXAMPLE_LENGTH = 600  # characters of a server's message that are shown


@dataclass(frozen=True, slots=True)
class Cell:
    """A table cell: a value, a note below it in small print, and whether it is a number."""

    value: str
    note: str = ""
    number: bool = True


def text(value: object) -> str:
    """Escape any value for use as element text or in a quoted attribute."""
    return html.escape(printable(str(value).encode(errors="replace").decode()))


def lines(value: str) -> str:
    """Escape text and keep its line breaks."""
    return "\n".join(map(text, value.splitlines()))


def shortened(value: str) -> str:
    """Cut a long message."""
    return value if len(value) <= EXAMPLE_LENGTH else value[: EXAMPLE_LENGTH - 3] + "..."


def section(title: str, *parts: str) -> str:
    """Make a section; parts are markup."""
    return f"<section><h2>{text(title)}</h2>{''.join(parts)}</section>\n"


def verdict_title(state: str, failed: int, sent: int, errors: Mapping[str, int]) -> str:
    """Make a verdict, which is about the load, and the share of the requests that failed."""
    if not failed:
        return text(state)
    kinds = error_kinds(errors)
    share = f'<strong class="failed">{text(failed_requests(failed, sent))}</strong>'
    return f"{text(state)} load, {share}" + (f' <span class="kinds">({text(kinds)})</span>' if kinds else "")


def note(value: str) -> str:
    """Make a paragraph in small print; empty without text."""
    return f'<p class="note">{text(value)}</p>' if value else ""


def cards(rows: Iterable[tuple[str, str, str]]) -> str:
    """Make a grid of (label, value, note)."""
    made = (
        f'<div><dt>{text(label)}</dt><dd class="value">{text(value)}</dd><dd><small>{text(small)}</small></dd></div>'
        for label, value, small in rows
    )
    return f'<dl class="cards">{"".join(made)}</dl>'


def table(caption: str, head: Sequence[Cell], rows: Iterable[Sequence[Cell | str]]) -> str:
    """Make a table; the first cell of a row is its heading, a plain string is a finished <td>."""
    heads = "".join(f'<th scope="col"{_kind(cell)}>{_inner(cell)}</th>' for cell in head)
    body = "".join(f"<tr>{_heading(row[0])}{''.join(map(_cell, row[1:]))}</tr>" for row in rows)
    return (
        f'<p class="note above">{text(caption)}</p>'  # not a <caption>, which would scroll with the table on a phone
        f'<div class="wide" tabindex="0" role="region" aria-label="{text(caption)}"><table class="rows">'
        f"<thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _heading(cell: Cell | str) -> str:
    return f'<th scope="row">{_inner(cell) if isinstance(cell, Cell) else cell}</th>'


def _cell(cell: Cell | str) -> str:
    return cell if isinstance(cell, str) else f"<td{_kind(cell)}>{_inner(cell)}</td>"


def _kind(cell: Cell) -> str:
    return f' class="{"number" if cell.number else "text"}"'


def _inner(cell: Cell) -> str:
    return text(cell.value) + (f"<small>{text(cell.note)}</small>" if cell.note else "")


def bar(share: float | None, ci: Sequence[float] | None) -> str:
    """Make a cell with a bar from 0 to 1, its interval as a line across."""
    if share is None:
        return '<td class="bar"></td>'
    ends = f'x1="{100 * ci[0]:.2f}" x2="{100 * ci[1]:.2f}" y1="5" y2="5"' if ci else ""
    return (
        '<td class="bar"><svg viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true">'
        '<rect class="whole" width="100" height="10"/>'
        f'<rect class="share" width="{100 * share:.2f}" height="10"/>'
        f'<line class="ends" vector-effect="non-scaling-stroke" {ends}/></svg></td>'
    )


def info(name: str, tree: Mapping[str, Any]) -> str:
    """List a nested mapping, one row per leaf, named by its path."""
    rows = "".join(f"<div><dt>{text(path)}</dt><dd>{text(value)}</dd></div>" for path, value in _leaves("", tree))
    return f"<h3>{text(name)}</h3><dl>{rows}</dl>" if rows else ""


def _leaves(path: str, tree: object) -> Iterable[tuple[str, str]]:
    match tree:
        case Mapping():
            for key, value in tree.items():
                yield from _leaves(f"{path}.{key}" if path else str(key), value)
        case list() | tuple() if any(isinstance(value, Mapping | list | tuple) for value in tree):
            for index, value in enumerate(tree):
                yield from _leaves(f"{path}[{index}]", value)
        case list() | tuple():
            yield path, shortened(", ".join(map(_leaf, tree))) or quantity.UNKNOWN
        case _:
            yield path, shortened(_leaf(tree))


def _leaf(value: object) -> str:
    match value:
        case None:
            return f"{quantity.UNKNOWN} (none)"
        case bool():
            return "yes" if value else "no"
        case float():
            return f"{value:g}" if value == round(value, 6) else f"{value:.6g}"
        case _:
            return str(value)
