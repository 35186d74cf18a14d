"""`--server-metrics` where things end: the scraper's death or silence, and an interrupt, cost no more than figures."""

import os
import signal

import pytest

from loadgen.monitoring import metrics_scraper
from loadgen.runs import run_loop
from tests.faults.test_stops import alive, children, end, under_way, wait_for
from tests.monitoring.test_server_metrics import pages
from tests.support.commands import server


@pytest.mark.parametrize(("number", "dead"), [(signal.SIGKILL, True), (signal.SIGSTOP, False)])
def test_the_death_or_silence_of_the_scraper_costs_its_figures_and_not_the_run(number: int, dead: bool) -> None:
    with server(base_ms=5, replicas=50) as url:
        words = ("--server-metrics", "/metrics", "--num-prompts", "100")
        process = under_way(url, *words)
        family = children(process.pid)
        os.kill(family["loadgen.monitoring.metrics_scraper"], number)
        code, result, _ = end(process)
    assert code == 0
    assert result["completed_requests"] == 100
    assert not any(reason["rule"] == "died" for reason in result["verdict"]["reasons"])
    warning = (
        result["server_metrics"]["warning"] or ""
    )  # one that was stopped is woken at the end, and says what it has
    assert ("the scraper died" in warning) is dead
    wait_for("the children to end", lambda: not any(alive(pid) for pid in family.values()))


def test_an_interrupt_with_a_page_that_hangs_ends_with_a_partial_report() -> None:
    with pages() as place, server(base_ms=5, replicas=50) as url:
        process = under_way(url, "--server-metrics", f"http://{place}/hanging")
        process.send_signal(signal.SIGINT)
        code, result, _ = end(process)
    assert code == 130
    assert result["partial"] is True
    assert result["server_metrics"]["pages"][0]["failed"] > 0


def test_the_limits_of_a_scrape_leave_room_for_the_end_of_a_run() -> None:
    assert 2 * metrics_scraper.SCRAPE_S < run_loop.GRACE_S
    assert 2 * metrics_scraper.SCRAPE_S < run_loop.SCRAPES_S
