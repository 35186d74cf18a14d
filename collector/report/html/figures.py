"""The figures of the page as text: the verdict, the headline, and the tables."""

from collections.abc import Iterator, Mapping
from typing import Any

from collector.report.html.distribution import TIMES
from collector.report.html.markup import Cell, bar, cards, note, section, shortened, table, text
from collector.report.terminal import completion, processes
from collector.report.terminal.run_report import MEANING, ROWS, UNTIL_STOP
from collector.text import quantity

Result = Mapping[str, Any]
_WHY_VALID = (
    "Without this tool's lag, or without the wait for the budget, neither p50 nor p99 of response would differ by more "
    "than 5 %; the sends took as long as planned, no process died, and the books balance."
)
_WHY_EMPTY = "Nothing was sent, so there was nothing to judge."
_WHY_CLOSED = "A closed loop (rate inf) has no planned times to miss; no process died, and the books balance."


def verdict(result: Result) -> str:
    """May these numbers be believed, and why."""
    state, reasons = result["verdict"]["state"], result["verdict"]["reasons"]
    partial = " (partial)" if result["partial"] else ""
    meaning = UNTIL_STOP if partial and state == "VALID" else MEANING.get(state, "")
    items = "".join(f"<li><strong>{text(reason['cause'])}</strong>: {text(reason['text'])}</li>" for reason in reasons)
    judged = _WHY_CLOSED if result["offered"]["asked_rate"] == "inf" else _WHY_VALID
    why = f"<ul>{items}</ul>" if items else note(judged if result["offered"]["sent"] else _WHY_EMPTY)
    warnings = (result.get(key) or {} for key in ("stationarity", "arrival_audit"))
    warned = "".join(
        f"<p><strong>warning</strong>: {text(own['warning'])}</p>" for own in warnings if own.get("warning")
    )
    head = f"<h2>{text(state + partial)}</h2><p>{text(meaning[:1].upper() + meaning[1:])}.</p>"
    return f'<section class="verdict {text(state)}">{head}{why}{warned}</section>\n'


def headline(result: Result, budget: int) -> str:
    """The figures that a reader looks for first, n and failures beside each."""
    return section("Headline figures", cards(_cards(result, budget)))


def _cards(result: Result, budget: int) -> Iterator[tuple[str, str, str]]:
    offered, failed = result["offered"], result["failed_requests"]
    why = "" if offered["achieved_rate"] is not None else "fewer than two sends have no rate; "
    asked = f"{why}{quantity.rate(offered['asked_rate'])} asked; "
    due = f", {offered['due']:,} were due" if result["partial"] else ""
    count = f"n = {offered['planned']:,} planned: {offered['sent']:,} sent, {offered['unsent']:,} unsent{due}"
    yield "offered", quantity.rate(offered["achieved_rate"]), asked + count
    over = f"n = {result['completed_requests']:,} over {quantity.seconds(result['duration'])}, {failed:,} failed"
    yield "succeeded", quantity.rate(result["throughput_qps"]), over
    name = latency_name(result)
    for label, key in (("p50", "p50"), ("p95", "p95"), ("p99", "p99")):
        yield f"{label} of {name}", quantity.seconds(result[name][key]), _beside(result, name, key)
    yield "SLO met", quantity.share(result["slo_attainment_rate"]), _attained(result)
    yield "lag p99, this tool's", quantity.seconds(result["lag"]["p99"]), _beside(result, "lag", "p99")
    flying = f"of {budget:,} allowed; n = {offered['sent']:,}, {failed:,} failed"
    yield "in flight, at most", f"{result['max_in_flight']:,}", flying


def latency_name(result: Result) -> str:
    """What latency_* and the SLO are about."""
    return "response" if result["latency_from"] == "scheduled" else "service"


def _beside(result: Result, name: str, key: str) -> str:
    """n, failures, and the interval of a figure or why there is none."""
    spread, failed = result[name], result["failed_requests"]
    beside = _why(result, name, key) or interval(spread, key, result["confidence"])
    return "; ".join([*filter(None, [beside]), f"n = {spread['n']:,}, {failed:,} failed"])


def _why(result: Result, name: str, key: str) -> str:
    """Why a figure is "-"."""
    spread = result[name]
    if spread[key] is not None:
        return ""
    if not result["offered"]["sent"]:
        return "nothing was sent"
    if not result["completed_requests"] and name in ("response", "service"):
        return "none succeeded"
    return "falls among those that never ended"


def interval(spread: Mapping[str, Any], key: str, confidence: float | None = None) -> str:
    """The interval of a percentile in words, or how many requests it needs."""
    if ends := spread["ci"].get(key):
        upper = "infinity" if ends[1] is None else quantity.seconds(ends[1])
        sure = f"{quantity.share(confidence)} sure: " if confidence else ""
        return f"{sure}{quantity.seconds(ends[0])} to {upper}"
    return f"needs n >= {spread['needs_n'][key]:,}" if key in spread["needs_n"] and spread["n"] else ""


def _attained(result: Result) -> str:
    if result["slo_attainment_rate"] is None:
        return "no request had a target" if result["slo"].get("enabled") else "no SLO was asked for (--slo)"
    ends = result["slo"].get("ci")
    sure = f"{quantity.share(result['confidence'])} sure: {_shares(ends)}; " if ends else "no interval, too few; "
    return f"{sure}{result['slo_met_success']:,} of n = {result['slo']['requests']:,} with a target"


def _shares(ends: Any) -> str:
    return f"{quantity.share(ends[0])} to {quantity.share(ends[1])}" if ends else quantity.UNKNOWN


def percentiles(result: Result) -> str:
    """The table of times: what the plots show, in text."""
    failed = result["failed_requests"]
    heads = [Cell(name, f"n = {result[name]['n']:,}, {failed:,} failed") for name in TIMES]
    rows = ([Cell(label), *(_time(result, name, key) for name in TIMES)] for label, key in ROWS)
    caption = f"Percentiles by rank ceil(p n), below each its interval, {quantity.share(result['confidence'])} sure"
    parts = "response = wait (budget) + lag (this tool) + service (server)."
    notes = [f"{parts} Response and service are over those that succeeded and, as infinite, those that never ended."]
    notes += [
        f"No intervals for {name}: {result[name]['no_interval']}." for name in TIMES if result[name]["no_interval"]
    ]
    notes += completion.widths(result)
    return table(caption, [Cell("", number=False), *heads], rows) + "".join(map(note, notes))


def _time(result: Result, name: str, key: str) -> Cell:
    beside = _why(result, name, key) or interval(result[name], key)
    return Cell(quantity.seconds(result[name][key]), beside)


def attainment(result: Result) -> str:
    """How many met their target, overall and by class of shape."""
    title, slo = "SLO attainment by class", result["slo"]
    if result["slo_attainment_rate"] is None:
        return section(title, note(f"{quantity.UNKNOWN}: {_attained(result)}."))
    heads = [Cell("class", number=False), Cell("met"), Cell("of n"), Cell("share"), Cell("interval"), Cell("")]
    whole = {"class": "all", "met": result["slo_met_success"], "requests": slo["requests"], "ci": slo.get("ci")}
    classes = slo.get("by_class") or []
    rows = map(_class, [{**whole, "attainment": result["slo_attainment_rate"]}, *classes])
    caption = f"SLO attainment, {quantity.share(result['confidence'])} sure; n are the planned requests with a target"
    unknown = "" if classes else "Nobody said the shapes of the requests, so there are no classes. "
    failed = (
        f"Of all sent, {result['failed_requests']:,} failed; what failed, never ended or was never sent is not met."
    )
    few = "Where the interval is -, there are too few."
    return section(
        title, table(caption, heads, rows), note(f"{unknown}{failed} {few}"), *map(note, completion.undecided(slo))
    )


def _class(own: Mapping[str, Any]) -> list[Cell | str]:
    share, ci = own["attainment"], own["ci"]
    counts = Cell(f"{own['met']:,}"), Cell(f"{own['requests']:,}")
    return [Cell(str(own["class"])), *counts, Cell(quantity.share(share)), Cell(_shares(ci)), bar(share, ci)]


def errors(result: Result) -> str:
    """How requests ended, and what servers and sockets said of those that failed."""
    sent = result["offered"]["sent"]
    ends = ", ".join(f"{count:,} {name}" for name, count in result["outcomes"].items() if count or name == "ok")
    retried = f" {result['retried']:,} were sent again on a fresh connection." if result["retried"] else ""
    said = f"<p>{text(f'Of {sent:,} sent: {ends}.{retried}')}</p>"
    rows = (
        [Cell(kind), Cell(f"{own['count']:,}"), Cell(quantity.share(own["count"] / max(sent, 1))), _example(own)]
        for kind, own in result["errors"].items()
    )
    heads = [Cell("kind", number=False), Cell("count"), Cell("of sent"), Cell("an example", number=False)]
    return section("Errors", said, table("Errors by kind", heads, rows) if result["errors"] else note("No errors."))


def _example(own: Mapping[str, Any]) -> Cell:
    return Cell(shortened(own["example"] or f"{quantity.UNKNOWN} (nothing was said)"), number=False)


def server(result: Result) -> str:
    """What the server says of itself; nothing where it says nothing."""
    stages, said = result["stage_durations_p50"], []
    if stages:
        heads = [Cell("stage", number=False), Cell("mean"), Cell("p50"), Cell("p99")]
        keys = ("stage_durations_mean", "stage_durations_p50", "stage_durations_p99")
        rows = ([Cell(name), *(Cell(quantity.seconds(result[key].get(name))) for key in keys)] for name in stages)
        said.append(table("Stages, as the server timed them in those that succeeded", heads, rows))
    if result["peak_memory_mb_max"] is not None:
        parts = (f"{name} {result[f'peak_memory_mb_{name}']:,.0f} MB" for name in ("mean", "median", "max"))
        said.append(note(f"Peak memory: {', '.join(parts)}."))
    n = f"n = {result['completed_requests']:,} succeeded, {result['failed_requests']:,} failed."
    return section("What the server says of itself", *said, note(n)) if said else ""


def tool(result: Result) -> str:
    """What the processes of this tool cost, and what they saw of the machine."""
    rows = [[Cell(name), Cell(said, number=False)] for name, said in processes.lines(result["processes"])]
    heads = [Cell("process", number=False), Cell("what it took", number=False)]
    return table("This tool's own processes, and the machine", heads, rows) if rows else ""
