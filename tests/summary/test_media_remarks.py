"""What a server chose otherwise than requested, and its own times: counted, never a failure."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from collector.records.record import FORMAT_SHIFT, FORMATS, RETRIED, Outcome
from collector.summary import server_times
from collector.summary.media_remarks import MOST_PAIRS, media_remarks, sentence
from collector.summary.run_info import RunInfo
from tests.support.runs import S, info, jobs, records


def answered(*sizes: tuple[int, int], mime: str = "image/png", frames: int = 0) -> NDArray[np.void]:
    found = records(*((k, float(k), k + 0.5, Outcome.OK) for k in range(len(sizes))))
    found["outputs"], found["frames"] = 1, frames
    found["width"], found["height"] = np.array(sizes).T
    found["flags"] = RETRIED | FORMATS.index(mime) << FORMAT_SHIFT
    return found


def requested(*shapes: tuple[int, int, int], output_format: str = "") -> RunInfo:
    times = [float(k) for k in range(len(shapes))]
    rows = np.array([(*shape, 50) for shape in shapes], np.int32)
    return replace(info(times, list(times)), shapes=rows, output_format=output_format)


def told(kept: NDArray[np.void], known: RunInfo) -> list[str]:
    return [": ".join(sentence(remark)) for remark in media_remarks(kept, known)]


def test_each_pair_of_sizes_is_counted_among_those_that_asked_for_it_the_most_frequent_first() -> None:
    known = requested(*[(512, 512, 0)] * 2, *[(854, 480, 0)] * 2, *[(1000, 1000, 0)] * 4, (0, 0, 0), (640, 0, 0))
    came = [(512, 512)] * 2 + [(848, 480), (854, 480)] + [(992, 992)] * 3 + [(0, 0), (64, 64), (9, 9)]
    assert told(answered(*came), known) == [
        "resized: 1000x1000 -> 992x992, 3 of 3",  # of the fourth nothing is known
        "resized: 854x480 -> 848x480, 1 of 2",
    ]
    assert media_remarks(answered(*came), known)[0] == {
        "kind": "size", "requested": "1000x1000", "received": "992x992", "count": 3, "of": 3,
    }  # fmt: skip


def test_only_successes_with_media_count() -> None:
    found = answered((8, 8), (8, 8), (8, 8))
    found["outcome"][1], found["outputs"][2] = Outcome.ERROR, 0
    assert told(found, requested(*[(16, 16, 0)] * 3)) == ["resized: 16x16 -> 8x8, 1 of 1"]


def test_frames_are_compared_where_both_are_known() -> None:
    found = answered(*[(8, 8)] * 3, mime="video/mp4", frames=17)
    assert told(found, requested((8, 8, 18), (8, 8, 17), (8, 8, 0))) == ["frames: 18 -> 17, 1 of 1"]
    found["frames"] = 0
    assert told(found, requested(*[(8, 8, 18)] * 3)) == []


@pytest.mark.parametrize(
    ("mime", "output_format", "remarks"),
    [
        ("image/png", "", []),
        ("video/mp4", "", []),
        ("image/jpeg", "", ["format: image/jpeg, 2 of 2"]),
        ("image/jpeg", "jpeg", []),
        ("image/jpeg", "JPG", []),
        ("image/jpeg", "webp", ["format: webp -> image/jpeg, 2 of 2"]),
        ("image/png", "webp", ["format: webp -> image/png, 2 of 2"]),
    ],
)
def test_a_format_is_remarked_where_it_is_not_the_one_to_expect(
    mime: str, output_format: str, remarks: list[str]
) -> None:
    known = requested((8, 8, 0), (8, 8, 0), output_format=output_format)
    assert told(answered((8, 8), (8, 8), mime=mime), known) == remarks


def test_two_formats_in_one_run_are_both_named() -> None:
    found = answered(*[(8, 8)] * 3)
    found["flags"][2] = FORMATS.index("image/webp") << FORMAT_SHIFT
    assert told(found, requested(*[(8, 8, 0)] * 3)) == ["format: image/png, 2 of 3", "format: image/webp, 1 of 3"]
    found["flags"] = 200 << FORMAT_SHIFT  # a later version's
    assert told(found, requested(*[(8, 8, 0)] * 3)) == ["format: format 200, 3 of 3"]


def test_many_pairs_are_bounded() -> None:
    known = requested(*((100 + k, 100, 0) for k in range(12)))
    remarks = media_remarks(answered(*((96, 96) for _ in range(12))), known)
    assert len(remarks) == MOST_PAIRS + 1
    assert (remarks[-1]["requested"], remarks[-1]["received"], remarks[-1]["count"]) == (None, "4 more", 4)


def test_without_shapes_or_records_nothing_is_said() -> None:
    assert told(answered((8, 8)), info([0.0], [0.0])) == []
    assert told(records(), requested((8, 8, 0))) == []


def test_the_servers_own_times_are_of_the_successes_that_have_them() -> None:
    found = answered(*[(8, 8)] * 4)
    assert server_times.inference(found) is None
    found["inference_s"] = [0.5, np.nan, 1.5, 0.25]
    found["outcome"][3] = Outcome.ERROR
    own = server_times.inference(found)
    assert own is not None
    assert (own["n"], own["mean"], own["p50"], own["p90"], own["max"]) == (2, 1.0, 0.5, 1.5, 1.5)


def test_queue_time_counts_from_the_sending_of_a_job_to_the_first_poll_that_said_it_runs() -> None:
    found = jobs((0.0, 1.0, 2.0, 2.5), (1.0, 2.0, 3.0, 3.5), (2.0, 3.0, 4.0, 4.5))
    assert server_times.queue(found) is None
    found["started_ns"][:2] = found["sent_ns"][:2] + np.array([S // 4, S // 2])
    own = server_times.queue(found)
    assert own is not None
    assert (own["n"], own["p50"], own["max"]) == (2, 0.25, 0.5)
