"""The media's part of the report: how many answers were looked at, what that cost, and what could not be saved."""

from collections.abc import Iterator, Mapping
from typing import Any

from collector.text import quantity


def lines(media: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Give (name, text) of what there is to tell."""
    if media.get("verified"):
        cost = f"{quantity.seconds(media['verify_s'])} in all, {quantity.seconds(media['longest_verify_s'])} at most"
        yield "verified", f"headers of {media['verified']} answers: {cost}"
    if media.get("decoded") or media.get("undecoded"):
        rest = f"; {media['undecoded']} were not, and count as they came" if media["undecoded"] else ""
        yield "decoded", f"{media['decoded']} answers, after the run, in {quantity.seconds(media['develop_s'])}{rest}"
    if media.get("save_dir") is not None:
        yield "saved", f"{media['saved_files']} files in {media['save_dir']}"
        if media["lost"]["count"]:
            yield "not saved", _lost(media["lost"])


def _lost(lost: Mapping[str, Any]) -> str:
    named = ", ".join(map(str, lost["requests"]))
    more = ", ..." if lost["count"] > len(lost["requests"]) else ""
    return f"{lost['count']} answers ({lost['example']}): requests {named}{more}"
