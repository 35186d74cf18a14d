"""The page: everything in one file that opens without a network, on a phone and on paper."""

from collections.abc import Mapping, Sequence
from typing import Any

from collector.report.html import distribution, figures, gauges, plots
from collector.report.html.document import document
from collector.report.html.markup import info, note, section, text
from collector.report.html.plots import Drawn
from collector.report.html.series import Series
from collector.report.html.stretches import stretches
from collector.report.terminal import server_metrics
from collector.saved.metrics_series import Moved

_SHOWN = ("by_class", "over_time")  # of the SLO, elsewhere on the page
_PLANNED = "Requests planned, sent and succeeded."
_CLOSED = "Requests sent and succeeded; a closed loop plans no times."
_EMPTY = "Nothing was sent, so there is nothing to draw."


def page(result: Mapping[str, Any], series: Series, moved: Sequence[Moved] = ()) -> bytes:
    """Write the report of a run as HTML in UTF-8; `result` is the JSON report, `series` the times of the same run.

    `moved` are the metrics of its server, of which the gauges are drawn (`metrics.moved`), as many as the result has.
    A million requests make about half a megabyte: what is drawn is thinned, what is computed is not.
    """
    drawn = _drawn(result, series, moved)
    shown = [each.plot for each in drawn.values() if series.sent]
    title = f"{result['model']}, {result['task']}, {result['dataset']}"
    return document(title, result["verdict"]["state"], _body(result, series, drawn), shown).encode(errors="replace")


def _drawn(result: Mapping[str, Any], series: Series, moved: Sequence[Moved]) -> dict[str, Drawn]:
    if not series.sent:
        return {}
    stretches = result["slo"].get("over_time") or []
    made = (
        plots.rates(series),
        plots.latency(series, result["slo_attainment_rate"] is not None),
        *([plots.attained(series, stretches)] if stretches else []),
        *gauges.gauges(moved, _labels(result) if moved else (), series.end_s),
        distribution.distribution(series, result),
        plots.in_flight(series),
        plots.lag(series),
    )
    return {each.plot.name: each for each in made}


def _labels(result: Mapping[str, Any]) -> list[str]:
    return server_metrics.labels(result["server_metrics"]["changed"])


def _body(result: Mapping[str, Any], series: Series, drawn: Mapping[str, Drawn]) -> str:
    latency = figures.latency_name(result)
    counted = f"n = {series.sent:,} sent, {series.failed:,} failed."

    def figure(name: str, label: str) -> str:
        return _figure(drawn[name], f"{label} {counted}") if name in drawn else note(_EMPTY)

    parts = (
        figures.verdict(result),
        figures.headline(result, series.max_concurrency),
        section("ExpectedMedia and achieved rate", figure("rates", _CLOSED if series.closed_loop else _PLANNED)),
        section(
            f"{latency.capitalize()} over time",
            figure("latency", f"The {latency} of each request where it began."),
            figure("attained", "SLO met over time.") if "attained" in drawn else "",
        ),
        _metrics(result, drawn),
        section(
            "Distributions",
            figure("distribution", "Share of requests that took at most so long."),
            figures.percentiles(result),
        ),
        stretches(result),
        section("Requests in flight", figure("in_flight", "Requests in flight over time.")),
        section(
            "Lag and the machine",
            figure("lag", "Lag of each request beside late wake-ups of the machine."),
            figures.tool(result),
        ),
        figures.attainment(result),
        figures.errors(result),
        figures.server(result),
        section("Configuration and environment", _circumstances(result)),
    )
    return "".join(parts)


def _metrics(result: Mapping[str, Any], drawn: Mapping[str, Drawn]) -> str:
    shown = (_figure(each, "Gauges of the server.") for name, each in drawn.items() if name.startswith("gauges_"))
    said = gauges.said(result)
    return section("The server's own metrics", *shown, said) if said else ""


def _figure(drawn: Drawn, label: str) -> str:
    place = f'<div class="plot" id="{text(drawn.plot.name)}" data-label="{text(label)}"></div>'
    return f"<figure>{place}<figcaption>{text(f'{label} {drawn.note}')}</figcaption></figure>"


def _circumstances(result: Mapping[str, Any]) -> str:
    names = ("config", "slo", "warmup", "arrival_audit", "stationarity", "environment")
    trees = {name: result[name] for name in names if isinstance(result.get(name), Mapping)}
    trees["slo"] = {key: value for key, value in result["slo"].items() if key not in _SHOWN}
    parts = "".join(info(name, tree) for name, tree in trees.items())
    return f'<div class="facts">{parts}</div>'
