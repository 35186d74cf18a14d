"""What `scripts/bench` holds the cost of polling against; how high it is, is not tested."""

import pytest

from scripts.benching.polling import Poll, measure, poll_bare, poll_jobs


@pytest.mark.parametrize("poll", [poll_jobs, poll_bare])
def test_jobs_and_the_bare_loop_beside_them_poll_as_often_as_the_interval_says(poll: Poll) -> None:
    cost = measure(60, 1.0, poll)
    assert cost.polls == pytest.approx(100 / 0.6, rel=0.5)  # 100 jobs, each every 1 % of 60 s
    assert 0 < cost.share <= 1
