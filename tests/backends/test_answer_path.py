"""The reader and the dialects on whatever a server may send: what the fuzzer checks, on its seeds and around them."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collector.records.record import ErrorKind
from loadgen.transport.answer_headers import HEAD_LIMIT
from loadgen.transport.answer_reader import SCRATCH
from scripts.fuzzing.answer_path import GOOD, LIMITS, PIECES, SEEDS, check, read

OK = b"HTTP/1.1 200 OK\r\n"
PLACES = st.tuples(st.integers(0, len(LIMITS) - 1), st.integers(0, len(PIECES) - 1), st.integers(0, 1))
# What the fuzzer found, and what was at fault.
FOUND = {
    "of two faults the later was told": b"\0M\1" + OK + b"Transfer-Encoding: chunked\r\n\r\n6\r\n{'dat\r\n19\r\na':[_",
    "a status below 100 was taken for informational by one, not by another": (
        b"\3\x14\1HTTP/1.1 000 OK\r\nContent-Length: 30\r\n\r\n" + b"x" * 30 + OK + b"\r\n" + b"y" * 32
    ),
    "the body of an informational answer was taken for the answer's": (
        b"\3T\1HTTP/1.1 199 OK\r\nContent-Length: 30\r\n\r\n"
        + b"x" * 30
        + OK
        + b"Content-Length: 30\r\n\r\n"
        + b"y" * 14
    ),
}


@pytest.mark.parametrize("seed", SEEDS)
def test_every_seed_of_the_fuzzer_comes_to_the_same_end_however_it_is_cut(seed: bytes) -> None:
    for limit in range(len(LIMITS)):
        for piece in range(len(PIECES)):
            check(bytes([limit, piece, 0]) + seed)
            check(bytes([limit, piece, 1]) + seed)


@settings(deadline=None, max_examples=500)
@given(
    PLACES.map(bytes),
    st.sampled_from(SEEDS),
    st.integers(0, 200),
    st.integers(0, 20),
    st.binary(max_size=12),
)
def test_a_seed_with_a_part_replaced_raises_nothing_and_has_one_end(
    run_metadata: bytes, seed: bytes, place: int, taken: int, put: bytes
) -> None:
    check(run_metadata + seed[:place] + put + seed[place + taken :])


@pytest.mark.parametrize("fault", FOUND)
def test_what_the_fuzzer_found_is_no_fault_any_more(fault: str) -> None:
    check(FOUND[fault])


@pytest.mark.parametrize("size", [1, 5, SCRATCH])
def test_what_looks_like_a_header_in_a_body_is_of_the_body(size: int) -> None:
    body = b"{}\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\nabc"
    end = read(OK + b"\r\n" + body, 1000, size, closes=True)
    assert (end.kind, end.whole, end.body) == (ErrorKind.NONE, True, body)


@pytest.mark.parametrize("size", [1, 5, SCRATCH])
@pytest.mark.parametrize("length", [b"10000000000000000000", b"1001", b"1000000000000000000000000"])
def test_a_length_of_any_number_of_digits_is_understood_or_refused(length: bytes, size: int) -> None:
    end = read(OK + b"Content-Length: " + length + b"\r\n\r\nhello", 1000, size, closes=True)
    assert end.kind in (ErrorKind.BODY_TOO_LARGE, ErrorKind.PROTOCOL)


@pytest.mark.parametrize("size", [1000, SCRATCH])
@pytest.mark.parametrize("spare", [0, 2000])
def test_a_head_is_taken_up_to_its_limit_however_it_is_cut(size: int, spare: int) -> None:
    body = GOOD.partition(b"\r\n\r\n")[2]
    begin = OK + b"Content-Length: %d\r\nX: " % len(body)
    head = begin + b"y" * (HEAD_LIMIT - len(begin) - 4 + spare) + b"\r\n\r\n"
    end = read(head + body, 1000, size, closes=False)
    assert end.kind is (ErrorKind.HEAD_TOO_LARGE if spare else ErrorKind.NONE)


def test_small_pieces_of_a_body_take_no_more_memory_than_the_body() -> None:
    end = read(
        OK + b"Transfer-Encoding: chunked\r\n\r\n" + b"1\r\nx\r\n" * 50_000 + b"0\r\n\r\n",
        1 << 20,
        SCRATCH,
        closes=False,
    )
    assert (end.kind, end.body) == (ErrorKind.NONE, b"x" * 50_000)
