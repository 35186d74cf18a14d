"""The command line: bad input gets one clear line and exit 2, gates and scripts get their exit codes."""

import os
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import orjson
import pytest
from PIL import Image

from loadgen.cli.main import main
from loadgen.cli.output_files import check_writable, write
from loadgen.errors import UsageError
from loadgen.server.target import redacted
from tests.support.commands import LIMIT_S, ROOT, T2I, bench, run, server

TRACE = ("--task", "t2i", "--dataset", "trace", "--dataset-path")


@pytest.mark.parametrize(
    ("words", "names"),
    [
        (("--request-rate", "0"), ("--request-rate", "0")),
        (("--request-rate", "-1"), ("--request-rate", "-1")),
        (("--request-rate", "nan"), ("--request-rate", "nan")),
        (("--request-rate", "fast"), ("--request-rate", "fast")),
        (("--max-concurrency", "0"), ("--max-concurrency", "0")),
        (("--max-concurrency", "inf"), ("--max-concurrency", "inf")),
        (("--num-prompts", "0"), ("--num-prompts",)),
        (("--width", "-5", "--height", "5"), ("--width", "-5")),
        (("--task", "t2x"), ("--task", "t2x")),
        (("--backend", "nonesuch"), ("--backend", "nonesuch")),
        (("--senders", "0"), ("--senders",)),
        (("--timeout", "0"), ("--timeout",)),
        (("--arrival", "poisson"), ("--arrival poisson", "--request-rate")),
        (("--arrival", "trace", "--request-rate", "2"), ("--arrival trace", "--request-rate")),
        (("--arrival", "trace"), ("--arrival trace", "--dataset")),
        (("--duration", "5"), ("--duration", "--request-rate")),
        (("--duration", "0.001", "--request-rate", "1", "--arrival", "poisson"), ("--duration",)),
        (("--min-slo-attainment", "0.9"), ("--min-slo-attainment", "--slo")),
        (("--min-slo-attainment", "2", "--slo"), ("--min-slo-attainment", "2")),
        (("--slo-model", "affine"), ("--slo-model affine", "--slo")),
        (("--slo-model", "cubic"), ("--slo-model", "cubic")),
        (("--slo-model", "affine", "--slo"), ("--slo-model affine", "--warmup-requests 3")),
        (("--slo-model", "affine", "--slo-ms", "9"), ("--slo-model affine", "--slo-ms")),
        (("--slo", "--slo-model", "affine", "--warmup-requests", "3"), ("--slo-model affine", "1 distinct sizes")),
        (("--slo-ms", "0"), ("--slo-ms", "0")),
        (("--backend", "v1/videos", "--task", "t2v", "--poll-interval", "0"), ("--poll-interval", "0")),
        (
            ("--backend", "v1/videos", "--task", "t2v", "--no-download", "--save-dir", "x"),
            ("--no-download", "--save-dir"),
        ),
        (("--header", "novalue"), ("--header", "NAME=VALUE")),
        (("--output-file", "/nonexistent/dir/x.json"), ("--output-file", "/nonexistent/dir")),
        (("--output-file", "/"), ("--output-file", "folder")),
        (("--html", "/nonexistent/dir/x.html"), ("--html", "/nonexistent/dir")),
        (("--html", "-", "--output-file", "-"), ("--html", "--output-file", "standard output")),
        (("--save-dir", "/proc/nope"), ("--save-dir", "/proc/nope")),
        (("--dataset-path", "/nonexistent", "--dataset", "vbench"), ("--dataset-path", "/nonexistent")),
        (("--random-request-config", "[{]"), ("--random-request-config",)),
        (("--dataset", "custom"), ("--dataset custom", "--dataset-path")),
        (("--seed", str(2**64)), ("--seed", "64 bits")),
        (("--fps", "0"), ("--fps", "0")),
        (("--log-level", "LOUD"), ("--log-level", "LOUD", "WARNING")),
        (("--extra-body", '{"n": 2}'), ("--extra-body", "--num-outputs-per-prompt")),
        (("--slo", "--warmup-requests", "0"), ("--warmup-requests", "--slo")),
        (("--simulate", "--fail-rate 7"), ("--fail-rate", "7")),
        (("--simulate=--nonsense",), ("--simulate", "--nonsense")),
        (("--base-url", "ftp://x"), ("--base-url",)),
        (("--base-url", "http://127.0.0.1:99999"), ("--base-url",)),
        (("--base-url", "http://user:hunter2@"), ("--base-url",)),
    ],
)
def test_bad_usage_is_one_line_that_names_the_flag_and_exit_2(
    words: tuple[str, ...], names: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    simulate = () if words[0].startswith(("--base-url", "--simulate")) else ("--simulate",)
    try:
        code = main(["bench", *T2I, "--num-prompts", "1", *simulate, *words])
    except SystemExit as exit_:
        code = int(exit_.code or 0)
    out, err = capsys.readouterr()
    assert code == 2, err
    assert out == ""
    assert "Traceback" not in err
    assert "hunter2" not in err
    last = err.strip().splitlines()[-1]
    assert all(name in last for name in names), last


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("Request(prompt='a', width=1, height=1)\nnonsense\n", ":2:"),
        ("Request(prompt='a', width='wide', height=1)\n", ":1:"),
        ("Request(prompt='a', width=0, height=1)\n", ":1:"),
        ("", "trace.txt"),
    ],
)
def test_a_bad_trace_is_named_by_file_and_line(tmp_path: Path, content: str, says: str) -> None:
    path = tmp_path / "trace.txt"
    path.write_text(content)
    code, _, err = run("bench", *TRACE, str(path), "--simulate")
    assert code == 2
    assert f"{path}" in err
    assert says in err
    assert "Traceback" not in err


@pytest.mark.parametrize("rows", [["timestamp=2.0", "timestamp=1.0"], ["timestamp=1.0", "seed=1"]])
def test_timestamps_that_go_back_or_are_missing_are_named_by_their_line(tmp_path: Path, rows: list[str]) -> None:
    path = tmp_path / "trace.txt"
    path.write_text("".join(f"Request(prompt='a', {row})\n" for row in rows))
    code, _, err = run("bench", *TRACE, str(path), "--simulate", "--arrival", "trace")
    assert code == 2
    assert f"{path}:2:" in err


def test_image_tasks_need_images_that_can_be_read(tmp_path: Path) -> None:
    trace = tmp_path / "trace.txt"
    (tmp_path / "broken.png").write_bytes(b"not a picture")
    words = ("bench", "--task", "i2i", "--dataset", "trace", "--dataset-path", str(trace), "--simulate")
    trace.write_text("Request(prompt='a')\n")
    code, _, err = run(*words)
    assert (code, f"{trace}:1:" in err) == (2, True)
    trace.write_text("Request(prompt='a', image_path='broken.png')\n")
    code, _, err = run(*words)
    assert (code, "broken.png" in err) == (2, True)


def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


@pytest.mark.parametrize("url", ["http://127.0.0.1:{port}", "http://no-such-host.invalid:80"])
def test_a_server_that_is_not_there_is_found_before_anything_starts(url: str) -> None:
    code, out, err = run("bench", *T2I, "--base-url", url.format(port=closed_port()))
    assert (code, out) == (2, "")
    assert "--base-url" in err
    assert "Traceback" not in err


def test_waiting_for_a_server_ends_when_it_comes_up() -> None:
    port = closed_port()
    words = ("--base-url", f"http://127.0.0.1:{port}", "--num-prompts", "2", "--wait-for-server", "60")
    late_start = "import sys, time; time.sleep(2); from loadgen.cli.main import main; main(sys.argv[1:])"
    serve = [sys.executable, "-c", late_start, "serve", "--port", str(port), "--base-ms", "1"]
    with subprocess.Popen(serve, cwd=ROOT, stdout=subprocess.DEVNULL) as late:
        try:
            assert bench(*T2I, *words)["completed_requests"] == 2
        finally:
            late.terminate()


@pytest.mark.parametrize(
    ("simulate", "words", "code"),
    [
        ("--base-ms 1", ("--strict",), 0),
        ("--base-ms 200", ("--strict", "--request-rate", "100"), 3),  # one permit: CAPPED
        ("--base-ms 20", ("--slo", "--min-slo-attainment", "0.5", "--slo-scale", "10000"), 0),
        ("--base-ms 20", ("--slo", "--min-slo-attainment", "0.5", "--slo-scale", "0.0001"), 3),
        ("--fail-rate 1", (), 4),
        ("--fail-rate 1", ("--slo",), 4),
    ],
)
def test_gates_and_failures_have_exit_codes_of_their_own(simulate: str, words: tuple[str, ...], code: int) -> None:
    returned, _, err = run("bench", *T2I, "--simulate", simulate, "--num-prompts", "8", *words)
    assert returned == code, err
    assert "Traceback" not in err


def test_the_json_goes_to_standard_output_and_all_else_to_standard_error() -> None:
    code, out, err = run("bench", *T2I[:-1], "--simulate", "--num-prompts", "2", "--output-file", "-")
    assert code == 0
    assert orjson.loads(out)["completed_requests"] == 2
    assert "VALID" in err


def test_a_page_of_the_run_is_written_and_leaves_no_run_behind(tmp_path: Path) -> None:
    place = tmp_path / "page.html"
    with tempfile.TemporaryDirectory(prefix="t-") as folder:  # short, so that sockets go there too
        code, out, err = run("bench", *T2I, "--simulate", "--num-prompts", "2", "--html", str(place), TMPDIR=folder)
        assert (code, err) == (0, "")
        assert out.startswith("VALID")
        assert place.read_text().startswith("<!DOCTYPE html>")
        assert list(Path(folder).iterdir()) == []


def test_a_page_goes_to_standard_output_and_all_else_to_standard_error() -> None:
    code, out, err = run("bench", *T2I, "--simulate", "--num-prompts", "2", "--html", "-")
    assert code == 0
    assert out.startswith("<!DOCTYPE html>")
    assert "VALID" in err


def test_without_a_progress_display_nothing_but_the_report_is_printed(tmp_path: Path) -> None:
    place = tmp_path / "result.json"
    code, out, err = run("bench", *T2I, "--simulate", "--num-prompts", "2", "--output-file", str(place))
    assert (code, err) == (0, "")
    assert out.startswith("VALID")
    assert orjson.loads(place.read_bytes())["completed_requests"] == 2
    assert [each.name for each in tmp_path.iterdir()] == ["result.json"]


def test_answers_are_saved_as_pictures_of_the_asked_size_and_never_overwritten(tmp_path: Path) -> None:
    for _ in range(2):
        bench(*T2I, "--simulate", "--num-prompts", "3", "--save-dir", str(tmp_path), "--senders", "2")
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == sorted(f"{i:06}-0{again}.png" for i in range(3) for again in ("", "-2"))
    for path in tmp_path.iterdir():
        with Image.open(path) as image:
            image.load()
            assert image.size == (256, 256)


def test_a_command_of_the_old_script_runs_by_a_change_of_its_path(tmp_path: Path) -> None:
    place = tmp_path / "out.json"
    with server(base_ms=5) as url:
        words = ("--base-url", url, "--model", "default", "--task", "t2i", "--dataset", "random", "--num-prompts", "4",
                 "--request-rate", "50", "--max-concurrency", "4", "--output-file", str(place))  # fmt: skip
        script = [sys.executable, str(ROOT / "scripts" / "diffusion_benchmark_serving.py"), *words]
        done = subprocess.run(script, capture_output=True, text=True, timeout=LIMIT_S, cwd=tmp_path, check=False)
    assert done.returncode == 0, done.stderr
    result = orjson.loads(place.read_bytes())
    assert result["latency_from"] == "sent"
    assert result["latency_p50"] == result["service"]["p50"]


def test_closing_the_pipe_of_the_report_is_no_traceback() -> None:
    line = f"{sys.executable} -m loadgen bench {' '.join(T2I)} --simulate --num-prompts 1 | true"
    done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, timeout=LIMIT_S, cwd=ROOT, check=False)
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("words", [("--help",), ("bench", "--help"), ("serve", "--help")])
def test_help_teaches_by_example(words: tuple[str, ...]) -> None:
    code, out, _ = run(*words)
    assert code == 0
    assert "loadgen bench" in out


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("http://user:pw@host:80/p", "http://host:80/p"),
        ("http://host/a@b", "http://host/a@b"),
        ("https://u@[::1]:8", "https://[::1]:8"),
    ],
)
def test_credentials_in_a_url_are_not_shown(url: str, shown: str) -> None:
    assert redacted(url) == shown


def test_a_place_that_cannot_be_written_is_found_before_the_run(tmp_path: Path) -> None:
    for place in (tmp_path, tmp_path / "no" / "file"):
        with pytest.raises(UsageError, match="--output-file"):
            check_writable(str(place))
    check_writable(str(tmp_path / "fine.json"))
    check_writable(os.devnull)
    write(os.devnull, b"{}")
    assert os.path.exists(os.devnull)  # noqa: PTH110  (a device is written to, not replaced)
