"""A multipart form as the simulated server reads it: fields, and files that must be what they call themselves."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from aiohttp import BodyPartReader, web

from loadgen.simulator.engine.generation import RefusalError, demand, image_problem

_INTEGERS: Final = frozenset({"n", "width", "height", "num_frames", "num_inference_steps", "seed"})
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
    """The parts of one form."""

    fields: dict[str, str]
    uploads: tuple[Upload, ...]

    def numbered(self) -> dict[str, object]:
        """Return the fields, those that must be numbers as numbers; raises RefusalError that names one that is not."""
        return {key: _value(key, text) for key, text in self.fields.items()}

    def demand_images(self, names: Sequence[str], least: int, most: int) -> None:
        """Raise RefusalError unless the files are that many images under one of these names."""
        count = sum(upload.field in names for upload in self.uploads)
        demand(least <= count <= most, f"{names[0]} must come {least} to {most} times, and came {count}")
        for upload in self.uploads:
            demand(upload.field in names, f"{upload.field} is no file that is taken here")
            if problem := image_problem(upload.data, upload.mime):
                raise RefusalError(f"{upload.field} {upload.name} {problem}")


def _value(key: str, text: str) -> object:
    if key not in _INTEGERS | _NUMBERS:
        return text
    try:
        number: int | float = int(text) if key in _INTEGERS else float(text)
    except ValueError:
        number = math.nan
    demand(math.isfinite(number), f"{key} must be {'an integer' if key in _INTEGERS else 'a number'}, not {text!r}")
    return number


async def read_form(request: web.Request) -> Form:
    """Read every part into memory; raises RefusalError for a body that is no form."""
    fields: dict[str, str] = {}
    uploads: list[Upload] = []
    try:
        async for part in await request.multipart():
            if not isinstance(part, BodyPartReader) or not part.name:
                raise RefusalError("a part of the form has no name")
            data = bytes(await part.read())
            if part.filename is None:
                demand(part.name not in fields, f"{part.name} comes twice")
                fields[part.name] = data.decode()
            else:
                uploads.append(Upload(part.name, part.filename, part.headers.get("Content-Type", ""), data))
    except (ValueError, AssertionError) as fault:  # what aiohttp raises for bytes that are no form
        raise RefusalError(f"the body is not a multipart form: {fault}") from fault
    return Form(fields, tuple(uploads))
