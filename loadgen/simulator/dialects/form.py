"""Multipart forms: parses fields and uploads, and checks that uploads are the images that they claim to be."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from aiohttp import BodyPartReader, web

from loadgen.media import headers
from loadgen.simulator.engine.generation import RefusalError, image_problem, require

_INTEGERS: Final = frozenset(
    {"n", "width", "height", "num_frames", "num_inference_steps", "seed", "seconds", "num_outputs_per_prompt"}
)
_NUMBERS: Final = frozenset({"fps", "guidance_scale", "true_cfg_scale"})


@dataclass(frozen=True, slots=True)
class Upload:
    """One file part: its field, file name, mime type and bytes."""

    field: str
    name: str
    mime: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Form:
    """The fields and uploaded files of one form."""

    fields: dict[str, str]
    uploads: tuple[Upload, ...]

    def typed_fields(self) -> dict[str, object]:
        """Return the fields with numeric ones converted; raises RefusalError that names an invalid one."""
        return {key: _value(key, text) for key, text in self.fields.items()}

    def require_images(self, names: Sequence[str], least: int, most: int) -> None:
        """Raise RefusalError unless the uploads are `least` to `most` images, all in fields of these names."""
        count = sum(upload.field in names for upload in self.uploads)
        require(least <= count <= most, f"{names[0]} must be given {least} to {most} times, not {count}")
        for upload in self.uploads:
            require(upload.field in names, f"{upload.field} is not a file field of this API")
            if problem := image_problem(upload.data, upload.mime):
                raise RefusalError(f"{upload.field} {upload.name} {problem}")

    def require_video(self, name: str) -> None:
        """Raise RefusalError unless the only upload is a video in a field of this name."""
        require([upload.field for upload in self.uploads] == [name], f"{name} must be the only file of the form")
        found = headers.describe(self.uploads[0].data)
        require(found is not None and found.kind == "video", f"{name} {self.uploads[0].name} is not a video")


def _value(key: str, text: str) -> object:
    if key not in _INTEGERS | _NUMBERS:
        return text
    try:
        number: int | float = int(text) if key in _INTEGERS else float(text)
    except ValueError:
        number = math.nan
    require(math.isfinite(number), f"{key} must be {'an integer' if key in _INTEGERS else 'a number'}, not {text!r}")
    return number


async def read_form(request: web.Request) -> Form:
    """Read every part into memory; raises RefusalError for a body that is not a form."""
    fields: dict[str, str] = {}
    uploads: list[Upload] = []
    try:
        async for part in await request.multipart():
            if not isinstance(part, BodyPartReader) or not part.name:
                raise RefusalError("a part of the form has no name")
            data = bytes(await part.read())
            if part.filename is None:
                require(part.name not in fields, f"{part.name} is given twice")
                fields[part.name] = data.decode()
            else:
                uploads.append(Upload(part.name, part.filename, part.headers.get("Content-Type", ""), data))
    except (ValueError, AssertionError) as fault:  # what aiohttp raises for a malformed form
        raise RefusalError(f"the body is not a multipart form: {fault}") from fault
    return Form(fields, tuple(uploads))
