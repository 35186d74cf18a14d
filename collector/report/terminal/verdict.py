"""The verdict of a run, which is about the load, and beside it the share of the requests that failed."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from rich.console import RenderableType
from rich.padding import Padding
from rich.text import Text

from collector.text.failures import error_kinds, failed_requests
from collector.text.printable import printable

STYLES: Final = {"VALID": "bold green", "CAPPED": "bold yellow", "INVALID": "bold red"}
FAILED: Final = "bold red"
MEANING: Final = {
    "VALID": "the requested load was sent as scheduled",
    "CAPPED": "the concurrency budget limited the load",
    "INVALID": "these figures are not reliable",
}
UNTIL_STOP: Final = "until the stop, the requested load was sent as scheduled"


def verdict_lines(result: Mapping[str, Any]) -> Iterator[RenderableType]:
    """Yield the verdict of a result, what it means, and its reasons."""
    state = result["verdict"]["state"]
    partial = " (partial)" if result["partial"] else ""
    meaning = UNTIL_STOP if partial and state == "VALID" else MEANING[state]
    if result["failed_requests"]:
        sent = result["offered"]["sent"]
        yield headline(state, result["failed_requests"], sent, result["request_errors"], partial)
        yield Padding(Text(meaning), (0, 0, 0, 2))
    else:
        yield Text.assemble((state + partial, STYLES[state]), f": {meaning}")
    for reason in result["verdict"]["reasons"]:
        yield Padding(Text(printable(f"{reason['cause']}: {reason['text']}")), (0, 0, 0, 2))


def headline(state: str, failed: int, sent: int, errors: Mapping[str, int], partial: str = "") -> Text:
    """Lay out a verdict and the failed requests, such as "VALID load, 53 of 60 requests failed (http_503)"."""
    line = Text(state + partial, style=STYLES[state])
    return Text.assemble(line, " load, ", failed_share(failed, sent, errors)) if failed else line


def failed_share(failed: int, sent: int, errors: Mapping[str, int]) -> Text:
    """Lay out the share of the requests that failed, with their kinds; empty if none did."""
    kinds = printable(error_kinds(errors))
    return Text.assemble((failed_requests(failed, sent), FAILED), f" ({kinds})" if failed and kinds else "")
