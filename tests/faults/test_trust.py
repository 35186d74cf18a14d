"""The trust boundary: what other users, servers, archives and traces can make of us, and what nobody gets to see."""

import ast
import io
import os
import signal
import socket
import stat
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from rich.console import Console

from collector.report.html.page import page
from collector.report.html.series import Series
from collector.report.terminal import run_report
from collector.saved.run_folder import read_run
from loadgen.cli.output_files import write
from loadgen.errors import UsageError
from loadgen.processes.child_processes import ChildProcesses
from loadgen.runs.run_folder import RunDir
from tests.faults.test_stops import LONG, children, wait_for
from tests.report.test_html import Reader
from tests.support.commands import LIMIT_S, ROOT, T2I, bench, command, fetch, run, server
from tests.support.echo import echo_server

NOBODY = 65534
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become a second user to attack from")


# What is not in the source

CODE_FROM_DATA = {"eval", "exec", "compile", "__import__"}
UNSAFE_MODULES = {"pickle", "cPickle", "dill", "cloudpickle", "marshal", "shelve", "joblib", "tarfile", "code"}
UNSAFE_CALLS = {"send_pyobj", "recv_pyobj", "extractall", "unpack_archive", "mktemp", "system", "popen"}
UNSAFE_KEYWORDS = {"shell", "allow_pickle"}


def sources() -> list[Path]:
    return [path for folder in ("loadgen", "collector", "scripts") for path in (ROOT / folder).rglob("*.py")]


def unsafe(tree: ast.AST) -> Iterator[str]:
    """Names of what runs data as code, or unpacks whatever it is given, in one file."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else [each.name for each in node.names]
            yield from {name.split(".")[0] for name in names} & UNSAFE_MODULES
        elif isinstance(node, ast.Call):
            called = node.func
            yield from {called.id} & CODE_FROM_DATA if isinstance(called, ast.Name) else ()
            yield from {called.attr} & UNSAFE_CALLS if isinstance(called, ast.Attribute) else ()
            yield from {keyword.arg or "" for keyword in node.keywords} & UNSAFE_KEYWORDS


def test_nothing_is_pickled_evaluated_given_to_a_shell_or_unpacked_blindly() -> None:
    assert len(sources()) > 100
    found = {str(path): names for path in sources() if (names := list(unsafe(ast.parse(path.read_text()))))}
    assert found == {}


@pytest.mark.parametrize(
    "source",
    [
        "import pickle",
        "from marshal import loads",
        "eval('1')",
        "z.extractall(x)",
        "run(x, shell=True)",
        "s.recv_pyobj()",
    ],
)
def test_the_search_for_what_is_unsafe_finds_it(source: str) -> None:
    assert list(unsafe(ast.parse(source)))


# A second user of the same machine


def as_nobody(attempt: Callable[[], object]) -> str:
    """Try something as another user, in a process of its own; return the error it met, or "" where it worked."""
    receive, send = os.pipe()
    if (child := os.fork()) == 0:
        said = "did not even start"
        try:
            os.setgroups([])
            os.setgid(NOBODY)
            os.setuid(NOBODY)
            said = tried(attempt)
        finally:
            os.write(send, said.encode())
            os._exit(0)
    os.close(send)
    os.waitpid(child, 0)
    with os.fdopen(receive, "rb") as answer:
        return answer.read().decode()


def tried(attempt: Callable[[], object]) -> str:
    try:
        attempt()
    except Exception as error:
        return type(error).__name__
    return ""


def connect(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as end:
        end.connect(str(path))


def attempts(folder: Path, run_dir: Path, pids: dict[str, int]) -> dict[str, Callable[[], object]]:
    """What would put a token or a record into a run, or read a secret out of it."""
    sender = Path(f"/proc/{pids['loadgen.engine.sender_process']}")
    memory = next(path for path in (sender / "fd").iterdir() if "memfd:" in str(path.readlink()))
    return {
        "list the sockets": lambda: list(folder.iterdir()),
        "a record": lambda: connect(folder / "records"),
        "a token": lambda: connect(folder / "tokens-0"),
        "shared memory": lambda: open(memory, "r+b").close(),  # noqa: PTH123  (Path.open is the same)
        "the memory of a process": lambda: open(sender / "mem", "r+b").close(),  # noqa: PTH123
        "the environment": (sender / "environ").read_bytes,
        "a signal": lambda: os.kill(pids["loadgen.engine.sender_process"], 0),
        "a saved record": lambda: open(run_dir / "records.bin", "ab").close(),  # noqa: PTH123
        "a saved error": lambda: open(run_dir / "errors.jsonl", "ab").close(),  # noqa: PTH123
        "a file of the run": (run_dir / "planted").touch,
    }


@needs_root
def test_a_second_user_can_put_nothing_into_a_run_and_read_no_secret_of_it() -> None:
    with tempfile.TemporaryDirectory() as place, server(base_ms=5, replicas=50) as url:
        Path(place).chmod(0o777)  # so that it is our own folders which keep others out
        words = ("bench", *T2I, *LONG, "--base-url", url, "--warmup-requests", "0", "--run-dir", f"{place}/run")
        process = command(*words, TMPDIR=place, OPENAI_API_KEY="sk-1234567890")
        try:
            wait_for("some records", lambda: fetch(f"{url}/sim/stats")["requests"] > 20)
            (folder,) = Path(place).glob("loadgen-*")
            tries = attempts(folder, Path(place, "run"), children(process.pid))
            assert {what: as_nobody(attempt) for what, attempt in tries.items()} == dict.fromkeys(
                tries, "PermissionError"
            )
            assert {what: tried(attempt) for what, attempt in tries.items()} == dict.fromkeys(tries, "")
        finally:
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=LIMIT_S)


def test_sockets_lie_in_a_folder_that_only_we_can_enter_whatever_the_umask() -> None:
    before = os.umask(0)
    try:
        with ChildProcesses() as group:
            group.start("anybody", "this")
            assert group.folder is not None
            assert stat.S_IMODE(group.folder.stat().st_mode) == 0o700
    finally:
        os.umask(before)


def test_what_a_run_saves_can_be_written_by_nobody_else_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        bench(
            *T2I, "--simulate", "--fail-rate 0.5", "--force", "--num-prompts", "20", "--run-dir", str(tmp_path / "run")
        )
    finally:
        os.umask(before)
    places = [tmp_path / "run", *(tmp_path / "run").iterdir()]
    assert len(places) > 8
    assert [path.name for path in places if path.stat().st_mode & (stat.S_IWGRP | stat.S_IWOTH)] == []


def test_a_run_is_not_saved_where_everybody_can_change_it(tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    with pytest.raises(UsageError, match=r"--run-dir .* everybody may write"):
        RunDir(tmp_path)


@pytest.mark.parametrize("name", ["records.bin", "plan.bin", "errors.jsonl", "summary.json"])
def test_a_link_that_waits_in_a_run_folder_is_not_written_through(tmp_path: Path, name: str) -> None:
    (tmp_path / "precious").write_text("mine")
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / name).symlink_to(tmp_path / "precious")
    with pytest.raises(UsageError, match="holds a run already"):
        RunDir(folder)
    with pytest.raises(FileExistsError):
        os.close(os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW))
    assert (tmp_path / "precious").read_text() == "mine"


def test_the_draft_of_an_output_file_has_a_name_that_nobody_can_foresee(tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("mine")
    (tmp_path / f".loadgen-{os.getpid()}").symlink_to(tmp_path / "precious")
    write(str(tmp_path / "result.json"), b"{}")
    assert (tmp_path / "precious").read_text() == "mine"
    assert (tmp_path / "result.json").read_bytes() == b"{}"


# What servers and traces say


HOSTILE = "</script><img src=x onerror=alert(1)>\x1b[2J\x9b2J\u202e\"'&"


def replaced(value: Any, text: str, key: str = "") -> Any:
    """The same value with every text in it replaced, whoever wrote it, but for the words that choose a branch."""
    if isinstance(value, dict):
        return {name: replaced(each, text, name) for name, each in value.items()}
    if isinstance(value, list):
        return [replaced(each, text) for each in value]
    return text if isinstance(value, str) and value not in WORDS.get(key, ()) else value


WORDS = {"state": ("VALID", "CAPPED", "INVALID"), "latency_from": ("scheduled", "sent"), "asked_rate": ("inf",)}


def test_what_a_trace_or_a_server_says_is_text_in_the_page_and_plain_on_the_terminal(tmp_path: Path) -> None:
    rows = "".join(
        f"Request(prompt={HOSTILE + str(k)!r}, request_id={HOSTILE!r}, width=256, height=256)\n" for k in range(5)
    )
    (tmp_path / "trace.txt").write_text(rows, encoding="utf-8")
    words = ("--task", "t2i", "--dataset", "trace", "--dataset-path", str(tmp_path / "trace.txt"), "--model", HOSTILE)
    kept = (
        "--html",
        str(tmp_path / "page.html"),
        "--output-file",
        str(tmp_path / "out.json"),
        "--run-dir",
        str(tmp_path / "run"),
    )
    with echo_server() as place:
        code, out, err = run(
            "bench", *words, "--base-url", f"http://{place}/as-body", "--num-prompts", "5", "--force", *kept
        )
    assert code == 4, err
    assert "onerror=alert(1)" in orjson.loads((tmp_path / "out.json").read_bytes())["errors"]["http_503"]["example"]
    assert [c for c in out + err if not (c.isprintable() or c == "\n")] == []
    html = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "onerror=alert(1)&gt;" in html
    elements = Reader(html).elements
    assert [name for _, attributes in elements for name in attributes if name.startswith("on")] == []
    assert "img" not in [tag for tag, _ in elements]


def test_no_text_field_of_a_result_can_become_an_element_of_the_page_or_drive_the_terminal(tmp_path: Path) -> None:
    bench(*T2I, "--simulate", "--http-errors 503:0.3", "--num-prompts", "30", "--request-rate", "100", "--slo-ms", "50",
          "--max-concurrency", "30", "--run-dir", str(tmp_path / "run"))  # fmt: skip
    saved = read_run(tmp_path / "run")
    series = Series.of_run(saved.records, saved.info, saved.info.stalls)
    plain, hostile = (replaced(saved.summary, text) for text in ("plain", HOSTILE))
    pages = [Reader(page(each, series).decode()) for each in (plain, hostile)]
    assert [tag for tag, _ in pages[0].elements] == [tag for tag, _ in pages[1].elements]
    assert "onerror=alert(1)" in pages[1].text
    console = Console(file=io.StringIO(), width=200)
    run_report.render(hostile, console)
    shown = console.file.getvalue()  # type: ignore[attr-defined]
    assert "onerror=alert(1)" in shown
    assert [c for c in shown if not (c.isprintable() or c == "\n")] == []
