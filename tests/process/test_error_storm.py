"""When an error storm begins, what it names, and when it is over."""

from collector.process.error_storm import StormDetector


def test_it_begins_once_more_than_half_of_the_first_twenty_failed() -> None:
    detector = StormDetector()
    assert detector.update(0.2, 19, {"http_503": 19}) is None
    assert detector.update(0.4, 20, {"http_503": 10}) is None  # half is not more than half
    assert detector.update(0.6, 21, {"http_503": 11}) == {
        "failed": 11,
        "ended": 21,
        "error": "http_503",
        "example": None,
    }


def test_a_server_that_fails_after_a_long_time_is_noticed_in_seconds() -> None:
    detector = StormDetector()
    for step in range(5000):  # 1,000 s of success at 100/s
        assert detector.update(step / 5, step * 20, {}) is None
    began = [at for at in range(50) if detector.update(1000 + at / 5, 100_000 + at * 20, {"reset": at * 20})]
    assert 2 < began[0] / 5 < 4


def test_at_a_low_rate_it_takes_the_latest_twenty_however_long_ago() -> None:
    detector = StormDetector()
    for k in range(100):
        assert detector.update(60.0 * k, k, {}) is None
    found = [detector.update(60.0 * k, k, {"timeout": k - 99}) for k in range(100, 120)]
    assert [storm is not None for storm in found].index(True) == 10  # 11 of the latest 20
    assert found[10] is not None
    assert (found[10]["failed"], found[10]["ended"]) == (11, 20)


def test_it_names_the_most_frequent_error_of_the_latest_requests_and_not_of_the_whole_run() -> None:
    detector = StormDetector()
    detector.update(1, 1000, {"http_429": 400})
    detector.update(10, 1000, {"http_429": 400})
    detector.update(20, 1001, {"http_429": 400, "reset": 1})
    storm = detector.update(21, 1030, {"http_429": 402, "reset": 28})
    assert storm is not None
    assert storm["error"] == "reset"


def test_it_is_over_once_fewer_than_a_quarter_fail() -> None:
    detector = StormDetector()
    assert detector.update(6, 100, {"reset": 60})
    assert detector.update(12, 200, {"reset": 60 + 30})  # it does not flicker around one half
    assert detector.update(18, 300, {"reset": 60 + 30 + 24}) is None
    assert detector.update(24, 400, {"reset": 60 + 30 + 24 + 40}) is None  # nor begin again below one half


def test_its_memory_is_bounded() -> None:
    detector = StormDetector()
    for step in range(100_000):
        detector.update(step / 5, step, {"reset": step // 10})
    assert len(detector._marks) <= 102  # LATEST requests at one a step, and LATEST_S at five updates a second
