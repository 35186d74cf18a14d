"""`--verify`: what passes for the requested medium."""

import base64
import io
import os
import struct
from pathlib import Path
from typing import Any

import orjson
import pytest
from PIL import Image

from collector.records.record import FORMATS, ErrorKind
from collector.saved.run_folder import read_run
from loadgen.backends import videos
from loadgen.media import mp4
from loadgen.media.verification import HeaderVerifier, decode_fault
from loadgen.simulator.engine.mp4 import mp4 as video
from loadgen.simulator.engine.png import png
from tests.backends.test_table import MODULE, install
from tests.support.commands import T2I, bench, run, server


def encoded(file_format: str, width: int, height: int) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (width, height), "teal").save(file, file_format)
    return file.getvalue()


@pytest.mark.parametrize(
    ("medium", "task", "size", "fault"),
    [
        (png(64, 32), "t2i", (64, 32), ""),
        (png(64, 32), "t2i", (0, 0), ""),
        (encoded("JPEG", 64, 32), "i2i", (64, 32), ""),
        (encoded("WEBP", 64, 32), "t2i", (64, 32), ""),
        (video(64, 32, 2), "t2v", (64, 32), ""),
        (png(64, 32), "t2i", (32, 64), "image/png with 64x32 where 32x64 was requested"),
        (video(64, 32, 2), "t2v", (64, 64), "video/mp4 with 64x32 where 64x64 was requested"),
        (png(64, 32)[:20], "t2i", (64, 32), "image/png with an unreadable size where 64x32 was requested"),
        (png(64, 32)[:20], "t2i", (0, 0), "image/png with an unreadable size: it is incomplete"),
        (video(64, 32, 2)[:40], "i2v", (64, 32), "video/mp4 with an unreadable size"),
        (png(64, 32), "t2v", (64, 32), "image/png where video was requested"),
        (video(64, 32, 2), "t2i", (64, 32), "video/mp4 where image was requested"),
        (b"<html>" + bytes(50), "t2i", (0, 0), "no image of a known format, but b'<html>"),
        (b"", "t2v", (0, 0), "no video of a known format, but b''"),
    ],
)
def test_a_header_shows_kind_and_size(medium: bytes, task: str, size: tuple[int, int], fault: str) -> None:
    found, _ = HeaderVerifier(task, "exact").examine([medium], size)
    assert found.startswith(fault) if fault else found == ""


@pytest.mark.parametrize(
    ("requested", "came", "any_", "near", "exact"),
    [
        ((1000, 1000), (1000, 1000), True, True, True),
        ((1000, 1000), (992, 992), True, True, False),
        ((1000, 1000), (960, 1024), True, True, False),
        ((1000, 1000), (959, 1000), True, False, False),
        ((854, 480), (848, 480), True, True, False),
        ((512, 512), (513, 512), True, False, False),
        ((512, 512), (1024, 1024), True, False, False),
        ((0, 0), (17, 4), True, True, True),
    ],
)
def test_a_size_other_than_asked_is_a_failure_only_where_that_is_asked_for(
    requested: tuple[int, int], came: tuple[int, int], any_: bool, near: bool, exact: bool
) -> None:
    for mode, passes in (("any", any_), ("near", near), ("exact", exact)):
        fault, info = HeaderVerifier("t2i", mode).examine([png(*came)], requested)
        assert (fault == "") == passes
        assert fault == "" or f"(--verify-size {mode})" in fault
        assert info[:3] == (1, *came)


def animated(file_format: str) -> bytes:
    file = io.BytesIO()
    frames = [Image.new("RGB", (64, 32), colour) for colour in ("red", "teal")]
    frames[0].save(file, file_format, save_all=True, append_images=frames[1:], duration=100, loop=0)
    return file.getvalue()


@pytest.mark.parametrize("file_format", ["GIF", "WEBP"])
def test_an_animation_is_an_image_and_a_video_and_a_still_one_is_no_video(file_format: str) -> None:
    mime = f"image/{file_format.lower()}"
    for task in ("t2i", "t2v"):
        fault, info = HeaderVerifier(task).examine([animated(file_format)], (0, 0))
        assert (fault, info.width, FORMATS[info.file_format]) == ("", 64, mime)
    fault, _ = HeaderVerifier("t2v").examine([encoded(file_format, 64, 32)], (0, 0))
    assert fault == f"{mime} where video was requested"
    assert videos.read(animated(file_format), "t2v").error is ErrorKind.NONE
    assert videos.read(encoded(file_format, 64, 32), "t2v").error is ErrorKind.NO_MEDIA


def test_what_a_record_keeps_is_of_the_first_medium_and_fits_into_it() -> None:
    fault, info = HeaderVerifier("t2v").examine([video(64, 32, 3), video(8, 8, 1)], (0, 0))
    assert (fault, info) == ("", (2, 64, 32, 3, FORMATS.index("video/mp4")))
    huge = png(8, 8)[:16] + struct.pack(">II", 70_000, 1) + png(8, 8)[24:]
    assert HeaderVerifier("t2i").examine([huge], (0, 0))[1][:3] == (1, 65_535, 1)


def test_every_medium_counts_and_the_cost_is_kept() -> None:
    verifier = HeaderVerifier("t2i", "exact")
    fault, _ = verifier.examine([png(8, 8), png(8, 9)], (8, 8))
    assert fault == "image/png with 8x9 where 8x8 was requested (--verify-size exact)"
    assert verifier.examine([png(8, 8)], (8, 8))[0] == ""
    figures = verifier.figures()
    assert figures["verified"] == 2
    assert 0 < figures["longest_verify_s"] <= figures["verify_s"]


class Counted:
    """Bytes that count how many of them are asked for."""

    def __init__(self, data: bytes) -> None:
        self.data, self.asked = data, 0

    def __len__(self) -> int:
        return len(self.data)

    def __getitem__(self, part: slice) -> bytes:
        self.asked += len(self.data[part])
        return self.data[part]


@pytest.mark.parametrize(
    ("medium", "task"),
    [
        (encoded("JPEG", 64, 32) + bytes(10**6), "t2i"),
        (png(64, 32, 10**6), "t2i"),
        (video(64, 32, 2)[:28] + struct.pack(">I4s", 8 + 10**6, b"mdat") + bytes(10**6) + video(64, 32, 2)[28:], "t2v"),
    ],
)
def test_of_a_large_medium_only_a_few_hundred_bytes_are_looked_at(medium: bytes, task: str) -> None:
    counted = Counted(medium)
    assert HeaderVerifier(task).examine([counted], (64, 32))[0] == ""
    assert counted.asked < 500


@pytest.mark.parametrize(
    "hostile", [b"\xff\xd8\xff" + b"\xff" * 10**6, video(8, 8, 1)[:28] + b"\0\0\0\x08free" * 10**5]
)
def test_hostile_bytes_cost_a_bounded_number_of_looks(hostile: bytes) -> None:
    counted = Counted(hostile)
    assert HeaderVerifier("t2i" if hostile[0] else "t2v").examine([counted], (8, 8))[0]
    assert counted.asked < 100_000


@pytest.mark.parametrize(
    "whole", [png(64, 32, 4_000), encoded("JPEG", 64, 32), encoded("WEBP", 64, 32), video(64, 32, 3)]
)
def test_a_whole_medium_decodes_and_one_cut_short_does_not(whole: bytes) -> None:
    assert decode_fault(whole) == ""
    assert decode_fault(whole[:-40]) != ""


@pytest.mark.parametrize(
    ("before", "after", "fault"),
    [
        (b"stco", b"stcx", ""),
        (b"mdat", b"mdax", "an MP4 without mdat"),
        (b"stsd", b"stsx", "an MP4 without stsd"),
        (b"tkhd", b"tkhx", "an MP4 without tkhd"),
    ],
)
def test_boxes_that_an_mp4_needs_are_missed(before: bytes, after: bytes, fault: str) -> None:
    assert mp4.fault(video(64, 32, 3).replace(before, after)) == fault


def test_an_mp4_whose_tables_lie_is_found_out() -> None:
    whole = bytearray(video(64, 32, 3))
    at = whole.index(b"stco") + 4
    offsets = bytearray(whole)
    offsets[at + 8 : at + 12] = struct.pack(">I", len(whole))
    assert "points behind the end" in mp4.fault(bytes(offsets))
    whole[at + 4 : at + 8] = struct.pack(">I", 999)
    assert "fewer entries" in mp4.fault(bytes(whole))
    deep = b"".join(struct.pack(">I4s", 8 * (5_000 - k), b"moov") for k in range(5_000))
    assert "nested" in mp4.fault(deep)


# In a run


def answering(data: bytes, folder: Path) -> dict[str, str]:
    """An endpoint that finds these bytes in every answer, as an environment for the command."""
    text = base64.b64encode(data).decode()
    source = f"{MODULE}import base64, dataclasses\nMEDIUM = base64.b64decode('{text}')\n"
    source += (
        "def read(body, task, n=1):\n    return dataclasses.replace(images.read(body, task, n), media=(MEDIUM,))\n"
    )
    install(folder, "answering_endpoint", source + "def media(body):\n    return (MEDIUM,)\n")
    return {"PYTHONPATH": str(folder)}


def verified(url: str, environment: dict[str, str], *words: str, code: int = 0) -> dict[str, Any]:
    shared = ("--base-url", url, "--backend", "mine", "--num-prompts", "4", "--warmup-requests", "0")
    return bench(*T2I, *shared, *words, code=code, **environment)


def test_a_wrong_size_is_a_failure_of_its_own_kind_unless_nobody_looks(tmp_path: Path) -> None:
    environment = answering(png(256, 255), tmp_path)
    with server(base_ms=1) as url:
        result = verified(url, environment)
        assert result["outcomes"]["ok"] == 4
        remark = {"kind": "size", "requested": "256x256", "received": "256x255", "count": 4, "of": 4}
        assert result["media"]["remarks"] == [remark]
        assert verified(url, environment, "--verify-size", "near", code=4)["outcomes"]["error"] == 4
        result = verified(url, environment, "--verify-size", "exact", code=4)
        assert (result["outcomes"]["error"], result["errors"]["wrong_media"]["count"]) == (4, 4)
        assert "256x255 where 256x256 was requested" in result["errors"]["wrong_media"]["example"]
        assert (result["media"]["verify"], result["media"]["verified"]) == ("header", 4)
        assert result["media"]["verify_s"] >= result["media"]["longest_verify_s"] > 0
        result = verified(url, environment, "--verify", "none")
        assert (result["outcomes"]["ok"], result["media"]["verified"]) == (4, 0)


def test_what_verifying_costs_is_counted_of_the_run_without_its_warm_ups() -> None:
    result = bench(*T2I, "--simulate=--base-ms 1", "--num-prompts", "4", "--warmup-requests", "3")
    assert (result["warmup"]["ok"], result["media"]["verified"]) == (3, 4)


def test_what_cannot_be_decoded_is_a_failure_in_the_report_and_in_the_saved_run(tmp_path: Path) -> None:
    broken = png(256, 256)[:-30] + os.urandom(30)
    environment = answering(broken, tmp_path)
    with server(base_ms=1) as url:
        assert verified(url, environment)["outcomes"]["ok"] == 4  # a header tells nothing
        words = ("--verify", "decode", "--run-dir", str(tmp_path / "run"))
        result = verified(url, environment, *words, code=4)
        assert (result["errors"]["wrong_media"]["count"], result["media"]["decoded"]) == (4, 4)
        assert "cannot be decoded" in result["errors"]["wrong_media"]["example"]
    saved = read_run(tmp_path / "run")
    assert saved.records["outcome"].tolist() == [1] * 4
    code, out, err = run("report", str(tmp_path / "run"), "--output-file", "-")
    assert code == 0, err
    again = orjson.loads(out)
    assert (again["outcomes"], again["errors"]) == (result["outcomes"], result["errors"])
    assert "decoded" in err


@pytest.mark.parametrize("backend", ["v1/videos/sync", "vllm-omni"])
def test_videos_are_decoded_as_far_as_their_structure_goes(backend: str) -> None:
    words = ("--task", "t2v", "--backend", backend, "--num-frames", "3", "--dataset", "random", "--width", "64",
             "--height", "32", "--disable-tqdm", "--simulate", "--verify", "decode", "--num-prompts", "3")  # fmt: skip
    result = bench(*words)
    assert (result["outcomes"]["ok"], result["media"]["decoded"], result["media"]["undecoded"]) == (3, 3, 0)
    assert result["peak_memory_mb_max"] > 6_000
    assert set(result["stage_durations_mean"]) >= {"queue", "denoise", "decode"}
    assert (result["server_inference"] is not None) == (backend == "v1/videos/sync")


def test_without_pillow_decoding_images_is_bad_usage_that_names_the_extra(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text("import sys\nsys.modules['PIL'] = None\n")
    hidden = {"PYTHONPATH": str(tmp_path)}
    code, _, err = run("bench", *T2I, "--simulate", "--num-prompts", "1", "--verify", "decode", **hidden)
    assert (code, err.count("\n")) == (2, 1)
    assert "--verify decode" in err
    assert "diffusion-loadgen[decode]" in err
