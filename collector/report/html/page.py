"""The HTML page of a run, one self-contained file for screens, phones and print."""

from collections.abc import Mapping, Sequence
from typing import Any

from collector.report.html import distribution, figures, gauges, plots
from collector.report.html.document import document
from collector.report.html.markup import info, note, section, text
from collector.report.html.over_time import over_time
from collector.report.html.plots import Figure
from collector.report.html.series import Series
from collector.report.terminal import server_metrics
from collector.saved.metrics_series import Moved
from collector.text.failures import failed_requests

_SHOWN_ELSEWHERE = ("by_class", "over_time")  # of the SLO, elsewhere on the page
_PLANNED = "Requests planned, sent and succeeded."
_CLOSED = "Requests sent and succeeded; a closed loop has no planned times."
_EMPTY = "Nothing was sent, so there is nothing to plot."


def page(result: Mapping[str, Any], series: Series, moved: Sequence[Moved] = ()) -> bytes:
    """Return the HTML page in UTF-8; `result` is the JSON report, `series` the times of the same run.

    `moved` are the server metrics that changed (`metrics_series.moved`), in the order of the result. Plots are
    downsampled, so that a million requests make about half a megabyte; figures are computed from all requests.
    """
    figures_by_name = _figures(result, series, moved)
    shown = [each.plot for each in figures_by_name.values() if series.sent]
    title = f"{result['model']}, {result['task']}, {result['dataset']}"
    failed = failed_requests(result["failed_requests"], result["offered"]["sent"])
    state = ", ".join(filter(None, [result["verdict"]["state"], failed]))
    return document(title, state, _body(result, series, figures_by_name), shown).encode(errors="replace")


def _figures(result: Mapping[str, Any], series: Series, moved: Sequence[Moved]) -> dict[str, Figure]:
    if not series.sent:
        return {}
    intervals = result["slo"].get("over_time") or []
    made = (
        plots.rates(series),
        plots.latency(series, result["slo_attainment_rate"] is not None),
        *([plots.attained(series, intervals)] if intervals else []),
        *gauges.gauges(moved, _labels(result) if moved else (), series.end_s),
        distribution.distribution(series, result),
        plots.in_flight(series),
        plots.lag(series),
    )
    return {each.plot.name: each for each in made}


def _labels(result: Mapping[str, Any]) -> list[str]:
    return server_metrics.labels(result["server_metrics"]["changed"])


def _body(result: Mapping[str, Any], series: Series, figures_by_name: Mapping[str, Figure]) -> str:
    latency = figures.latency_name(result)
    counted = f"n = {series.sent:,} sent, {series.failed:,} failed."

    def figure(name: str, label: str) -> str:
        return _figure(figures_by_name[name], f"{label} {counted}") if name in figures_by_name else note(_EMPTY)

    parts = (
        figures.verdict(result),
        figures.headline(result, series.max_concurrency),
        section("Requested and achieved rate", figure("rates", _CLOSED if series.closed_loop else _PLANNED)),
        section(
            f"{latency.capitalize()} over time",
            figure("latency", f"The {latency} of each request, at its start."),
            figure("attained", "SLO met over time.") if "attained" in figures_by_name else "",
        ),
        _metrics(result, figures_by_name),
        section(
            "Distributions",
            figure("distribution", "Cumulative share of requests by time."),
            figures.percentiles(result),
        ),
        over_time(result),
        section("Requests in flight", figure("in_flight", "Requests in flight over time.")),
        section(
            "Lag and the machine",
            figure("lag", "Lag of each request, and timer stalls of the machine."),
            figures.tool(result),
        ),
        figures.attainment(result),
        figures.errors(result),
        figures.media(result),
        figures.server(result),
        section("Configuration and environment", _configuration(result)),
    )
    return "".join(parts)


def _metrics(result: Mapping[str, Any], figures_by_name: Mapping[str, Figure]) -> str:
    shown = (_figure(each, "Server gauges.") for name, each in figures_by_name.items() if name.startswith("gauges_"))
    table = gauges.summary_table(result)
    return section("Server metrics", *shown, table) if table else ""


def _figure(each: Figure, label: str) -> str:
    place = f'<div class="plot" id="{text(each.plot.name)}" data-label="{text(label)}"></div>'
    return f"<figure>{place}<figcaption>{text(f'{label} {each.note}')}</figcaption></figure>"


def _configuration(result: Mapping[str, Any]) -> str:
    names = ("config", "slo", "warmup", "arrival_audit", "stationarity", "environment")
    trees = {name: result[name] for name in names if isinstance(result.get(name), Mapping)}
    trees["slo"] = {key: value for key, value in result["slo"].items() if key not in _SHOWN_ELSEWHERE}
    parts = "".join(info(name, tree) for name, tree in trees.items())
    return f'<div class="facts">{parts}</div>'
