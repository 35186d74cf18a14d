"""Sizes: how wide and high a medium has to be, as the request for it says. (0, 0) is "as the server likes"."""

import re
from typing import Final

from loadgen.bodies.fields import size
from loadgen.datasets.sample import Sample

_TEXT: Final = re.compile(r"(\d{1,9})x(\d{1,9})")
_FREE: Final = (0, 0)
_LIMIT: Final = 1 << 31


def of_sides(sample: Sample) -> tuple[int, int]:
    """Width and height of a request that says them apart; an extra `size` is another say, so nobody knows then."""
    extra = sample.extra
    if "size" in extra:
        return _FREE
    sides = [extra.get(name, own) for name, own in (("width", sample.width), ("height", sample.height))]
    width, height = (side if type(side) is int and 0 < side < _LIMIT else 0 for side in sides)
    return (width, height) if width and height else _FREE


def of_text(sample: Sample) -> tuple[int, int]:
    """Width and height of a request that says WxH; anything else, such as `auto`, is for the server to read."""
    found = _TEXT.fullmatch(str(sample.extra.get("size", size(sample))))
    return (int(found[1]), int(found[2])) if found else _FREE
