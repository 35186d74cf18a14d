"""A Prometheus page as samples: what is kept, and that no page, whatever it holds, does more than say what is wrong."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loadgen.errors import UsageError
from loadgen.monitoring.exposition_format import PageError, read
from loadgen.monitoring.metrics_urls import page_urls, shown

TEXT = "text/plain"
OPEN = "application/openmetrics-text"
GOOD = b"""\
# HELP vllm:num_requests_running Number of requests.
# TYPE vllm:num_requests_running gauge
vllm:num_requests_running{model_name="a \\"b\\" \\\\c"} 3
# TYPE hits counter
hits 5
# TYPE seconds histogram
seconds_bucket{le="0.1"} 1
seconds_bucket{le="+Inf"} 4
seconds_sum 2.5
seconds_count 4
# TYPE size summary
size{quantile="0.5"} 9
size_count 7
size_sum 63
plain 1e3
some_total 8
# TYPE odd gauge
odd NaN
# TYPE high gauge
high +Inf
"""


def test_gauges_counters_and_counts_are_kept_and_buckets_sums_and_what_is_no_number_are_not() -> None:
    assert read(GOOD, TEXT) == {
        'vllm:num_requests_running{model_name="a \\"b\\" \\\\c"}': ("gauge", 3.0),
        "hits_total": ("counter", 5.0),
        "seconds_count": ("counter", 4.0),
        "size_count": ("counter", 7.0),
        "plain": ("gauge", 1000.0),
        "some_total": ("counter", 8.0),
    }


def test_openmetrics_is_read_where_the_page_says_so() -> None:
    buckets = b'seconds_bucket{le="1.0"} 2 # {trace_id="x"} 0.5\nseconds_bucket{le="+Inf"} 3\n'
    page = (
        b"# TYPE hits counter\nhits_total 5.0\nhits_created 1.0\n"
        b"# TYPE seconds histogram\n" + buckets + b"seconds_count 3\nseconds_sum 1\n"
        b'# TYPE run gauge\nrun 2\n# TYPE about info\nabout_info{version="1"} 1\n# EOF\n'
    )
    assert read(page, OPEN) == {
        "hits_total": ("counter", 5.0),
        "seconds_count": ("counter", 3.0),
        "run": ("gauge", 2.0),
    }
    with pytest.raises(PageError, match="is no Prometheus page"):
        read(page.replace(b"# EOF\n", b""), OPEN)


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"", "has no metrics"),
        (b"\n\n# a remark\n", "has no metrics"),
        (b"# TYPE a gauge\na NaN\n", "has no metrics"),
        (b'seconds_bucket{le="1"} 4\n', "has no metrics"),
        (b"<!DOCTYPE html>\n<html><body>not found</body></html>\n", "is no Prometheus page"),
        (b'{"detail": "Not Found"}', "is no Prometheus page"),
        (b"\xff\xfe\x00binary", "is no Prometheus page"),
        (b"\x1f\x8b\x08\x00compressed", "is no Prometheus page"),
        (b"running\n", "is no Prometheus page"),
        (b"running three\n", "is no Prometheus page"),
        (b'running{model="a} 3\n', "is no Prometheus page"),
        (b"running{model=a} 3\n", "is no Prometheus page"),
        (b'running{a="1",a="2"} 3\n', "is no Prometheus page"),
        (b"running{ 3\n", "is no Prometheus page"),
        (b"# TYPE running\n", "is no Prometheus page"),
        (b"# TYPE running cloud\nrunning 1\n", "is no Prometheus page"),
        (b"running 1\n# TYPE waiting gauge\nwaiting", "is no Prometheus page"),
        (b"running " + b"9" * 4000 + b"\n", "is no Prometheus page"),
        (b"running 1_000\n", "is no Prometheus page"),
        (b"running{" + b'"\\' * 60_000 + b"} 1\n", "is no Prometheus page"),
    ],
)
def test_a_broken_page_is_an_error_that_says_what_is_wrong(content: bytes, what: str) -> None:
    with pytest.raises(PageError, match=what) as raised:
        read(content, TEXT)
    assert str(raised.value).isprintable()
    assert len(str(raised.value)) < 150


def test_a_page_that_would_take_the_parser_forever_is_given_up() -> None:
    endless = b"running{" + b'a="' + b'\\"' * 200_000 + b'"} 1\n'
    with pytest.raises(PageError, match=r"takes more than 0\.5 s to read"):
        read(endless * 3, TEXT)


@given(
    st.one_of(
        st.binary(max_size=300), st.text(alphabet='ab_{}",=\\# \n\t1.e+-NaNTYPEgauge', max_size=200).map(str.encode)
    )
)
@settings(max_examples=300)
def test_whatever_a_page_holds_it_is_samples_or_an_error_of_ours(content: bytes) -> None:
    for kind in (TEXT, OPEN):
        try:
            found = read(content, kind)
        except PageError:
            continue
        assert found
        assert all(kind in ("gauge", "counter") and abs(value) <= 1e100 for kind, value in found.values())


@given(st.integers(0, len(GOOD)), st.binary(max_size=8))
def test_a_page_cut_or_spoilt_anywhere_is_samples_or_an_error_of_ours(place: int, piece: bytes) -> None:
    for content in (GOOD[:place], GOOD[:place] + piece + GOOD[place:]):
        try:
            found = read(content, TEXT)
        except PageError:
            continue
        assert found


def test_a_page_is_a_url_or_a_path_on_the_server() -> None:
    given_urls = ["http://gpu:9400/metrics?x=1", "/metrics", "https://[::1]/m"]
    assert page_urls(given_urls, "http://u:p@host:8091/v2") == [
        "http://gpu:9400/metrics?x=1",
        "http://u:p@host:8091/metrics",
        "https://[::1]/m",
    ]


@pytest.mark.parametrize(
    "url",
    [
        "",
        "metrics",
        "gpu:9400/metrics",
        "ftp://gpu/metrics",
        "http://",
        "http://gpu:x/",
        "http://gpu:0/m",
        "http://g pu/",
    ],
)
def test_what_is_no_url_of_a_page_is_refused_before_the_start(url: str) -> None:
    with pytest.raises(UsageError, match="--server-metrics") as raised:
        page_urls([url], "http://host:8091")
    assert "give http://HOST:PORT/metrics" in str(raised.value)


@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("http://gpu/metrics", "http://gpu/metrics"),
        ("http://user:secret@gpu:9/metrics", "http://gpu:9/metrics"),
        ("http://gpu/metrics?key=secret#secret", "http://gpu/metrics?..."),
        ("http://user:sec@ret@gpu/metrics?a@b", "http://gpu/metrics?..."),
        ("http://user:sec/ret@gpu/metrics", "http://gpu/metrics"),
    ],
)
def test_secrets_of_a_url_are_not_shown(url: str, text: str) -> None:
    assert shown(url) == text
