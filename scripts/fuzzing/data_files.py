"""Files of a data set: trace rows, prompt lists, captions, points of a rate; read as `loadgen bench` reads them."""

import atexit
import shutil
import tempfile
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from hypothesis import strategies as st

from loadgen.backends import BACKENDS
from loadgen.datasets.input_images import synthetic_png
from loadgen.datasets.trace import KEYS
from loadgen.errors import LoadgenError
from loadgen.options import TASKS, ArrivalOptions, DataOptions, TargetOptions, WarmupOptions
from loadgen.planning.plan import Plan, build_plan
from loadgen.planning.rate_series import read_series
from scripts.fuzzing.odd_values import ODD_TEXTS, ODD_VALUES, damaged_bytes, mutated_json
from scripts.fuzzing.target import Target

_KEYS: Final = (*KEYS, *KEYS, "prompt_2", "widht", "n", "model", "extra_body", "**", "é", "class", "")
_FINE: Final = {"prompt": "a cat", "width": 64, "height": 32, "timestamp": 0.5, "image_path": "a.png", "request_id": 7}
_LITERALS: Final = (
    *("1j", "b'x'", "{1, 2}", "...", "f'{x}'", "lambda: 0", "__import__('os')", "open('x')", "1+1", "-1", "10**10**10"),
    *(
        "'a' 'b'",
        "'\\ud800'",
        "'\\x00'",
        "9" * 5000,
        "(" * 300,
        "[" * 3000,
        "-" * 9000 + "1",
        "'" * 3,
        "x",
        "",
        "0x",
        "1_0",
    ),
)
_FRAMES: Final = (("Request(", ")"), ("request(", ")"), ("Request(", ""), ("", ""), ("x.Request(", ");"))
_ROWS: Final = (
    b"Request(prompt='a cat', width=64, height=32, timestamp=0.5)\n# a comment\n\nRequest(prompt='b', timestamp=1)\n"
)
_CAPTIONS: Final = ([{"file_name": "a.png", "caption": "a cat"}, {"file_name": "b.webp", "caption": "", "x": [1]}],)
_NAMES: Final = {
    "trace": "rows.txt",
    "prompts": "prompts.txt",
    "captions": "i2v-bench-info.json",
    "series": "rates.txt",
}


@lru_cache(maxsize=1)
def folder() -> Path:
    """Make a folder with two images, in which every case writes its file, and which goes when we do."""
    place = Path(tempfile.mkdtemp(prefix="loadgen-fuzz-"))
    atexit.register(shutil.rmtree, place, ignore_errors=True)
    (place / "origin").mkdir()
    for name in ("a.png", "origin/a.png"):
        (place / name).write_bytes(synthetic_png(8, 8, 0))
    (place / "origin" / "b.webp").write_bytes(b"no picture")
    return place


@st.composite
def _row(draw: Callable[..., Any]) -> str:
    pairs = {"prompt": "'a'", "image_path": "'a.png'", "timestamp": "1"} if draw(st.integers(0, 5)) else {}
    for key in draw(st.lists(st.sampled_from(_KEYS), max_size=4)):
        odd = st.sampled_from(_LITERALS) | st.sampled_from(ODD_VALUES).map(repr)
        pairs[key] = draw(odd) if draw(st.integers(0, 2)) == 0 else repr(_FINE.get(key, 1))
    head, tail = draw(st.sampled_from(_FRAMES)) if draw(st.integers(0, 9)) == 0 else _FRAMES[0]
    inner = ", ".join(f"**{value}" if key == "**" else f"{key}={value}" for key, value in pairs.items())
    return f"{head}{inner}{tail}"


def _written() -> "st.SearchStrategy[tuple[str, bytes]]":
    rows = st.lists(_row(), max_size=4).map(lambda lines: "\n".join(lines).encode(errors="surrogatepass"))
    points = st.lists(st.sampled_from(("0:1", "1:2", "5:0", *ODD_TEXTS)), max_size=4)
    return st.one_of(
        *(st.tuples(st.just("trace"), made) for made in (rows, rows, rows, damaged_bytes(_ROWS))),
        st.tuples(st.just("prompts"), damaged_bytes(b"a cat\n\na dog\n" * 3)),
        st.tuples(
            st.just("captions"), mutated_json(_CAPTIONS) | damaged_bytes(b'[{"file_name":"a.png","caption":"c"}]')
        ),
        st.tuples(st.just("series"), points.map(lambda lines: "\n".join(lines).encode(errors="surrogatepass"))),
    )


@st.composite
def _case(draw: Callable[..., Any]) -> tuple[str, bytes, str, str, str]:
    kind, content = draw(_written())
    backend = draw(st.sampled_from(list(BACKENDS.values())))
    return (
        kind,
        content,
        draw(st.sampled_from(backend.tasks)),
        backend.name,
        draw(st.sampled_from(("constant", "trace"))),
    )


def check(case: tuple[str, bytes, str, str, str]) -> str:
    """Write the file and plan from it: there is a plan, or one line of a fault of ours."""
    kind, content, task, backend, process = case
    path = folder() / _NAMES[kind]
    path.write_bytes(content)
    try:
        fault = _fault(lambda: _plan(kind, path, task, backend, process))
    finally:
        path.unlink()
    if fault is None:
        return f"{kind}: a plan"
    assert fault.exit_code == 2, fault
    assert "Traceback" not in str(fault), fault
    return f"{kind}: a line"


def _fault(act: Callable[[], object]) -> LoadgenError | None:
    try:
        act()
    except LoadgenError as fault:
        return fault
    return None


def _plan(kind: str, path: Path, task: str, backend: str, process: str) -> Plan | None:
    if kind == "series":
        read_series(str(path))
        return None
    video = task in TASKS[3:]
    dataset = "trace" if kind == "trace" else "vbench"
    place = path.parent if kind == "captions" else path
    data = DataOptions(dataset, task if kind != "captions" else "i2v" if video else "i2i", str(place), num_prompts=5)
    chosen = backend if data.task in BACKENDS[backend].tasks else "vllm-omni"
    arrivals = ArrivalOptions(
        process if kind == "trace" else "constant", rate=100.0 if process == "constant" else float("inf")
    )
    return build_plan(data, arrivals, TargetOptions(backend=chosen), WarmupOptions())


DATA_FILES: Final = Target("data files", 12, _case(), check)
