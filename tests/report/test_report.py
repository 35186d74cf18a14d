import io
import json as std_json
import re
from dataclasses import replace

import numpy as np
import pytest
from rich.console import Console

from collector.process.live_figures import LiveFigures
from collector.records.record import ErrorKind, Outcome
from collector.report import json
from collector.report.terminal import processes
from collector.report.terminal import run_report as terminal
from collector.report.terminal.progress import figures, progress, storm, wrap
from collector.summary.result import ArrivalAudit, ErrorStorm, Figures, Result, SecondCount, SecondCounts, Snapshot
from collector.summary.summary import RunInfo, RunNotes, summarise
from collector.text import quantity
from collector.text.failures import error_kinds
from tests.support.runs import START, S, info, jobs, records


def whole(figures: Figures, **config: object) -> Result:
    return json.assemble(
        figures,
        config=config,
        environment={"cores": 2},
        processes={},
        media={},
        warmup={"requests": 1, "ok": 1, "latency_s": [0.5], "errors": []},
        slo={"unit_ms": 1.5},
        backend="vllm-omni",
        model="default",
        dataset="trace",
        task="t2i",
    )


def small_run(example: str = "busy", **config: object) -> Result:
    """Ten requests: one fails with 503, one times out, one waits for the single permit."""
    ends = [Outcome.ERROR, Outcome.TIMEOUT, *[Outcome.OK] * 8]
    found = records(*[(i, float(i), i + 0.5, end) for i, end in enumerate(ends)])
    found["error"][0], found["status"][0] = ErrorKind.HTTP, 503
    found["peak_memory_mb"][5] = 30000
    known = info([float(i) for i in range(10)], [float(i) for i in range(10)])
    return whole(summarise(found, known, RunNotes({"vae[x]": [0.0125]}, {"http_503": example})), **config)


def empty_run() -> Result:
    none = np.zeros(0, np.int64)
    known = RunInfo(none, none.astype(float), none, 0, 0, 1, float("inf"), "sent", True, 3.0, None, 0, ())
    return whole(summarise(records(), known, RunNotes()))


def printed(result: Result, width: int) -> str:
    screen = io.StringIO()
    terminal.render(result, Console(file=screen, width=width))
    return screen.getvalue()


@pytest.mark.parametrize(
    ("value_s", "text"),
    [
        (None, "-"),
        (0.0, "0 us"),
        (1e-6, "1.00 us"),
        (0.000_123_4, "123 us"),
        (0.000_999_4, "999 us"),
        (0.000_999_6, "1.00 ms"),
        (0.012_34, "12.3 ms"),
        (0.009_996, "10.0 ms"),
        (0.9996, "1.00 s"),
        (75.25, "75.2 s"),
        (1234.5, "1,234 s"),
        (-0.002, "-2.00 ms"),
    ],
)
def test_times_are_written_in_the_unit_of_their_magnitude(value_s: float | None, text: str) -> None:
    assert quantity.seconds(value_s) == text


@pytest.mark.parametrize(("per_s", "text"), [(None, "-"), ("inf", "inf"), (0.05, "0.05/s"), (12.34, "12.3/s")])
def test_rates_are_written_per_second(per_s: float | str | None, text: str) -> None:
    assert quantity.rate(per_s) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "-"), (1.0, "100 %"), (0.9999, "> 99.9 %"), (0.975, "97.5 %"), (0.0, "0 %"), (0.0001, "< 0.1 %")],
)
def test_a_share_is_never_rounded_to_all_or_none(value: float | None, text: str) -> None:
    assert quantity.share(value) == text


def test_the_json_has_every_documented_key_in_the_documented_order() -> None:
    assert set(json.KEYS) == set(Result.__annotations__) == set(small_run())
    assert tuple(std_json.loads(json.dump(small_run()))) == json.KEYS


def test_infinity_is_a_string_and_nan_is_null_wherever_they_stand() -> None:
    result = small_run(rates=[1.0, float("inf")], deep={"nan": float("nan"), "low": -float("inf")})
    config = std_json.loads(json.dump(result))["config"]
    assert config == {"rates": [1.0, "inf"], "deep": {"nan": None, "low": "-inf"}}


def test_the_report_tells_what_the_server_chose_and_its_own_times() -> None:
    found = records(*[(k, float(k), k + 0.5, Outcome.OK) for k in range(4)])
    found["outputs"], found["width"], found["height"], found["inference_s"] = 1, 992, 992, 0.25
    found["started_ns"] = found["sent_ns"] + S // 10
    times = [float(k) for k in range(4)]
    known = replace(info(times, list(times)), shapes=np.array([(1000, 1000, 0, 50)] * 4, np.int32))
    result = whole(summarise(found, known, RunNotes()))
    text = " ".join(printed(result, 200).split())
    assert "resized 1000x1000 -> 992x992, 4 of 4" in text
    assert "server inference mean 250 ms, p50 250 ms" in text
    assert "server queue mean 100 ms" in text
    assert "known to within the poll interval" in text
    assert "no stage times" not in text


@pytest.mark.parametrize(
    ("slo", "extra_body", "said"),
    [(True, {}, True), (False, {"return_stage_metrics": True}, True), (False, {}, False)],
)
def test_stage_times_that_are_missed_come_with_the_flags_that_turn_them_on(
    slo: bool, extra_body: dict[str, object], said: bool
) -> None:
    known = replace(info([0.0], [0.0]), slo_enabled=slo)
    found = records((0, 0.0, 0.5, Outcome.OK))
    result = whole(summarise(found, known, RunNotes()), target={"extra_body": extra_body})
    text = " ".join(printed(result, 200).split())
    assert ("--enable-diffusion-pipeline-profiler" in text) == said
    assert ("--return-stage-metrics" in text) == said
    staged = whole(summarise(found, known, RunNotes({"vae": [0.1]})), target={"extra_body": extra_body})
    assert "no stage times" not in printed(staged, 200)


def test_a_file_name_that_is_no_utf8_does_not_cost_the_report() -> None:
    assert std_json.loads(json.dump(small_run(path="a\udcff")))["config"] == {"path": "a?"}


def test_the_json_ends_in_a_newline_and_survives_a_second_trip() -> None:
    text = json.dump(small_run())
    assert text.endswith(b"}\n")
    assert json.dump(std_json.loads(text)) == text


def test_what_the_run_knows_of_its_slo_joins_what_was_counted() -> None:
    joined = small_run()["slo"]
    assert (joined["enabled"], joined["requests"], joined["unit_ms"]) == (False, None, 1.5)


@pytest.mark.parametrize("width", [40, 60, 80, 120])
def test_the_report_begins_with_the_verdict_and_stays_within_the_width(width: int) -> None:
    for result, start in (
        (small_run("word " * 80), "VALID load, 2 of 10 requests failed (1"),
        (empty_run(), "VALID: "),
    ):
        text = printed(result, width)
        assert text.startswith(start)
        assert max(map(len, text.splitlines())) <= width


def test_the_share_that_failed_stands_beside_the_verdict_in_bold() -> None:
    screen = io.StringIO()
    terminal.render(small_run(), Console(file=screen, width=80, force_terminal=True, color_system="standard"))
    first = screen.getvalue().splitlines()[0]
    assert "\x1b[1;32mVALID\x1b[0m load, \x1b[1;31m2 of 10 requests failed\x1b[0m (1 http_503, 1 timeout)" in first


@pytest.mark.parametrize(
    ("errors", "text"),
    [
        ({}, ""),
        ({"http_503": 7}, "http_503"),
        ({"http_503": 7, "timeout": 2000}, "2,000 timeout, 7 http_503"),
        ({"a": 3, "b": 2, "c": 1}, "3 a, 2 b, 1 other kind"),
        ({"a": 3, "b": 2, "c": 1, "d": 1}, "3 a, 2 b, 2 other kinds"),
    ],
)
def test_the_most_frequent_error_kinds_are_named(errors: dict[str, int], text: str) -> None:
    assert error_kinds(errors) == text


def test_outputs_are_shown_only_where_an_answer_may_hold_several() -> None:
    assert "outputs" not in printed(small_run(), 80)
    result = small_run()
    result["num_outputs_per_prompt"], result["completed_outputs"], result["output_throughput_ops"] = 4, 32, 3.2
    assert re.search("outputs +3.20/s outputs, 32 in 8 successful requests", printed(result, 80))


def test_the_table_shows_service_and_response_and_explains_its_gaps() -> None:
    text = printed(small_run(), 80)
    assert re.search(r"response +service +wait +lag", text)
    assert re.search(r"p50 +500 ms +500 ms +0 us +0 us", text)
    assert re.search(r"p99 +- +- +0 us +0 us", text)
    assert "1 requests did not complete and count as infinite latency" in text
    assert "latency_* in the JSON is response" in text
    assert "8 successful requests (2 failed)" in text
    assert "latency_* in the JSON is service" in printed(empty_run(), 80)


def test_reasons_stand_below_the_verdict_before_any_figure() -> None:
    known = replace(info([0.0], [0.0]), died=("sender-1",))
    text = printed(whole(summarise(records((0, 0, 1, Outcome.OK)), known, RunNotes())), 80)
    assert text.startswith("INVALID (partial): ")
    assert text.index("tool: A process of this tool died (sender-1)") < text.index("offered")


def test_what_a_server_says_is_shown_as_text_and_cannot_drive_the_terminal() -> None:
    text = printed(small_run("[bold red]no[/] \x1b[2J\x07\nsecond line"), 80)
    assert "[bold red]no[/] [2J second line" in text
    assert not re.search(r"[\x1b\x07]", text)
    assert "stage vae[x]" in text


def test_an_slo_is_shown_with_its_counts_only_where_it_was_asked_for() -> None:
    assert "SLO met" not in printed(small_run(), 80)
    assert "SLO met  -: 0 of 0 with a target" in printed(empty_run(), 80)


def queued_run(slow_s: float = 0.5) -> Result:
    """Two classes of a hundred requests each; those of the larger miss their target, and take `slow_s`."""
    known = info([float(i) for i in range(200)], [float(i) for i in range(200)])
    shapes = np.array([[512, 512, 1, 20], [1024, 1024, 1, 50]] * 100, np.int32)
    found = records(*[(i, float(i), i + (slow_s if i % 2 else 0.25), Outcome.OK) for i in range(200)])
    return whole(
        summarise(found, replace(known, slo_enabled=True, slo_ms=np.full(200, 300.0), shapes=shapes), RunNotes())
    )


def test_attainment_is_shown_with_its_interval_and_by_class() -> None:
    text = printed(queued_run(), 80)
    assert re.search(r"SLO met +50 % \(4[0-9.]+ % - 5[0-9.]+ %\): 100 of 200 with a target", text)
    assert re.search(r"512x512, 20 steps +100 % \(9[0-9.]+ % - 100 %\): 100 of 100", text)
    assert re.search(r"1024x1024, 50 steps +0 % \(0 % - 3[0-9.]* %\): 0 of 100", text)


def test_a_percentile_shows_its_interval_or_how_many_requests_it_takes() -> None:
    text = printed(queued_run(), 120)
    assert re.search(r"p50 .* 250 ms - 500 ms", text)
    assert re.search(r"p99 .* needs n >= 368", text)


@pytest.mark.parametrize(
    ("arrival", "p", "planned", "sent", "text"),
    [
        ("constant", None, 3, 3, "arrivals constant: every second as planned"),
        ("constant", None, 3, 1, "arrivals constant: largest deviation in second 7: 3 planned, 1 sent"),
        (
            "poisson",
            0.25,
            3,
            3,
            "arrivals poisson: 10 planned gaps fit the requested process (Kolmogorov-Smirnov, p = 0.25);",
        ),
    ],
)
def test_the_arrival_audit_is_told_of_every_planned_process(
    arrival: str, p: float | None, planned: int, sent: int, text: str
) -> None:
    result = small_run()
    worst = SecondCount(at_s=7, planned=planned, sent=sent)
    result["arrival_audit"] = ArrivalAudit(
        process=arrival,
        gaps=10,
        ks_distance=p,
        p_value=p,
        per_second=SecondCounts(seconds=10, worst=worst),
        warning=None,
    )
    assert text in " ".join(printed(result, 120).split())


def test_a_closed_loop_plans_no_arrivals_to_be_told_of() -> None:
    assert "\narrivals " not in printed(empty_run(), 120)


def test_what_is_not_steady_or_not_as_asked_is_told_below_the_table() -> None:
    result = queued_run()
    assert "drift" not in printed(result, 80)
    result["stationarity"]["warning"], result["arrival_audit"]["warning"] = "It drifts.", "It is no poisson."
    result["slo"] = {**result["slo"], "warnings": ["Targets are rough."]}
    for width in (60, 80, 120):
        text = " ".join(printed(result, width).split())
        assert text.index("wait and lag of all sent") < text.index("It drifts.") < text.index("It is no poisson.")
        assert "Targets are rough." in text


def snapshots(*elapsed_s: float) -> list[Snapshot]:
    figures = LiveFigures(planned=9, asked_rate=1.0, last_arrival_s=8.0, started_ns=START, latency_from="sent")
    figures.add(records((0, 0, 1, Outcome.OK)))
    return [figures.snapshot(START + round(at * S), 2, 1) for at in elapsed_s]


def shown(*elapsed_s: float, enabled: bool = True, terminal: bool = False, width: int = 80) -> str:
    screen = io.StringIO()
    console = Console(file=screen, width=width, force_terminal=terminal, color_system=None, _environ={"TERM": "xterm"})
    with progress(enabled=enabled, console=console) as display:
        for snapshot in snapshots(*elapsed_s):
            display.show(snapshot)
    return screen.getvalue()


def test_without_a_terminal_a_line_comes_every_five_seconds_and_at_the_end() -> None:
    lines = shown(0, 1, 4.9, 5.0, 6, 9, 10.5, 11, 12).splitlines()
    assert [re.findall(r"(\S+) elapsed", line) for line in lines] == [["0:00"], ["0:05"], ["0:10"], ["0:12"]]


def test_a_line_names_the_requests_that_have_been_silent_for_long() -> None:
    (snapshot,) = snapshots(60)
    assert not any("without an answer" in piece for piece in figures(snapshot))
    snapshot["unanswered"], snapshot["unanswered_s"], snapshot["unanswered_index"] = 3, 42.4, 17
    assert "3 without an answer, longest 42 s (request 17)" in figures(snapshot)


@pytest.mark.parametrize(
    ("values", "says"),
    [
        (["7"], "in 1 answers: 7.00 s; none was retried"),
        (["120", "Wed, 21 Oct 2026 07:28:00 GMT", "0.5", "30"], "in 4 answers: 30.0 s to 120 s; none"),
        (["Wed, 21 Oct 2026 07:28:00 GMT"], "in 1 answers: a date (Wed, 21 Oct 2026 07:28:00 GMT); none"),
        (["9" * 5000, "\x1b[2J"], "in 2 answers: a date (" + "9" * 60),
    ],
)
def test_what_servers_said_of_when_to_come_back_is_summed_up(values: list[str], says: str) -> None:
    found = records((0, 0, 1, Outcome.ERROR))
    found["error"], found["status"] = ErrorKind.HTTP, 429
    notes = RunNotes()
    for value in values:
        notes.take({"retry_after": value})
    result = whole(summarise(found, info([0.0], [0.0]), notes))
    assert says in " ".join(printed(result, 120).split())
    assert result["retry_after"] is not None
    assert result["retry_after"]["count"] == len(values)
    assert small_run()["retry_after"] is None


STORM = ErrorStorm(failed=15, ended=20, error="http_503", example='{"error":\n"busy\x1b[2J"}')
STORM_LINE = 'most requests fail: 15 of the last 20, http_503: {"error": "busy [2J"}'


def test_an_error_storm_is_one_line_when_it_begins_and_one_when_it_is_over() -> None:
    screen = io.StringIO()
    with progress(console=Console(file=screen, width=20)) as display:
        for snapshot, found in zip(snapshots(0, 1, 2, 3, 4, 4.5), (None, STORM, STORM, None, None, STORM), strict=True):
            display.show({**snapshot, "storm": found})
    lines = [line for line in screen.getvalue().splitlines() if "elapsed" not in line]
    assert lines == [STORM_LINE, "fewer requests fail: 0 failed so far", STORM_LINE]


@pytest.mark.parametrize("width", [20, 60, 120])
def test_a_live_display_shows_an_error_storm_while_it_lasts(width: int) -> None:
    screen = io.StringIO()
    console = Console(file=screen, width=width, force_terminal=True, color_system=None, _environ={"TERM": "xterm"})
    with progress(console=console) as display:
        display.show({**snapshots(1)[0], "storm": STORM})
    text = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", screen.getvalue()).replace("\r", "\n")
    assert "most requests fail: 15 of the last 20, http_503" in " ".join(text.split())
    assert max(map(len, text.splitlines())) < width


def test_a_storm_without_a_message_and_one_with_a_long_message_are_short() -> None:
    (snapshot,) = snapshots(1)
    assert storm({**snapshot, "storm": {**STORM, "example": None}}).endswith("of the last 20, http_503")
    assert len(storm({**snapshot, "storm": {**STORM, "example": "x" * 1000}})) < 300
    assert storm(snapshot) == ""


def test_the_last_line_is_not_said_twice() -> None:
    assert len(shown(0, 5).splitlines()) == 2


def test_a_plain_line_is_never_broken_and_holds_every_figure() -> None:
    (line,) = shown(4, width=20).splitlines()
    for piece in ("1/9 done", "0 failed", "1 in flight", "2 sent", "0.25/s of 1.00/s", "p50 ", "p99 ", "0:04 elapsed"):
        assert piece in line


def test_nothing_is_shown_where_progress_is_disabled() -> None:
    assert shown(0, 5, enabled=False, terminal=True) == ""


@pytest.mark.parametrize("width", [5, 20, 40, 120])
def test_a_live_display_fits_the_narrowest_terminal(width: int) -> None:
    text = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", shown(1, 2, terminal=True, width=width)).replace("\r", "\n")
    assert max(map(len, text.splitlines())) < width
    assert width < 40 or "1/9 done  0 failed" in text


def test_figures_are_laid_out_without_breaking_one() -> None:
    assert wrap(["aa", "bbb", "c", "dddddddd"], 7) == ["aa  bbb", "c", "dddddddd"]


@pytest.mark.parametrize(("undeleted", "shown"), [(0, False), (3, True)])
def test_jobs_that_are_left_on_the_server_are_told_of(undeleted: int, shown: bool) -> None:
    own = {"cpu_share": 0.1, "peak_memory_mb": 40.0, "undeleted": undeleted}
    ((_, text),) = processes.lines({"sender 0": own})
    assert ("3 jobs could not be deleted" in text) is shown


def test_the_report_says_how_well_completions_are_known_and_what_that_leaves_undecided() -> None:
    known = replace(info([0, 0], [0, 0]), slo_enabled=True, slo_ms=np.array([3500.0, 9000.0]))
    shown = " ".join(printed(whole(summarise(jobs((0, 1, 2, 4), (0, 1, 1.5, 2)), known, RunNotes())), 300).split())
    assert "Completion of a job is known to within p50 500 ms, p99 1.00 s, max 1.00 s (polling)" in shown
    assert "1 not met are undecided within the polling interval: attainment is 100 % if all met it." in shown
    assert "Completion" not in printed(small_run(), 300)
