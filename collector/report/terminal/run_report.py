"""The terminal report of a run: the verdict, the load, the outcomes and the latencies."""

from collections.abc import Iterator, Mapping
from typing import Any, Literal

from rich import box
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from collector.report.terminal import completion, media, over_time, processes, server_metrics, server_times
from collector.report.terminal.verdict import verdict_lines
from collector.statistics.percentiles import Spread
from collector.summary.result import ArrivalAudit, Result, RetryAfter
from collector.text import quantity
from collector.text.printable import printable

EXAMPLE_LENGTH = 600  # characters of a server's message that are shown
SHOWN_CLASSES = 6
TimeName = Literal["response", "service", "wait", "lag"]
TIMES: tuple[TimeName, ...] = ("response", "service", "wait", "lag")
ROWS: tuple[tuple[str, Literal["mean", "p50", "p90", "p95", "p99", "p99_9", "max"]], ...] = (
    *(("mean", "mean"), ("p50", "p50"), ("p90", "p90"), ("p95", "p95")),
    *(("p99", "p99"), ("p99.9", "p99_9"), ("max", "max")),
)


def render(result: Result, console: Console) -> None:
    """Print the whole report."""
    console.print(layout(result), highlight=False)


def layout(result: Result) -> Group:
    """Lay out the whole report; text from the server is shown as text, never as markup."""
    sections = (
        verdict_lines,
        _offered,
        _times,
        _over_time,
        _urls,
        _slo,
        _server,
        server_metrics.rows,
        _errors,
        _media,
        _tool,
        _remarks,
    )
    return Group(*(part for section in sections for part in section(result)))


def _offered(result: Result) -> Iterator[RenderableType]:
    offered, outcomes = result["offered"], result["outcomes"]
    table = _grid()
    about = result["config"].get("target")
    discovery = about.get("discovery") if isinstance(about, dict) else None
    target = discovery or f"{result['backend']}, {result['model']}, {result['task']}"
    _row(table, "target", printable(f"{target}, dataset {result['dataset']}"))
    _row(
        table,
        "offered",
        f"{quantity.rate(offered['achieved_rate'])} of {quantity.rate(offered['asked_rate'])} requested",
    )
    due = f" ({offered['due']} were due)" if result["partial"] else ""
    _row(table, "requests", f"{offered['planned']} planned, {offered['sent']} sent, {offered['unsent']} unsent{due}")
    ended = {name: count for name, count in outcomes.items() if count or name == "ok"}
    retried = f" ({result['retried']} retried on a new connection)" if result["retried"] else ""
    _row(table, "outcomes", ", ".join(f"{count} {name}" for name, count in ended.items()) + retried)
    throughput = quantity.rate(result["throughput_qps"])
    _row(table, "throughput", f"{throughput} successful, over {quantity.seconds(result['duration'])}")
    if max(result["completed_outputs"] - result["completed_requests"], result["num_outputs_per_prompt"] - 1) > 0:
        _row(table, "outputs", _outputs(result))
    _row(table, "max in flight", str(result["max_in_flight"]))
    if arrivals := _arrivals(result["arrival_audit"]):
        _row(table, "arrivals", arrivals)
    if result["warmup"].get("requests"):
        _row(table, "warm-up", _warmup(result["warmup"]))
    yield from (Text(), table)


def _outputs(result: Result) -> str:
    """The images and videos of the successful answers, where one may hold several."""
    rate = quantity.rate(result["output_throughput_ops"])
    return f"{rate} outputs, {result['completed_outputs']:,} in {result['completed_requests']:,} successful requests"


def _arrivals(audit: ArrivalAudit) -> str:
    """Describe the arrival audit: the test of random gaps, and the second furthest from the plan."""
    parts = []
    if audit["p_value"] is not None:
        fit = "do not fit the requested process" if audit["warning"] else "fit the requested process"
        parts.append(f"{audit['gaps']} planned gaps {fit} (Kolmogorov-Smirnov, p = {audit['p_value']:.2g})")
    if audit["per_second"] is not None:
        worst = audit["per_second"]["worst"]
        deviation = f"largest deviation in second {worst['at_s']}: {worst['planned']} planned, {worst['sent']} sent"
        same = worst["planned"] == worst["sent"]
        parts.append("every second as planned" if same else deviation)
    return f"{audit['process']}: {'; '.join(parts)}" if parts else ""


def _warmup(warmup: Mapping[str, Any]) -> str:
    """Describe the warm-up requests, which are in no other figure."""
    times = ", ".join(quantity.seconds(latency_s) for latency_s in warmup["latency_s"][:5])
    failure = f"; {str(warmup['errors'][0])[:EXAMPLE_LENGTH]}" if warmup["errors"] else ""
    return f"{warmup['ok']} of {warmup['requests']} succeeded: {times}{failure}"


def _times(result: Result) -> Iterator[RenderableType]:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("", no_wrap=True, min_width=5)
    for name in TIMES:
        table.add_column(name, justify="right", no_wrap=True)
    latency: TimeName = "response" if result["latency_from"] == "scheduled" else "service"
    spread = _spread(result, latency)
    table.add_column(f"{latency}, {quantity.share(result['confidence'])} CI", justify="right")
    for label, key in ROWS:
        cells = (quantity.seconds(_spread(result, name)[key]) for name in TIMES)
        table.add_row(label, *cells, _interval(spread, key))
    succeeded, failed = result["completed_requests"], result["failed_requests"]
    notes = (
        f"latency_* in the JSON is {latency}. response = wait (budget) + lag (this tool) + service (server).",
        f"response and service of {succeeded} successful requests ({failed} failed); wait and lag of all sent.",
    )
    yield from (Text(), table)
    yield from (Text(note, style="dim") for note in notes)
    yield from (Text(sentence, style="dim") for sentence in completion.resolution(result))
    if spread["no_interval"]:
        yield Text(printable(f"no confidence intervals for {latency}: {spread['no_interval']}"), style="dim")
    elif spread["tau"] > 1:
        text = f"{latency}: requests are correlated (effective n = {spread['n_effective']:,.0f} of {spread['n']:,})."
        yield Text(text, style="dim")
    outcomes = result["outcomes"]
    endless = outcomes["timeout"] + outcomes["cancelled"] + outcomes["unfinished"] + outcomes["lost"]
    if endless:
        text = f'{endless} requests did not complete and count as infinite latency: "-" is a percentile among them.'
        yield Text(text, style="dim")
    warnings = (result["stationarity"]["warning"], result["arrival_audit"]["warning"])
    yield from (Text(warning, style="yellow") for warning in warnings if warning)


def _urls(result: Result) -> Iterator[RenderableType]:
    """Yield a table with one row per base URL, where there are several."""
    if not result["by_url"]:
        return
    latency: TimeName = "response" if result["latency_from"] == "scheduled" else "service"
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    has_slo = any(own["slo_met_success"] is not None for own in result["by_url"])
    names = ("sent", "ok", "max in flight", f"{latency} p50", "p95", "p99", *(["SLO met"] if has_slo else []))
    table.add_column("base URL", overflow="fold", min_width=24)
    for name in names:
        table.add_column(name, justify="right", overflow="fold")
    for own in result["by_url"]:
        times = own["response"] if latency == "response" else own["service"]
        counts = (str(own["sent"]), str(own["completed_requests"]), str(own["max_in_flight"]))
        spread = (quantity.seconds(times[key]) for key in ("p50", "p95", "p99"))
        met = [quantity.share(own["slo_attainment_rate"])] if has_slo else []
        table.add_row(Text(_printable(own["url"])), *counts, *spread, *met)
    yield from (Text(), table)


def _over_time(result: Result) -> Iterator[RenderableType]:
    """Yield the figures per time interval of a run whose rate changes."""
    if result["over_time"]:
        yield from (Text(), over_time.table(result["over_time"]))


def _spread(result: Result, name: TimeName) -> Spread:
    return result[name]


def _slo(result: Result) -> Iterator[RenderableType]:
    if result["slo_met_success"] is None:
        return
    share = quantity.share(result["slo_attainment_rate"])
    slo: Mapping[str, Any] = result["slo"]
    table = _grid()
    text = f"{share}{_ends(slo)}: {result['slo_met_success']} of {slo.get('requests')} with a target"
    _row(table, "SLO met", text)
    classes = slo.get("by_class", [])
    for row in classes[:SHOWN_CLASSES] if len(classes) > 1 else []:
        text = f"{quantity.share(row['attainment'])}{_ends(row)}: {row['met']} of {row['requests']}"
        _row(table, f"  {row['class']}", text)
    if len(classes) > SHOWN_CLASSES:
        _row(table, f"  {len(classes) - SHOWN_CLASSES} more", "in the JSON, slo.by_class")
    yield from (Text(), table)
    yield from (Text(sentence, style="dim") for sentence in completion.undecided(slo))
    yield from (Text(warning, style="yellow") for warning in slo.get("warnings", []))


def _ends(share: Mapping[str, Any]) -> str:
    """The interval of a share, " (97.1 % - 98.4 %)"; nothing where there is none."""
    ends = share.get("ci")
    return f" ({quantity.share(ends[0])} - {quantity.share(ends[1])})" if ends else ""


def _interval(spread: Spread, key: str) -> str:
    """Return the confidence interval of a percentile, or the sample size that one needs."""
    if ends := spread["ci"].get(key):
        upper = "inf" if ends[1] is None else quantity.seconds(ends[1])
        return f"{quantity.seconds(ends[0])} - {upper}"
    return f"needs n >= {spread['needs_n'][key]:,}" if key in spread["needs_n"] and spread["n"] else ""


def _media(result: Result) -> Iterator[RenderableType]:
    """Yield the table of verified and saved media."""
    table = _grid()
    for name, text in media.lines(result["media"]):
        _row(table, name, text)
    if table.row_count:
        yield from (Text(), table)


def _tool(result: Result) -> Iterator[RenderableType]:
    """Yield the table of this tool's processes and the machine."""
    table = _grid()
    for name, text in processes.lines(result["processes"]):
        _row(table, name, text)
    if table.row_count:
        yield from (Text(), table)


def _remarks(result: Result) -> Iterator[RenderableType]:
    """Yield what else is to be said, such as flags without effect."""
    if result.get("remarks"):
        yield Text()
    yield from (Text(printable(f"note: {text}"), style="yellow") for text in result.get("remarks", ()))


def _server(result: Result) -> Iterator[RenderableType]:
    """Yield the stage times and peak memory that the server reports."""
    table = _grid()
    for stage, p50_s in result["stage_durations_p50"].items():
        mean, p99 = result["stage_durations_mean"][stage], result["stage_durations_p99"][stage]
        times = f"mean {quantity.seconds(mean)}, p50 {quantity.seconds(p50_s)}, p99 {quantity.seconds(p99)}"
        _row(table, "stage " + stage, times)
    for name, text in server_times.lines(result):
        _row(table, name, text)
    if result["peak_memory_mb_max"] is not None:
        figures = (f"{name} {result[key]:,.0f} MB" for name, key in _MEMORY)
        _row(table, "peak memory", ", ".join(figures))
    if table.row_count:
        yield from (Text(), table)
    yield from (Text(sentence, style="dim") for sentence in server_times.missing_stages(result))


_MEMORY: tuple[tuple[str, Literal["peak_memory_mb_mean", "peak_memory_mb_median", "peak_memory_mb_max"]], ...] = (
    ("mean", "peak_memory_mb_mean"),
    ("median", "peak_memory_mb_median"),
    ("max", "peak_memory_mb_max"),
)


def _errors(result: Result) -> Iterator[RenderableType]:
    if not result["errors"]:
        return
    table = _grid()
    for kind, error in result["errors"].items():
        _row(table, f"{error['count']} x {kind}", error["example"] or "")
    if result["retry_after"]:
        _row(table, "Retry-After", _retry_after(result["retry_after"]))
    yield from (Text(), Text("errors, with one example each", style="bold red"), table)


def _retry_after(counts: RetryAfter) -> str:
    """Summarise the Retry-After headers."""
    span = " to ".join(dict.fromkeys((quantity.seconds(counts["min_s"]), quantity.seconds(counts["max_s"]))))
    if counts["min_s"] is None:
        span = f"a date ({counts['example']})"
    return f"in {counts['count']} answers: {span}; none was retried"


def _grid() -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(style="bold", max_width=24)
    table.add_column(overflow="fold")
    return table


def _row(table: Table, label: str, value: str) -> None:
    table.add_row(Text(_printable(label)), Text(_printable(value)))


def _printable(text: str) -> str:
    """One line of `text` without control characters, cut to EXAMPLE_LENGTH."""
    line = " ".join(printable(text).split())
    return line if len(line) <= EXAMPLE_LENGTH else line[: EXAMPLE_LENGTH - 3] + "..."
