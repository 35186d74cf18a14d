"""The endpoint `v1/images/edits` and the forms it sends: parts, names, and that one boundary serves every body."""

import email.parser
import email.policy
from dataclasses import replace
from email.message import EmailMessage
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from collector.records.record import ErrorKind
from loadgen.backends import image_edits, image_generations
from loadgen.bodies import multipart
from loadgen.bodies.request import Request
from loadgen.datasets.input_images import InputImage, synthetic_png
from loadgen.datasets.sample import Sample
from loadgen.errors import InputError, UsageError

PICTURE = synthetic_png(8, 4, 0)
Part = tuple[str, str | None, str | None, bytes]  # field, file name, mime, content


def parts(request: Request) -> list[Part]:
    """Take a form apart by the standard library's parser, which is not the one that wrote it."""
    head = f"Content-Type: {request.content_type}\r\n\r\n".encode()
    whole = email.parser.BytesParser(policy=email.policy.HTTP).parsebytes(head + bytes(request.body))
    assert not whole.defects
    return [_part(part) for part in whole.iter_parts() if isinstance(part, EmailMessage)]


def _part(part: EmailMessage) -> Part:
    field = part.get_param("name", header="content-disposition")
    content = part.get_payload(decode=True)
    assert isinstance(content, bytes)
    return str(field), part.get_filename(), part["content-type"], content


def fields(request: Request) -> dict[str, str]:
    return {name: content.decode() for name, file, _, content in parts(request) if file is None}


def request(sample: Sample, task: str = "ti2i") -> Request:
    return image_edits.encode(sample, "qwen", task)


def test_a_request_is_a_form_post_to_images_edits() -> None:
    made = request(Sample("a cat", images=(PICTURE,)))
    assert (made.method, made.path) == ("POST", "/v1/images/edits")
    assert made.content_type.startswith("multipart/form-data; boundary=")


@pytest.mark.parametrize(
    ("sample", "expected"),
    [
        (Sample("a cat"), {}),
        (Sample(""), {"prompt": ""}),
        (Sample("a cat", width=64, height=32, seed=0, num_inference_steps=7),
         {"size": "64x32", "seed": "0", "num_inference_steps": "7"}),
        (Sample("a cat", extra={"guidance_scale": 4.5, "true_cfg_scale": 4, "negative_prompt": "é\r\nx"}),
         {"guidance_scale": "4.5", "true_cfg_scale": "4", "negative_prompt": "é\r\nx"}),
        (Sample("a cat", extra={"bot_task": {"a": [1, None]}, "sys_type": True}),
         {"bot_task": '{"a":[1,null]}', "sys_type": "true"}),
        (Sample("a cat", seed=1, extra={"n": 2, "seed": None, "size": "8x8"}), {"size": "8x8", "n": "2"}),
        (Sample("a cat", extra={"model": "x", "prompt": "y"}), {}),
    ],
    ids=["bare", "no prompt", "size, steps, seed 0", "scales", "JSON values", "extras win", "never model and prompt"],
)  # fmt: skip
def test_a_form_holds_exactly_what_the_sample_says(sample: Sample, expected: dict[str, str]) -> None:
    always = {"model": "qwen", "prompt": "a cat", "response_format": "b64_json"}
    assert fields(request(replace(sample, images=(PICTURE,)))) == {**always, **expected}


def test_each_image_is_a_part_with_its_file_name_and_its_real_type(tmp_path: Path) -> None:
    photo = tmp_path / "holi day.png"  # named wrongly: it is a JPEG
    Image.new("RGB", (8, 4), "red").save(photo, "JPEG")
    files = [part for part in parts(request(Sample("x", images=(PICTURE, photo, PICTURE)))) if part[1]]
    assert files == [
        ("image[]", "image.png", "image/png", PICTURE),
        ("image[]", "holi day.png", "image/jpeg", photo.read_bytes()),
        ("image[]", "image.png", "image/png", PICTURE),
    ]


def test_a_single_image_is_a_part_without_brackets() -> None:
    assert [part[0] for part in parts(request(Sample("x", images=(PICTURE,)))) if part[1]] == ["image"]


def test_an_image_file_is_read_once_for_many_requests(tmp_path: Path) -> None:
    file = tmp_path / "a.png"
    file.write_bytes(PICTURE)
    first = request(Sample("a", images=(file,)))
    file.unlink()
    assert request(Sample("a", images=(file,))) == first


def test_requests_differ_in_their_bodies_only() -> None:
    small, large = request(Sample("a", images=(PICTURE,))), request(Sample("b" * 9999, images=(PICTURE,) * 4))
    assert small[:3] == large[:3]
    assert small.body != large.body


def test_a_sample_without_an_image_is_named_with_the_backend() -> None:
    with pytest.raises(UsageError, match=r"req-7.*v1/images/edits"):
        request(Sample("a", request_id="req-7"))


def test_an_image_that_cannot_be_read_is_named_by_its_path(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"missing\.png"):
        request(Sample("a", images=(tmp_path / "missing.png",)))


def test_answers_are_read_as_those_of_generations() -> None:
    assert (image_edits.read, image_edits.media) == (image_generations.read, image_generations.media)
    assert image_edits.read(b'{"data":[{"b64_json":"AA"}]}', "ti2i", 2).error is ErrorKind.NO_MEDIA


# Forms


def test_a_form_is_written_byte_by_byte_as_rfc_7578_says() -> None:
    boundary = multipart.CONTENT_TYPE.partition("boundary=")[2].encode()
    image = InputImage('a"b\r\n.png', b"\x89PNG", "image/png", 1, 1)
    assert multipart.form({"prompt": "hé"}, [("image", image)], Sample("")) == b"".join(
        [
            b"--" + boundary + b'\r\nContent-Disposition: form-data; name="prompt"\r\n\r\nh\xc3\xa9\r\n',
            b"--" + boundary + b'\r\nContent-Disposition: form-data; name="image"; filename="a%22b%0D%0A.png"',
            b"\r\nContent-Type: image/png\r\n\r\n\x89PNG\r\n",
            b"--" + boundary + b"--\r\n",
        ]
    )


@pytest.mark.parametrize("place", ["value", "name", "image", "file name"])
def test_what_holds_the_boundary_is_refused_and_named(place: str) -> None:
    mark = "x--" + multipart.CONTENT_TYPE.partition("boundary=")[2]
    held = {key: mark if key == place else "x" for key in ("value", "name", "image", "file name")}
    image = InputImage(held["file name"], held["image"].encode(), "image/png", 1, 1)
    with pytest.raises(UsageError, match="req-7"):
        multipart.form({held["name"]: held["value"]}, [("image", image)], Sample("", request_id="req-7"))


@pytest.mark.parametrize("value", [{1}, "\ud800"])
def test_a_value_that_no_field_can_hold_names_its_sample(value: object) -> None:
    with pytest.raises(UsageError, match="req-7"):
        multipart.form({"odd": value}, [], Sample("", request_id="req-7"))


@given(st.dictionaries(st.text("abc_[]", min_size=1), st.text(), max_size=4), st.lists(st.binary(), max_size=3))
def test_any_form_comes_apart_into_what_went_in(values: dict[str, str], contents: list[bytes]) -> None:
    files = [("image", InputImage(f"{i}.png", data, "image/png", 1, 1)) for i, data in enumerate(contents)]
    made = Request("POST", "/", multipart.CONTENT_TYPE, multipart.form(values, files, Sample("")))
    delimiter = b"--" + multipart.CONTENT_TYPE.partition("boundary=")[2].encode()
    pieces = bytes(made.body).split(delimiter)
    assert (pieces[0], pieces[-1], len(pieces) - 2) == (b"", b"--\r\n", len(values) + len(files))
    bodies = [piece.split(b"\r\n\r\n", 1)[1] for piece in pieces[1:-1]]
    assert bodies == [content + b"\r\n" for content in [*(v.encode() for v in values.values()), *contents]]
