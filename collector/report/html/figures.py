"""The text of the page: the verdict, the key figures and the tables."""

from collections.abc import Iterator, Mapping
from typing import Any

from collector.report.html.distribution import TIMES
from collector.report.html.markup import Cell, bar, cards, note, section, shortened, table, text, verdict_title
from collector.report.terminal import completion, processes, server_times
from collector.report.terminal import media as terminal_media
from collector.report.terminal.run_report import ROWS
from collector.report.terminal.verdict import MEANING, UNTIL_STOP
from collector.text import quantity

Result = Mapping[str, Any]
_WHY_VALID = (
    "Without this tool's lag or the wait for the budget, p50 and p99 of response would differ by at most 5 %; sends "
    "took as long as planned, no process died, and all requests are accounted for."
)
_WHY_EMPTY = "Nothing was sent, so there is no verdict on the load."
_WHY_CLOSED = "A closed loop (rate inf) has no planned times; no process died, and all requests are accounted for."


def verdict(result: Result) -> str:
    """The verdict and its reasons."""
    state, reasons = result["verdict"]["state"], result["verdict"]["reasons"]
    partial = " (partial)" if result["partial"] else ""
    meaning = UNTIL_STOP if partial and state == "VALID" else MEANING.get(state, "")
    items = "".join(f"<li><strong>{text(reason['cause'])}</strong>: {text(reason['text'])}</li>" for reason in reasons)
    valid = _WHY_CLOSED if result["offered"]["asked_rate"] == "inf" else _WHY_VALID
    why = f"<ul>{items}</ul>" if items else note(valid if result["offered"]["sent"] else _WHY_EMPTY)
    warnings = (result.get(key) or {} for key in ("stationarity", "arrival_audit"))
    warning_text = "".join(
        f"<p><strong>warning</strong>: {text(own['warning'])}</p>" for own in warnings if own.get("warning")
    )
    notes = "".join(note(f"Note: {remark}.") for remark in result.get("remarks", ()))
    title = verdict_title(
        state + partial, result["failed_requests"], result["offered"]["sent"], result["request_errors"]
    )
    head = f"<h2>{title}</h2><p>{text(meaning[:1].upper() + meaning[1:])}.</p>"
    return f'<section class="verdict {text(state)}">{head}{why}{warning_text}{notes}</section>\n'


def headline(result: Result, budget: int) -> str:
    """The key figures, each with n and failures."""
    return section("Key figures", cards(_cards(result, budget)))


def _cards(result: Result, budget: int) -> Iterator[tuple[str, str, str]]:
    offered, failed = result["offered"], result["failed_requests"]
    why = "" if offered["achieved_rate"] is not None else "fewer than two requests have no rate; "
    requested = f"{why}{quantity.rate(offered['asked_rate'])} requested; "
    due = f", {offered['due']:,} were due" if result["partial"] else ""
    count = f"n = {offered['planned']:,} planned: {offered['sent']:,} sent, {offered['unsent']:,} unsent{due}"
    yield "offered", quantity.rate(offered["achieved_rate"]), requested + count
    over = f"n = {result['completed_requests']:,} over {quantity.seconds(result['duration'])}, {failed:,} failed"
    yield "throughput", quantity.rate(result["throughput_qps"]), over
    if max(result["completed_outputs"] - result["completed_requests"], result["num_outputs_per_prompt"] - 1) > 0:
        outputs = f"{result['completed_outputs']:,} images or videos in {result['completed_requests']:,} requests"
        yield "outputs", quantity.rate(result["output_throughput_ops"]), outputs
    name = latency_name(result)
    for label, key in (("p50", "p50"), ("p95", "p95"), ("p99", "p99")):
        yield f"{label} of {name}", quantity.seconds(result[name][key]), _beside(result, name, key)
    yield "SLO met", quantity.share(result["slo_attainment_rate"]), _attained(result)
    yield "p99 of lag (this tool)", quantity.seconds(result["lag"]["p99"]), _beside(result, "lag", "p99")
    in_flight = f"of {budget:,} (--max-concurrency); n = {offered['sent']:,}, {failed:,} failed"
    yield "max in flight", f"{result['max_in_flight']:,}", in_flight


def latency_name(result: Result) -> str:
    """The time that latency_* and the SLO refer to: response or service."""
    return "response" if result["latency_from"] == "scheduled" else "service"


def _beside(result: Result, name: str, key: str) -> str:
    """Return the interval of a figure or why it is missing, then n and failures."""
    spread, failed = result[name], result["failed_requests"]
    beside = _why(result, name, key) or interval(spread, key, result["confidence"])
    return "; ".join([*filter(None, [beside]), f"n = {spread['n']:,}, {failed:,} failed"])


def _why(result: Result, name: str, key: str) -> str:
    """Return why a figure is missing; empty if it is not."""
    spread = result[name]
    if spread[key] is not None:
        return ""
    if not result["offered"]["sent"]:
        return "nothing was sent"
    if not result["completed_requests"] and name in ("response", "service"):
        return "none succeeded"
    return "falls among requests that did not complete"


def interval(spread: Mapping[str, Any], key: str, confidence: float | None = None) -> str:
    """Return the interval of a percentile as text, or the sample size that it needs."""
    if ends := spread["ci"].get(key):
        upper = "infinity" if ends[1] is None else quantity.seconds(ends[1])
        level = f"{quantity.share(confidence)} CI: " if confidence else ""
        return f"{level}{quantity.seconds(ends[0])} to {upper}"
    return f"needs n >= {spread['needs_n'][key]:,}" if key in spread["needs_n"] and spread["n"] else ""


def _attained(result: Result) -> str:
    if result["slo_attainment_rate"] is None:
        return "no request had a target" if result["slo"].get("enabled") else "no SLO (--slo)"
    ends = result["slo"].get("ci")
    interval_text = (
        f"{quantity.share(result['confidence'])} CI: {_shares(ends)}; " if ends else "n is too small for a CI; "
    )
    return f"{interval_text}{result['slo_met_success']:,} of n = {result['slo']['requests']:,} with a target"


def _shares(ends: Any) -> str:
    return f"{quantity.share(ends[0])} to {quantity.share(ends[1])}" if ends else quantity.UNKNOWN


def percentiles(result: Result) -> str:
    """The table of percentiles."""
    failed = result["failed_requests"]
    heads = [Cell(name, f"n = {result[name]['n']:,}, {failed:,} failed") for name in TIMES]
    rows = ([Cell(label), *(_time(result, name, key) for name in TIMES)] for label, key in ROWS)
    caption = f"Percentiles (rank ceil(p n)), each with its {quantity.share(result['confidence'])} CI"
    parts = "response = wait (budget) + lag (this tool) + service (server)."
    notes = [f"{parts} Response and service: successful requests and, as infinite, incomplete ones."]
    notes += [
        f"No intervals for {name}: {result[name]['no_interval']}." for name in TIMES if result[name]["no_interval"]
    ]
    notes += completion.resolution(result)
    return table(caption, [Cell("", number=False), *heads], rows) + "".join(map(note, notes))


def _time(result: Result, name: str, key: str) -> Cell:
    beside = _why(result, name, key) or interval(result[name], key)
    return Cell(quantity.seconds(result[name][key]), beside)


def attainment(result: Result) -> str:
    """The table of SLO attainment, overall and by request class."""
    title, slo = "SLO attainment by class", result["slo"]
    if result["slo_attainment_rate"] is None:
        return section(title, note(f"{quantity.UNKNOWN}: {_attained(result)}."))
    heads = [Cell("class", number=False), Cell("met"), Cell("n"), Cell("attainment"), Cell("CI"), Cell("")]
    whole = {"class": "all", "met": result["slo_met_success"], "requests": slo["requests"], "ci": slo.get("ci")}
    classes = slo.get("by_class") or []
    rows = map(_class, [{**whole, "attainment": result["slo_attainment_rate"]}, *classes])
    caption = f"SLO attainment with {quantity.share(result['confidence'])} CI; n = planned requests with a target"
    unknown = "" if classes else "The shapes of the requests are unknown, so there are no classes. "
    failed = f"Of all sent, {result['failed_requests']:,} failed; failed, incomplete and unsent requests do not meet the SLO."  # noqa: E501
    few = "CI -: n is too small."
    return section(
        title, table(caption, heads, rows), note(f"{unknown}{failed} {few}"), *map(note, completion.undecided(slo))
    )


def _class(own: Mapping[str, Any]) -> list[Cell | str]:
    share, ci = own["attainment"], own["ci"]
    counts = Cell(f"{own['met']:,}"), Cell(f"{own['requests']:,}")
    return [Cell(str(own["class"])), *counts, Cell(quantity.share(share)), Cell(_shares(ci)), bar(share, ci)]


def errors(result: Result) -> str:
    """The outcomes of the requests, and the errors with an example each."""
    sent = result["offered"]["sent"]
    ends = ", ".join(f"{count:,} {name}" for name, count in result["outcomes"].items() if count or name == "ok")
    retried = f" {result['retried']:,} were retried on a new connection." if result["retried"] else ""
    content = f"<p>{text(f'Of {sent:,} sent: {ends}.{retried}')}</p>"
    rows = (
        [Cell(kind), Cell(f"{own['count']:,}"), Cell(quantity.share(own["count"] / max(sent, 1))), _example(own)]
        for kind, own in result["errors"].items()
    )
    heads = [Cell("kind", number=False), Cell("count"), Cell("of sent"), Cell("example", number=False)]
    return section("Errors", content, table("Errors by kind", heads, rows) if result["errors"] else note("No errors."))


def _example(own: Mapping[str, Any]) -> Cell:
    return Cell(shortened(own["example"] or f"{quantity.UNKNOWN} (no message)"), number=False)


def server(result: Result) -> str:
    """The stage times and memory that the server reports; empty if none."""
    stages, content = result["stage_durations_p50"], []
    if stages:
        heads = [Cell("stage", number=False), Cell("mean"), Cell("p50"), Cell("p99")]
        keys = ("stage_durations_mean", "stage_durations_p50", "stage_durations_p99")
        rows = ([Cell(name), *(Cell(quantity.seconds(result[key].get(name))) for key in keys)] for name in stages)
        content.append(table("Stage times reported by the server, successful requests", heads, rows))
    content += [note(f"{name.capitalize()}: {times}.") for name, times in server_times.lines(result)]
    if result["peak_memory_mb_max"] is not None:
        parts = (f"{name} {result[f'peak_memory_mb_{name}']:,.0f} MB" for name in ("mean", "median", "max"))
        content.append(note(f"Peak memory: {', '.join(parts)}."))
    content += map(note, server_times.missing_stages(result))
    n = f"n = {result['completed_requests']:,} succeeded, {result['failed_requests']:,} failed."
    return section("Server-reported times and memory", *content, note(n)) if content else ""


def media(result: Result) -> str:
    """What the server chose otherwise than requested, and what was verified and saved; empty if there is nothing."""
    rows = [[Cell(name), Cell(content, number=False)] for name, content in terminal_media.lines(result["media"])]
    return section("Media", table("Media", [Cell("", number=False), Cell("", number=False)], rows)) if rows else ""


def tool(result: Result) -> str:
    """The table of this tool's processes and the machine."""
    rows = [[Cell(name), Cell(content, number=False)] for name, content in processes.lines(result["processes"])]
    heads = [Cell("process", number=False), Cell("resources", number=False)]
    return table("Processes of this tool, and the machine", heads, rows) if rows else ""
