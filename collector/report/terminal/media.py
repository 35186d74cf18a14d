"""The media section of the report: what the server chose otherwise, and answers verified, decoded and saved."""

from collections.abc import Iterator, Mapping
from typing import Any

from collector.summary.media_remarks import sentence
from collector.text import quantity


def lines(media: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield (name, text) rows."""
    yield from map(sentence, media.get("remarks", []))
    if media.get("response_format") == "url":
        yield "fetched", "from the URLs in the answers, by a second request; its time is part of service and response"
    if media.get("verified"):
        cost = f"{quantity.seconds(media['verify_s'])} total, {quantity.seconds(media['longest_verify_s'])} max"
        yield "verified", f"headers of {media['verified']} answers: {cost}"
    if media.get("decoded") or media.get("undecoded"):
        rest = f"; {media['undecoded']} were not decoded and keep their outcome" if media["undecoded"] else ""
        yield "decoded", f"{media['decoded']} answers, after the run, in {quantity.seconds(media['decode_s'])}{rest}"
    if media.get("save_dir") is not None:
        yield "saved", f"{media['saved_files']} files in {media['save_dir']}"
        if media["lost"]["count"]:
            yield "not saved", _lost(media["lost"])


def _lost(lost: Mapping[str, Any]) -> str:
    indices = ", ".join(map(str, lost["requests"]))
    more = ", ..." if lost["count"] > len(lost["requests"]) else ""
    return f"{lost['count']} answers ({lost['example']}): requests {indices}{more}"
