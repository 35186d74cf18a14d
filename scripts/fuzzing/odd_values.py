"""Odd values: unusual strings, numbers and JSON, and mutations of valid input."""

import copy
from collections.abc import Callable, Iterator
from typing import Any, Final

import orjson
from hypothesis import strategies as st

ODD_TEXTS: Final = (
    *(
        "",
        " ",
        "-",
        "--",
        "-1",
        "0",
        "1",
        "2",
        "00",
        "1e3",
        "1e999",
        "-1e999",
        "nan",
        "inf",
        "-inf",
        "1_000",
        "0x10",
        "٣",
    ),
    *(
        "2147483648",
        "9223372036854775808",
        "1" * 5000,
        "true",
        "null",
        "None",
        "[]",
        "{}",
        "[[[[",
        '{"a":',
        "é",
        "\x1b[31m",
    ),
    *(
        "\x9b2J",
        "\u202e",
        "\r\n",
        "a\nb",
        "\udcff",
        "\U0001f600",
        "%s",
        "%(prog)s",
        "{0}",
        "[bold]",
        "[/bold]",
        "x" * 300,
    ),
    *(
        "a=b",
        "=",
        ",",
        ",,",
        "a,b",
        ":",
        "::",
        "0:1,5:2",
        "*",
        "**",
        "[",
        "~",
        "~nobody",
        ".",
        "..",
        "a b",
        "'",
        '"',
        "\\",
    ),
)
ODD_VALUES: Final[tuple[Any, ...]] = (
    *(None, True, False, -1, 0, 1, 2**31, 2**63 - 1, -(2**63), 2**64 - 1, 0.5, 1e308, -1e308, 5e-324, 1e999),
    *(
        "",
        "x",
        "inf",
        "nan",
        "-1",
        "1e999",
        "\x1b[31m\nfoo",
        "\udcff",
        "<script>",
        "é" * 400,
        [],
        {},
        [[1]],
        [None],
        ["a", 1],
    ),
    *({"a": 1}, {"": None}, {"p50": "x"}, [{}], [[[[[[[[[[]]]]]]]]]]),
)
texts = st.sampled_from(ODD_TEXTS) | st.text(max_size=12)
values = st.sampled_from(ODD_VALUES) | st.integers(-(2**63), 2**64 - 1) | st.floats() | st.text(max_size=20)


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield where the parts of a JSON value are, the whole first."""
    yield path
    for key in value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
        yield from places(value[key], (*path, key))


def changed(value: Any, place: tuple[Any, ...], new: Any, *, gone: bool = False) -> Any:
    """Return a copy with the part at `place` replaced, or left out."""
    if not place:
        return new
    whole = inner = copy.deepcopy(value)
    for key in place[:-1]:
        inner = inner[key]
    if gone and isinstance(inner, dict):
        del inner[place[-1]]
    else:
        inner[place[-1]] = new
    return whole


@st.composite
def mutated_json(draw: Callable[..., Any], originals: tuple[Any, ...]) -> bytes:
    """Draw JSON that is one to three changes away from one of `originals`, written as it would be."""
    value = draw(st.sampled_from(originals))
    for _ in range(draw(st.sampled_from((1, 1, 2, 3)))):
        found = list(places(value))
        place = draw(st.sampled_from(found[1:] if len(found) > 1 and draw(st.integers(0, 9)) else found))
        value = changed(value, place, draw(values), gone=draw(st.booleans()))
    return dumps(value)


def dumps(value: Any) -> bytes:
    """Write JSON even of what orjson will not: half characters are cut, large numbers are floats."""
    try:
        return orjson.dumps(value)
    except TypeError:
        return orjson.dumps(_sayable(value), default=str)


def _sayable(value: Any) -> Any:
    if isinstance(value, dict):
        return {_sayable(str(key)): _sayable(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_sayable(each) for each in value]
    return value.encode(errors="replace").decode() if isinstance(value, str) else value


@st.composite
def damaged_bytes(draw: Callable[..., Any], content: bytes) -> bytes:
    """Draw bytes that are `content` cut, doubled, overwritten here and there, or something else altogether."""
    kind = draw(st.sampled_from(("over", "over", "cut", "twice", "other", "noise")))
    if kind == "over" and content:
        changed_bytes = bytearray(content)
        for place in draw(st.lists(st.integers(0, len(content) - 1), min_size=1, max_size=12)):
            changed_bytes[place] = draw(st.sampled_from((0, 1, 0x7F, 0x80, 0xFF, 0x22, 0x0A)))
        return bytes(changed_bytes)
    if kind == "cut":
        return content[: draw(st.integers(0, len(content)))]
    if kind == "twice":
        return content * 2
    if kind == "noise":
        return bytes(draw(st.randoms(use_true_random=False)).randbytes(len(content)))
    return bytes(draw(st.binary(max_size=300)))
