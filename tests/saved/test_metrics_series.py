"""The server's metrics over a run: written as they change, read back, summed up, named and drawn; by hand."""

import io
import math
from typing import Any

import numpy as np
import orjson
import pytest
from rich.console import Console

from collector.records import shared_memory
from collector.report.html.gauges import gauges
from collector.report.html.page import page
from collector.report.html.series import Series
from collector.report.terminal import server_metrics
from collector.saved import metrics_series
from collector.saved.metrics_log import MetricsLog, Scrapes
from collector.summary.result import PageFigures, ServerMetrics
from loadgen.simulator.engine.options import SimulatorOptions
from loadgen.simulator.engine.queue import ReplicaQueue
from loadgen.simulator.metrics import page as exporter
from tests.report.test_html import drawn, result, run
from tests.support.runs import START, S

NAN = math.nan
A_URL = {"page": 0, "url": "http://gpu/metrics"}


def scraped(*rows: tuple[float, dict[str, float] | str], counters: tuple[str, ...] = (), end: bool = True) -> Scrapes:
    """Scrapes of one page from (seconds, values by name or what was wrong), through the file that holds them."""
    memory = shared_memory.anonymous_file()
    log = MetricsLog(memory.fileno())
    log.begin(0, "http://gpu/metrics")
    known: dict[str, tuple[int, float | None]] = {}
    for at_s, values in rows:
        at_ns = START + round(at_s * S)
        if isinstance(values, str):
            log.failed(0, at_ns, values)
            continue
        for name in values:
            if name not in known:
                known[name] = (log.series(0, name, "counter" if name in counters else "gauge"), None)
        now = {name: values.get(name) for name in known}
        log.scraped(0, at_ns, {known[name][0]: value for name, value in now.items() if value != known[name][1]})
        known = {name: (known[name][0], value) for name, value in now.items()}
    if end:
        log.end(START)
    return Scrapes.of_file(memory.fileno())


def spread(scrapes: Scrapes, until_s: float, name: str) -> tuple[Any, ...]:
    (found,) = (one for one in metrics_series.figures(scrapes, START, until_s)["changed"] if one["name"] == name)
    return found["min"], found["mean"], found["max"], found["samples"]


def test_values_stand_until_they_change_and_are_none_where_a_scrape_failed_or_they_are_gone() -> None:
    scrapes = scraped((0, {"a": 1, "b": 5}), (1, {"a": 1}), (2, "HTTP 503"), (3, {"a": 2}), (4, {"a": 2, "b": 6}))
    by_name = {track.name: scrapes.values(track).tolist() for track in scrapes.tracks.values()}
    assert np.array_equal(by_name["a"], [1, 1, NAN, 2, 2], equal_nan=True)
    assert np.array_equal(by_name["b"], [5, NAN, NAN, NAN, 6], equal_nan=True)


def test_a_gauge_is_summed_up_over_the_run_and_what_was_before_and_after_only_tells_that_it_moved() -> None:
    scrapes = scraped((-1, {"a": 9}), (0, {"a": 1}), (1, {"a": 2}), (2, {"a": 6}), (3, {"a": 0}))
    assert spread(scrapes, 2.5, "a") == (1, 3, 6, 3)
    assert spread(scrapes, 0.5, "a") == (1, 1, 1, 1)


def test_a_counter_is_a_rate_and_its_mean_is_the_increase_over_the_time() -> None:
    rows = [(-1.0, {"c": 0.0}), (1.0, {"c": 4.0}), (2.0, {"c": 4.0}), (4.0, {"c": 14.0}), (5.0, {"c": 15.0})]
    scrapes = scraped(*rows, counters=("c",))
    assert spread(scrapes, 3.0, "c") == (0, 14 / 5, 5, 3)  # 2/s over 2 s, 0/s over 1 s, 5/s over 2 s


def test_a_counter_has_no_rate_over_a_restart_and_one_over_a_scrape_that_failed() -> None:
    scrapes = scraped((0, {"c": 100}), (1, {"c": 110}), (2, {"c": 3}), (3, "reset"), (4, {"c": 7}), counters=("c",))
    (one,) = metrics_series.moved(scrapes, START)
    assert np.array_equal(one.values, [NAN, 10, NAN, NAN, 2], equal_nan=True)
    assert one.since_s.tolist() == [0, 0, 1, 3, 2]


def test_what_did_not_move_is_only_counted() -> None:
    scrapes = scraped((0, {"a": 1, "b": 5, "c": 1}), (1, {"b": 5, "c": 2}), (2, {"a": 1, "b": 5, "c": 2}))
    found = metrics_series.figures(scrapes, START, 2.0)
    assert ([one["name"] for one in found["changed"]], found["unchanged"]) == (["c"], 2)


def test_a_run_with_no_scrape_inside_has_no_figures_of_gauges() -> None:
    assert spread(scraped((-1, {"a": 1}), (3, {"a": 2})), 1.0, "a") == (None, None, None, 0)


def test_what_readers_look_for_stands_first() -> None:
    names = (
        *("process_resident_memory_bytes", "zeal", "vllm:gpu_cache_usage_perc", "vllm:num_requests_running"),
        *("vllm:num_requests_waiting", "sglang:num_queue_reqs", "python_gc_running", "hits_total", "queue_total"),
    )
    scrapes = scraped((0, dict.fromkeys(names, 0.0)), (1, dict.fromkeys(names, 1.0)), counters=names[-2:])
    assert [one.name for one in metrics_series.moved(scrapes, START)] == [
        *("sglang:num_queue_reqs", "vllm:num_requests_waiting", "vllm:num_requests_running"),
        *("vllm:gpu_cache_usage_perc", "zeal", "process_resident_memory_bytes", "python_gc_running"),
        *("queue_total", "hits_total"),
    ]


def test_failures_are_counted_and_the_first_is_told() -> None:
    found = metrics_series.figures(scraped((0, "HTTP 404"), (1, "HTTP 503"), (2, {"a": 1})), START, 2.0)
    page = PageFigures(url="http://gpu/metrics", scrapes=3, failed=2, error="HTTP 404", truncated=False)
    assert found == {"pages": [page], "changed": [], "unchanged": 1, "warning": None}
    assert list(server_metrics.warnings(found)) == [
        "--server-metrics http://gpu/metrics: 2 of 3 scrapes failed; first error: HTTP 404"
    ]


def test_scrapes_without_an_end_are_of_a_scraper_that_died() -> None:
    found = metrics_series.figures(scraped((0, {"a": 1}), end=False), START, 2.0)
    assert "scraper died" in (found["warning"] or "")


def test_a_full_log_ends_and_says_so() -> None:
    memory = shared_memory.anonymous_file()
    log = MetricsLog(memory.fileno(), max_bytes=200)
    log.begin(0, "http://gpu/metrics")
    series = log.series(0, "a", "gauge")
    for second in range(100):
        log.scraped(0, START + second * S, {series: float(second)})
    log.end(START)
    scrapes = Scrapes.of_file(memory.fileno())
    assert 0 < len(scrapes.pages[0].at_ns) < 10
    assert (scrapes.ended, scrapes.reason) == (True, "64 MiB limit reached")
    assert memory_size(memory) < 300


def memory_size(memory: shared_memory.Descriptor) -> int:
    return len(shared_memory.rows(memory.fileno(), np.uint8))


def test_a_line_torn_by_a_death_is_left_out() -> None:
    memory = shared_memory.anonymous_file()
    shared_lines = [
        orjson.dumps(A_URL),
        orjson.dumps({"page": 0, "at_ns": START, "error": "reset"}),
        b'{"page":0,"at',
    ]
    with open(memory.fileno(), "wb", closefd=False) as file:
        file.write(b"\n".join(shared_lines))
    assert len(Scrapes.of_file(memory.fileno()).pages[0].at_ns) == 1


@pytest.mark.parametrize(
    "line",
    [
        [],
        {},
        None,
        7,
        {"page": 0},
        {"page": 1, "at_ns": 5, "values": {}},
        {"page": 0, "at_ns": "5", "values": {}},
        {"page": 0, "at_ns": -5, "values": {}},
        {"page": 0, "at_ns": 1 << 62, "values": {}},
        {"page": 0, "at_ns": 5, "values": {"1": 1}},
        {"page": 0, "at_ns": 5, "values": {"x": 1}},
        {"page": 0, "at_ns": 5, "values": [1]},
        {"page": 0, "at_ns": 5, "error": 1},
        {"page": 0, "series": 1, "name": 5, "kind": "gauge"},
        {"page": 0, "series": 1, "name": "a", "kind": "cloud"},
        {"page": 0, "series": [], "name": "a", "kind": "gauge"},
        {"page": 2, "series": 1, "name": "a", "kind": "gauge"},
        {"page": [], "url": "http://gpu"},
        {"page": "1", "url": "http://gpu"},
        {"page": 0, "url": 1},
        {"end_ns": 1},
        {"end_ns": 1, "reason": 4},
    ],
)
def test_a_line_that_is_no_scrape_is_an_error(line: object) -> None:
    with pytest.raises((AttributeError, KeyError, TypeError, ValueError)):
        Scrapes.of_lines([A_URL, line])


def test_a_value_that_is_none_and_times_that_go_back_are_errors() -> None:
    series = {"page": 0, "series": 1, "name": "a", "kind": "gauge"}
    for values in ({"1": "x"}, {"1": 1e200}, {"1": [1]}):
        with pytest.raises(ValueError, match="not a valid value"):
            Scrapes.of_lines([A_URL, series, {"page": 0, "at_ns": 5, "values": values}])
    later: list[dict[str, object]] = [{"page": 0, "at_ns": at_ns, "values": {}} for at_ns in (5, 4)]
    with pytest.raises(ValueError, match="in order"):
        Scrapes.of_lines([A_URL, *later])
    other = [{"page": 1, "url": "http://other"}, {"page": 1, "at_ns": 5, "values": {"1": 1}}]
    with pytest.raises(ValueError, match="another page"):
        Scrapes.of_lines([A_URL, series, *other])


def printed(found: ServerMetrics, width: int = 100) -> str:
    screen = io.StringIO()
    console = Console(file=screen, width=width)
    for part in server_metrics.rows({"server_metrics": found}):  # type: ignore[typeddict-item]
        console.print(part, highlight=False)
    return screen.getvalue()


def test_the_terminal_shows_few_rows_with_the_shortest_names_that_tell_them_apart() -> None:
    names = ['run{gpu="0"}', 'run{gpu="1"}', 'wait{gpu="0"}', *(f"zeal_{i}" for i in range(8)), "hits_total"]
    scrapes = scraped((0, dict.fromkeys(names, 0.0)), (1, dict.fromkeys(names, 2.5e9)), counters=("hits_total",))
    text = printed(metrics_series.figures(scrapes, START, 2.0))
    assert [line.split()[0] for line in text.splitlines() if "2.50 G" in line] == [
        *("wait", 'run{gpu="0"}', 'run{gpu="1"}', "zeal_0", "zeal_1", "zeal_2", "zeal_3", "zeal_4")
    ]
    assert "and 4 more series that changed are in the JSON" in text


def test_text_from_a_page_cannot_drive_the_terminal() -> None:
    name = 'run{model="[red]\x1b[31m"}'
    text = printed(
        metrics_series.figures(scraped((0, {name: 0.0, "run": 1.0}), (1, {name: 1.0, "run": 2.0})), START, 2.0)
    )
    assert "\x1b" not in text
    assert "[red]" in text


def test_without_the_flag_nothing_is_shown() -> None:
    assert list(server_metrics.rows({"server_metrics": None})) == []  # type: ignore[typeddict-item]


def test_gauges_of_one_size_share_a_plot_and_shares_have_their_own() -> None:
    first = {"waiting": 0.0, "running": 4.0, "memory": 6e9, "gpu_util": 0.25, "c_total": 1.0}
    second = {"waiting": 8.0, "running": 5.0, "memory": 7e9, "gpu_util": 0.5, "c_total": 9.0}
    scrapes = scraped((-1, first), (1, first), (2, second), (9, first), counters=("c_total",))
    found = metrics_series.moved(scrapes, START)
    plots = [each.plot for each in gauges(found, [one.name for one in found], 5.0)]
    assert [(plot.unit, [line.label for line in plot.lines]) for plot in plots] == [
        ("figure", ["waiting", "running"]),
        ("share", ["gpu_util"]),
        ("figure", ["memory"]),
    ]
    assert plots[0].x.tolist() == [1, 2]
    assert plots[0].lines[0].values.tolist() == [0, 8]


def test_a_line_breaks_off_where_scrapes_failed_however_many_points_it_has() -> None:
    rows: list[tuple[float, dict[str, float] | str]] = [(i / 10, {"a": float(i % 7)}) for i in range(5000)]
    rows[2000:2100] = [(i / 10, "reset") for i in range(2000, 2100)]
    (one,) = metrics_series.moved(scraped(*rows), START)
    (plot,) = (each.plot for each in gauges([one], ["a"], 500.0))
    gone = plot.x[np.isnan(plot.lines[0].values)]
    assert len(plot.x) < 3000
    assert (gone >= 200).all()
    assert (gone < 210).all()
    assert len(gone) >= 1


def test_the_page_draws_gauges_and_tells_of_pages_that_failed() -> None:
    hostile = '</script><script>"&'
    scrapes = scraped((0.1, {hostile: 1.0}), (0.5, {hostile: 2.0}), (0.7, "HTTP 503"))
    found, known = run(20)
    known_result = {**result(found, known), "server_metrics": metrics_series.figures(scrapes, START, 1.0)}
    html = page(known_result, Series.of_run(found, known, known.stalls), metrics_series.moved(scrapes, START)).decode()
    (plot,) = (each for each in drawn(html) if each["name"].startswith("gauges_"))
    assert plot["lines"][0]["values"] == [1.0, 2.0, None]
    assert "1 of 3 scrapes failed; first error: HTTP 503" in html
    assert hostile not in html


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "-"),
        (0.0, "0"),
        (0.25, "0.25"),
        (12.0, "12.0"),
        (999_400.0, "999,400"),
        (1.6e9, "1.60 G"),
        (-2e6, "-2.00 M"),
    ],
)
def test_bare_numbers_are_written_in_three_digits(value: float | None, text: str) -> None:
    from collector.text import quantity

    assert quantity.figure(value) == text


def test_the_queue_of_the_simulated_server_knows_what_runs_and_what_waits() -> None:
    queue = ReplicaQueue(2)
    assert queue.occupancy(0) == (0, 0)
    for service in (10, 20, 10, 10):  # 0-10, 0-20, 10-20, 20-30
        queue.admit(0, service)
    seen = {now: queue.occupancy(now) for now in (0, 9, 10, 19, 20, 29, 30)}
    assert seen == {0: (2, 2), 9: (2, 2), 10: (2, 1), 19: (2, 1), 20: (1, 0), 29: (1, 0), 30: (0, 0)}


def test_the_page_of_the_simulated_server_is_one() -> None:
    from loadgen.monitoring.exposition_format import read

    found = read(exporter(SimulatorOptions(replicas=4, model='a"b\\c'), (3, 5), 17).encode(), "text/plain")
    labels = '{model_name="a\\"b\\\\c"}'
    assert found == {
        f"vllm:num_requests_running{labels}": ("gauge", 3.0),
        f"vllm:num_requests_waiting{labels}": ("gauge", 5.0),
        f"vllm:gpu_utilization{labels}": ("gauge", 0.75),
        f"vllm:requests_total{labels}": ("counter", 17.0),
    }
