"""The width and height in pixels that a request asks for; (0, 0) if the server chooses."""

import re
from typing import Final

from loadgen.bodies.fields import size_text
from loadgen.datasets.sample import Sample

_TEXT: Final = re.compile(r"(\d{1,9})x(\d{1,9})")
_UNSPECIFIED: Final = (0, 0)
_LIMIT: Final = 1 << 31


def from_sides(sample: Sample) -> tuple[int, int]:
    """From the fields `width` and `height`; (0, 0) if an extra field `size` may contradict them."""
    extra = sample.extra
    if "size" in extra:
        return _UNSPECIFIED
    sides = [extra.get(name, own) for name, own in (("width", sample.width), ("height", sample.height))]
    width, height = (side if type(side) is int and 0 < side < _LIMIT else 0 for side in sides)
    return (width, height) if width and height else _UNSPECIFIED


def from_size_text(sample: Sample) -> tuple[int, int]:
    """From the field `size`, as WxH; (0, 0) for anything else, such as `auto`."""
    found = _TEXT.fullmatch(str(sample.extra.get("size", size_text(sample))))
    return (int(found[1]), int(found[2])) if found else _UNSPECIFIED
