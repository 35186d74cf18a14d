"""The page: what it draws, what it says, that nothing from elsewhere is markup in it, and that a browser shows it."""

import asyncio
import base64
import hashlib
import json as std_json
import re
from collections.abc import Mapping
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from collector.records.record import RECORD, ErrorKind, Outcome
from collector.records.stalls import STALL
from collector.report import json
from collector.report.html import distribution, plots
from collector.report.html.downsampling import downsample_points, downsample_steps
from collector.report.html.page import page
from collector.report.html.plot import Plot, scatter, significant
from collector.report.html.series import Series
from collector.summary.run_info import RunInfo, RunNotes
from collector.summary.summary import summarise
from collector.text import quantity
from tests.support.browser import Tab, tab
from tests.support.runs import START, S, info, jobs, records

HOSTILE = '</script><script>window.hostile = 1</script><img src=x onerror="window.hostile = 2">&\''
HTML = Path(plots.__file__).parent


def result(found: NDArray[np.void], known: RunInfo, text: str = "plain", **config: object) -> dict[str, Any]:
    notes = RunNotes({text: [0.1]}, {"http_503": text})
    run_metadata = {"config": {text: text, **config}, "environment": {"cores": [text, None]}, "processes": {}}
    names = {"backend": text, "model": text, "dataset": text, "task": text}
    whole = json.assemble(summarise(found, known, notes), **run_metadata, media={}, warmup={}, slo={}, **names)  # type: ignore[arg-type]
    return dict(whole)


def run(n: int, *, failed: int = 0, cap: int = 1000, seed: int = 1) -> tuple[NDArray[np.void], RunInfo]:
    """Requests of 50 to 250 ms, 20/s planned, with a target of 200 ms; the first `failed` get a 503."""
    random = np.random.default_rng(seed)
    known = info([i / 20 for i in range(n)], [i / 20 for i in range(n)], cap=cap, rate=20.0)
    found = np.zeros(n, RECORD)
    found["index"], found["status"], found["peak_memory_mb"] = np.arange(n), 200, np.nan
    found["sent_ns"] = known.scheduled_ns + random.integers(1_000, 90_000, n)
    found["done_ns"] = found["sent_ns"] + random.integers(50_000_000, 250_000_000, n)
    found["outcome"][:failed], found["error"][:failed], found["status"][:failed] = Outcome.ERROR, ErrorKind.HTTP, 503
    stalls = np.array([(0, START + k * S, 3_000_000) for k in range(min(n, 3))], STALL)
    shapes = np.tile(np.array([[512, 512, 1, 20], [1024, 1024, 1, 20]], np.int32), (n // 2 + 1, 1))[:n]
    known = replace(known, slo_enabled=True, slo_ms=np.full(n, 200.0), stalls=stalls, shapes=shapes)
    return found, replace(known, send_time_ns=found["sent_ns"].copy(), ended_ns=START + 1000 * S)


def capped() -> tuple[NDArray[np.void], RunInfo]:
    """One at a time, a second each, where ten a second were asked for."""
    rows = [(i, float(i), i + 1.0, Outcome.OK) for i in range(60)]
    known = info([i / 10 for i in range(60)], [float(i) for i in range(60)], cap=1, rate=10.0)
    return records(*rows), known


def html_page(found: NDArray[np.void], known: RunInfo, text: str = "plain") -> str:
    return page(result(found, known, text), Series.of_run(found, known, known.stalls)).decode()


def drawn(html: str) -> list[dict[str, Any]]:
    block = re.search(r'<script type="application/json" id="plots">(.*?)</script>', html, re.DOTALL)
    assert block is not None
    return list(std_json.loads(block[1]))


def series_of(found: NDArray[np.void], known: RunInfo) -> Series:
    return Series.of_run(found, known, known.stalls)


def line(plot: Plot, label: str) -> list[float]:
    found = next(each for each in plot.lines if each.label.startswith(label))
    return [float(value) for value in found.values]


class Reader(HTMLParser):
    """Keeps the elements, and the text outside of styles and scripts."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, Mapping[str, str | None]]] = []
        self.text = ""
        self._open = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self._open = tag

    def handle_endtag(self, tag: str) -> None:
        self._open = ""

    def handle_data(self, data: str) -> None:
        if self._open not in ("script", "style"):
            self.text += data + " "


points = st.lists(st.tuples(st.floats(0, 1e6), st.floats(1e-9, 1e6)), min_size=1, max_size=200)


@given(points, st.integers(4, 50))
def test_downsampled_points_are_few_and_in_order_and_keep_both_extremes(
    rows: list[tuple[float, float]], most: int
) -> None:
    x, y = np.array(rows, dtype=np.float64).T
    kept = downsample_points(x, y, most)
    assert len(kept) <= most
    assert np.all(np.diff(kept) > 0)
    assert (y[kept].min(), y[kept].max()) == (y.min(), y.max())
    assert np.array_equal(kept, downsample_points(x, y, most))


@given(points, st.integers(1, 10))
def test_downsampled_steps_keep_ends_and_extremes(rows: list[tuple[float, float]], columns: int) -> None:
    x, y = np.array(sorted(rows), dtype=np.float64).T
    kept = downsample_steps(x, y, columns)
    assert len(kept) <= 4 * columns
    assert (kept[0], kept[-1]) == (0, len(x) - 1)
    assert (y[kept].min(), y[kept].max()) == (y.min(), y.max())


def test_a_level_lasts_until_the_next_step_that_is_drawn() -> None:
    x = np.concatenate([np.linspace(0, 1, 40), [10.0]])
    y = np.concatenate([np.arange(39.0), [7.0, 3.0]])
    kept = downsample_steps(x, y, 4)
    assert y[kept][-2:].tolist() == [7.0, 3.0]


def test_points_of_several_groups_share_one_ascending_axis() -> None:
    x, y = np.array([3.0, 1.0, 2.0]), np.array([30.0, 10.0, 20.0])
    at, (first, second) = scatter(x, [np.array([0, 1]), np.array([2])], y)
    assert at.tolist() == [1, 2, 3]
    assert np.nan_to_num(first, nan=-1).tolist() == [10, -1, 30]
    assert np.nan_to_num(second, nan=-1).tolist() == [-1, 20, -1]


def test_numbers_are_cut_to_significant_digits() -> None:
    cut = significant(np.array([0.0, 123456.0, 0.00123456, -98765.0, np.nan]))
    assert np.nan_to_num(cut, nan=-1).tolist() == [0.0, 123500.0, 0.001235, -98760.0, -1.0]


def test_a_series_is_in_seconds_from_time_zero() -> None:
    rows = [(0, 0.25, 1.0, Outcome.OK), (1, 2.0, 4.0, Outcome.OK), (2, 3.0, 3.5, Outcome.TIMEOUT)]
    known = replace(info([0.0, 1.5, 3.0, 9.0], [0.25, 2.0, 3.0, None]), slo_enabled=True, slo_ms=np.full(4, 2000.0))
    stalls = np.array([(0, START + S, S // 4)], STALL)
    found = Series.of_run(records(*rows), known, stalls)
    assert found.planned_s.tolist() == [0.0, 1.5, 3.0, 9.0]
    assert found.response_s.tolist() == [1.0, 2.5, 0.5]
    assert found.service_s.tolist() == [0.75, 2.0, 0.5]
    assert (found.stall_at_s.tolist(), found.stall_late_s.tolist()) == ([1.0], [0.25])
    assert (found.missed.tolist(), found.failed, found.endless, found.end_s) == ([False, True, False], 1, 1, 9.0)


def test_rates_count_what_was_planned_sent_and_succeeded_in_each_bin() -> None:
    rows = [(i, i / 10, i / 10 + 0.05, Outcome.OK if i < 50 else Outcome.ERROR) for i in range(100)]
    known = info([i / 10 for i in range(100)], [i / 10 for i in range(100)], rate=10.0)
    plot = plots.rates(series_of(records(*rows), known)).plot
    width_s = 9.95 / 4
    assert plot.x.tolist() == pytest.approx([0, width_s, 2 * width_s, 3 * width_s, 9.95])
    assert line(plot, "planned") == pytest.approx([25 / width_s] * 5, rel=1e-3)
    assert line(plot, "succeeded")[2:] == [0.0, 0.0, 0.0]


def test_a_closed_loop_has_no_planned_rate() -> None:
    found, known = capped()
    names = [each.label for each in plots.rates(series_of(found, replace(known, asked_rate=float("inf")))).plot.lines]
    assert names == ["sent", "succeeded"]


def test_requests_in_flight_are_counted_from_instant_to_instant() -> None:
    rows = [(0, 0.0, 2.0, Outcome.OK), (1, 1.0, 3.0, Outcome.OK), (2, 2.0, 4.0, Outcome.OK)]
    plot = plots.in_flight(series_of(records(*rows), info([0.0, 1.0, 2.0], [0.0, 1.0, 2.0]))).plot
    assert plot.x.tolist() == [0, 1, 2, 2, 3, 4]
    assert line(plot, "in flight") == [1, 2, 1, 2, 1, 0]


def test_stalls_before_and_after_the_run_are_not_drawn() -> None:
    found, known = run(20)
    stalls = np.array([(0, START - S, S), (0, START, S // 2), (0, START + 99 * S, S)], STALL)
    plot = plots.lag(Series.of_run(found, known, stalls)).plot
    shown = np.array(line(plot, "machine stall: 1"))
    assert shown[~np.isnan(shown)].tolist() == [0.5]


def test_every_missed_request_is_drawn_while_they_are_few() -> None:
    n = 20_000
    found, known = run(n)
    found["done_ns"] = found["sent_ns"] + 100_000_000
    found["done_ns"][[5, 700, 15_000]] += 200_000_000
    shown = plots.latency(series_of(found, known), targets=True)
    missed = np.array(line(shown.plot, "missed the SLO: 3"))
    assert np.count_nonzero(~np.isnan(missed)) == 3
    assert len(shown.plot.x) <= plots.MAX_POINTS + 3
    assert f"of {n:,} points are shown" in shown.note


def test_a_distribution_is_of_order_statistics_and_its_band_that_of_the_percentile_table() -> None:
    order = np.random.default_rng(3).permutation(500)
    rows = [(int(i), float(i), i + float(order[i] + 1) / 1000, Outcome.OK) for i in range(500)]
    known = info([float(i) for i in range(500)], [float(i) for i in range(500)])
    told = result(records(*rows), known)
    plot = distribution.distribution(series_of(records(*rows), known), told).plot
    response = next(each for each in plot.lines if each.label == "response")
    for p, key in ((0.5, "p50"), (0.9, "p90"), (0.95, "p95"), (0.99, "p99")):
        place = int(np.argmin(np.abs(plot.x - p)))
        assert response.values[place] == pytest.approx(told["response"][key], rel=1e-3)
        assert [response.low[place], response.high[place]] == pytest.approx(told["response"]["ci"][key], rel=1e-3)


def test_a_distribution_ends_where_those_that_never_ended_begin() -> None:
    rows = [(i, float(i), i + 0.5, Outcome.OK if i < 60 else Outcome.TIMEOUT) for i in range(100)]
    known = info([float(i) for i in range(100)], [float(i) for i in range(100)])
    plot = distribution.distribution(series_of(records(*rows), known), result(records(*rows), known)).plot
    reach = plot.x[~np.isnan(np.array(line(plot, "service")))]
    assert reach.max() == pytest.approx(0.6)


def test_a_time_that_was_always_zero_is_named_and_not_drawn() -> None:
    found, known = run(40)
    shown = distribution.distribution(series_of(found, known), result(found, known))
    assert "wait" not in [each.label for each in shown.plot.lines]
    assert "wait is not plotted: it was 0 for all 40." in shown.note


def test_the_parts_of_the_page_stand_in_order_the_verdict_first() -> None:
    titles = re.findall(r"<h2>(.*?)</h2>", html_page(*run(60, failed=2)))
    assert titles == [
        'VALID load, <strong class="failed">2 of 60 requests failed</strong> <span class="kinds">(http_503)</span>',
        *("Key figures", "Requested and achieved rate", "Response over time", "Distributions"),
        *("Requests in flight", "Lag and the machine", "SLO attainment by class", "Errors"),
        *("Server-reported times and memory", "Configuration and environment"),
    ]


def test_a_run_whose_rate_changes_has_every_figure_over_time() -> None:
    found, known = run(60, failed=2)
    rising = replace(known, rate_series=((0.0, 10.0), (3.0, 30.0)))
    text = Reader(html_page(found, rising)).text
    rows = result(found, rising)["over_time"]
    assert len(rows) == 3
    assert "Figures over time" in text
    for figure in ("13.3/s", "20.0/s", "26.7/s", "to 3.00 s", quantity.seconds(rows[1]["latency"]["p50"])):
        assert figure in text, figure
    assert "needs n >= 368" in text
    assert "Figures over time" not in Reader(html_page(found, known)).text


def test_n_and_failures_stand_beside_the_figures() -> None:
    found, known = run(60, failed=2)
    text = Reader(html_page(found, known)).text
    told = result(found, known)["response"]
    assert "n = 58, 2 failed" in text
    assert f"needs n >= {told['needs_n']['p99']:,}" in text
    assert "2 error" in text
    assert "1024x1024, 20 steps" in text


@pytest.mark.parametrize(
    ("n", "failed", "why"),
    [(0, 0, "Nothing was sent, so there is nothing to plot."), (5, 5, "none succeeded"), (1, 0, "have no rate")],
)
def test_a_figure_that_is_not_known_says_why(n: int, failed: int, why: str) -> None:
    assert why in Reader(html_page(*run(n, failed=failed))).text


def test_a_percentile_among_those_that_never_ended_says_so() -> None:
    rows = [(i, float(i), i + 0.5, Outcome.OK if i < 60 else Outcome.TIMEOUT) for i in range(100)]
    known = info([float(i) for i in range(100)], [float(i) for i in range(100)])
    assert "falls among requests that did not complete" in Reader(html_page(records(*rows), known)).text


def test_reasons_and_warnings_stand_with_the_verdict() -> None:
    found, known = capped()
    told = {**result(found, known), "stationarity": {"warning": "It drifts."}}
    html = page(told, series_of(found, known)).decode()
    first = html[html.index('<section class="verdict') : html.index("Key figures")]
    assert "CAPPED" in first
    assert "These figures describe 1 in flight" in first
    assert "It drifts." in first


def test_the_page_says_how_well_completions_are_known_and_what_that_leaves_undecided() -> None:
    known = replace(info([0, 0], [0, 0]), slo_enabled=True, slo_ms=np.array([3500.0, 9000.0]))
    html = html_page(jobs((0, 1, 2, 4), (0, 1, 1.5, 2)), known)
    assert "known to within p50 500 ms, p99 1.00 s, max 1.00 s" in html
    assert "1 not met are undecided within" in html
    assert "are undecided" not in html_page(*run(8))


def test_text_from_elsewhere_is_never_markup() -> None:
    found, known = run(30, failed=3)
    plain, hostile = Reader(html_page(found, known)), Reader(html_page(found, known, HOSTILE))
    assert [tag for tag, _ in hostile.elements] == [tag for tag, _ in plain.elements]
    assert HOSTILE in hostile.text


def test_odd_characters_do_not_cost_the_page() -> None:
    assert "a?b" in html_page(*run(3), "a\udcffb")


def test_the_data_end_where_their_element_ends() -> None:
    found, known = run(30, failed=3)
    names = [each["name"] for each in drawn(html_page(found, known, HOSTILE))]
    assert names == ["rates", "latency", "attained", "distribution", "in_flight", "lag"]


def test_the_page_names_no_address_and_allows_only_what_is_in_it() -> None:
    html = html_page(*run(30))
    elements = Reader(html).elements
    assert [value for _, attrs in elements for name, value in attrs.items() if name in ("src", "href")] == ["data:,"]
    assert not any(name.startswith("on") or name == "style" for _, attrs in elements for name in attrs)
    policy = next(attrs["content"] or "" for _, attrs in elements if "http-equiv" in attrs)
    assert policy.startswith("default-src 'none';")
    assert "unsafe" not in policy
    inline = re.findall(r"<(?:style|script)>(.*?)</(?:style|script)>", html, re.DOTALL)
    digests = {base64.b64encode(hashlib.sha256(each.encode()).digest()).decode() for each in inline}
    assert set(re.findall(r"'sha256-(.*?)'", policy)) == digests
    assert len(inline) == 4


@pytest.mark.parametrize(
    ("name", "digest"),
    [
        ("uPlot.iife.min.js", "19c8d4c6ad88929a79f4ae49d6f7161566dfd0ba3d15cc495e974f787eb78f1f"),
        ("uPlot.min.css", "df630c6a8d6f8eeaff264b50f73ce5b114f646ffd9a0bb74f049b0a00135fa04"),
        ("uPlot.LICENSE", "8f989229699b4fe2f1a0432d0e9edc338a8a911e250e2d1b01ecd770a5f5b1bd"),
    ],
)
def test_the_embedded_library_is_that_of_npm_1_6_32_unmodified(name: str, digest: str) -> None:
    content = (HTML / name).read_bytes()
    assert hashlib.sha256(content).hexdigest() == digest
    kept = " ".join(content.decode().split())
    shown = html_page(*run(3))
    assert (kept in " ".join(Reader(shown).text.split())) if name.endswith("LICENSE") else (content.decode() in shown)


def test_a_long_run_makes_a_page_no_larger_than_a_short_one() -> None:
    small, large = (len(html_page(*run(n, failed=n // 100))) for n in (20_000, 100_000))
    assert large < 1.1 * small < 1_500_000


# Pixels of each canvas that are of a colour: axes, grids and letters are grey, so these are of what was drawn.
COLOURED = """[...document.querySelectorAll("canvas")].map((canvas) => {
  const pixels = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
  let count = 0;
  for (let at = 0; at < pixels.length; at += 4) {
    const [red, green, blue, alpha] = pixels.subarray(at, at + 4);
    if (alpha > 60 && Math.max(red, green, blue) - Math.min(red, green, blue) > 60) count += 1;
  }
  return count;
})"""

WIDTHS = (
    "[...document.querySelectorAll('table.rows')].map((table) => [table.offsetWidth, table.parentElement.clientWidth])"
)


async def looked_at(found: Tab, path: Path, *, width: int, dark: bool) -> list[int]:
    """Open a page, check what holds for each of them, and count the coloured pixels of each plot."""
    await found.open(path, width=width, dark=dark)
    assert found.complaints == []
    assert set(found.asked) <= {path.as_uri(), "data:,"}
    assert await found.evaluate("document.documentElement.scrollWidth") <= width
    assert await found.evaluate("window.hostile") is None
    found.asked.clear()
    return list(await found.evaluate(COLOURED))


def test_a_browser_draws_every_plot_offline_and_has_no_complaint(tmp_path: Path) -> None:
    runs = {"healthy": run(600, failed=6), "capped": capped(), "failed": run(50, failed=50), "one": run(1)}
    many, known = run(600)
    runs["changing"] = many, replace(known, rate_series=((0.0, 10.0), (30.0, 30.0)))
    for name, made in {**runs, "empty": run(0)}.items():
        (tmp_path / f"{name}.html").write_text(html_page(*made, HOSTILE))

    async def look() -> None:
        async with tab() as found:
            for name, made in runs.items():
                for width, dark in ((1280, False), (360, True)):
                    counts = await looked_at(found, tmp_path / f"{name}.html", width=width, dark=dark)
                    assert len(counts) == len(drawn(html_page(*made)))
                    assert min(counts) >= 5, (name, width, counts)
            assert await looked_at(found, tmp_path / "empty.html", width=360, dark=False) == []
            await found.open(tmp_path / "healthy.html", dark=True)
            assert (await found.print()).startswith(b"%PDF")
            await found.open(tmp_path / "changing.html", width=688)  # A4 between its margins
            await found.call("Emulation.setEmulatedMedia", media="print")
            assert len(await found.evaluate(WIDTHS)) == 4
            assert all(own <= buffer for own, buffer in await found.evaluate(WIDTHS))
            assert found.complaints == []

    asyncio.run(look())


def test_the_browser_would_tell_of_a_script_that_is_not_allowed(tmp_path: Path) -> None:
    html = html_page(*run(5)).replace("</body>", "<script>window.hostile = 3</script></body>")
    (tmp_path / "page.html").write_text(html)

    async def look() -> tuple[list[str], object]:
        async with tab() as found:
            await found.open(tmp_path / "page.html")
            return found.complaints, await found.evaluate("window.hostile")

    complaints, hostile = asyncio.run(look())
    assert any("Content Security Policy" in complaint for complaint in complaints)
    assert hostile is None
