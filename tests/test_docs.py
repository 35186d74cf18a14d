"""What the README and docs/ show is run and checked here: commands, examples, flags, files, tests and links."""

import inspect
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import loadgen.api
from collector.report.json import KEYS
from scripts import flags
from tests.support.commands import LIMIT_S, ROOT, server
from tests.test_layers import LAYERS

PAGES = {path.relative_to(ROOT).as_posix(): path.read_text() for path in (ROOT / "README.md", *ROOT.glob("docs/*.md"))}
EVERYTHING = "\n".join(PAGES.values())
LANGUAGES = {"sh", "python", "text"}
FOLDERS = ("loadgen/", "collector/", "tests/", "scripts/", "docs/")
FEWER = {"--num-prompts": "8", "--time-limit": "15", "--rates": "20,50,100", "--rate-series": "0:10,1:50,2:10"}
FASTER = {"--request-rate": "20", "--warmup-requests": "1", "--cool-down": "0", "--poll-interval": "0.05"}
BOUNDS = {**FEWER, **FASTER, "--port": "0"}
GATE = 3  # exit code of a gate: whether a figure is good enough depends on the machine
OF_SERVERS = {  # flags of other programs, in blocks that are not run
    *("--enable-diffusion-pipeline-profiler", "--omni", "--model-path", "--num-gpus"),
    *("--model_path", "--model_cls", "--config_json"),
}
PYTHON = {"loadgen": (sys.executable, "-m", "loadgen"), "python": (sys.executable,)}


def blocks(page: str) -> list[tuple[str, str]]:
    """Language and text of every fenced block of a page."""
    return re.findall(r"^```(\w*)\n(.*?)^```$", PAGES[page], re.DOTALL | re.MULTILINE)


def commands(block: str) -> list[list[str]]:
    """The arguments of every command of a block, without comments."""
    lines = block.replace("\\\n", " ").splitlines()
    return [words for line in lines if (words := shlex.split(line, comments=True))]


def shown() -> list[list[str]]:
    """Every command that any page shows."""
    return [words for page in PAGES for kind, text in blocks(page) if kind == "sh" for words in commands(text)]


def bounded(words: list[str], url: str) -> list[str]:
    """The same command against our server, with few requests and high rates."""
    words = [re.sub(r"http://gpu[\w-]*:8091", url, word) for word in words]
    words = [BOUNDS.get(before, word) for before, word in zip(["", *words], words, strict=False)]
    if words[1] in ("bench", "sweep") and "--num-prompts" not in words:
        words += ["--num-prompts", FEWER["--num-prompts"]]
    return [*PYTHON[words[0]], *words[1:], *(["--cool-down", "0"] if words[1] in ("sweep", "search") else [])]


def execute(arguments: list[str], folder: Path) -> list[str]:
    """Run one command; say what is wrong, if anything."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(arguments, cwd=folder, env=environment, capture_output=True, text=True, timeout=LIMIT_S)
    return [] if done.returncode in (0, GATE) else [f"{shlex.join(arguments)}: {done.returncode}\n{done.stderr[-800:]}"]


def serve(arguments: list[str], folder: Path) -> list[str]:
    """Start a server and end it as soon as it says where it is."""
    with subprocess.Popen(arguments, cwd=folder, env={**os.environ, "PYTHONPATH": str(ROOT)}, stdout=-1) as process:
        assert process.stdout is not None
        line = process.stdout.readline().decode()
        process.terminate()
    return [] if line.startswith("serving on") else [f"{shlex.join(arguments)}: {line}"]


def run_command(words: list[str], folder: Path, url: str) -> list[str]:
    arguments = bounded(words, url)
    if words[:2] == ["loadgen", "serve"]:
        return serve(arguments, folder)
    if words[:2] == ["loadgen", "compare"]:
        make_runs(folder, words[2:4], url)
    return execute(arguments, folder)


def make_runs(folder: Path, names: list[str], url: str) -> None:
    """Make the saved runs that a comparison needs and no command before it wrote; all of one plan."""
    there = [name for name in names if (folder / name).exists()]
    if not there:
        line = f"loadgen bench --base-url {url} --task t2i --dataset random --request-rate 20 --max-concurrency 9"
        assert execute(bounded([*line.split(), "--run-dir", names[0]], url), folder) == []
    for name in set(names) - {*there, names[0]}:
        shutil.copytree(folder / (there or names)[0], folder / name)


def run_page(page: str, folder: Path, url: str) -> list[str]:
    """Run everything that a page shows, in its order, except searches."""
    wrong: list[str] = []
    for kind, text in blocks(page):
        if kind == "python":
            wrong += execute([sys.executable, "-c", text], folder)
        for words in commands(text) if kind == "sh" else []:
            if words[0] in PYTHON and words[1] != "search":
                wrong += run_command(words, folder, url)
    return wrong


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with server(base_ms=5, unit_ms=0, replicas=50) as found:
        yield found


def test_every_command_and_example_runs(url: str, tmp_path: Path) -> None:
    """Pages run side by side; so do searches, which take 15 s at least."""
    searches = [words for words in shown() if words[:2] == ["loadgen", "search"]]
    folders = [tmp_path / str(number) for number in range(len(searches) + len(PAGES))]
    for folder in folders:
        folder.mkdir()
        shutil.copy(ROOT / "loadgen/data/demo_trace.txt", folder / "trace.txt")
    assert len(searches) > 1
    with ThreadPoolExecutor(8) as pool:
        running = [pool.submit(run_command, words, folders.pop(), url) for words in searches]
        longest_first = sorted(PAGES, key=lambda page: -len(blocks(page)))
        running += [pool.submit(run_page, page, folders.pop(), url) for page in longest_first]
    assert [fault for each in running for fault in each.result()] == []


def test_what_takes_long_or_installs_is_there_with_its_flags() -> None:
    others = [words for words in shown() if words[0] not in PYTHON]
    sources = "".join(path.read_text() for path in ROOT.glob("scripts/*/*.py"))
    for words in others:
        if words[0] == "pip":
            assert words == ["pip", "install", "."]
            continue
        assert os.access(ROOT / words[0], os.X_OK), words
        assert [flag for flag in words[1:] if flag.startswith("--") and f'"{flag}"' not in sources] == [], words
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert set(re.findall(r"diffusion-loadgen\[(\w+)\]", EVERYTHING)) <= set(extras)


def test_a_block_says_what_it_is() -> None:
    assert {kind for page in PAGES for kind, _ in blocks(page)} <= LANGUAGES
    for page, text in PAGES.items():
        assert text.count("```") == 2 * len(blocks(page)), page


def test_the_readme_is_short_and_shows_the_two_commands_first() -> None:
    lines = PAGES["README.md"].splitlines()
    assert len(lines) <= 170
    assert {"scripts/demo", "scripts/test"} <= {line.split(" ")[0] for line in lines[:60]}


def test_every_file_that_is_named_is_there() -> None:
    names = {name for name in re.findall(r"`([\w./-]+)`", EVERYTHING) if name.startswith(FOLDERS)}
    assert len(names) > 50
    assert [name for name in sorted(names) if not (ROOT / name).exists()] == []


def test_every_function_is_in_the_file_that_it_is_said_to_be_in() -> None:
    pairs = re.findall(r"`(\w+)`\s+in\s+`([\w/]+\.py)`", EVERYTHING)
    assert len(pairs) > 10
    assert [pair for pair in pairs if not re.search(rf"(def|class) {pair[0]}\b", (ROOT / pair[1]).read_text())] == []


def test_every_link_leads_to_a_page() -> None:
    for page, text in PAGES.items():
        links = [link.partition("#")[0] for link in re.findall(r"\]\(([^)\s]+)\)", text) if "://" not in link]
        assert [link for link in links if not ((ROOT / page).parent / link).exists()] == [], page


@pytest.mark.parametrize("folder", ["loadgen", "collector", "scripts", "tests"])
def test_no_file_refers_to_a_page_that_is_not_there(folder: str) -> None:
    for path in (path for path in (ROOT / folder).rglob("*") if path.is_file() and path.suffix in ("", ".py")):
        named = re.findall(r"(?<![\w./-])(?:docs/\w[\w-]*|[A-Z]{2,})\.md\b", path.read_text())
        assert [name for name in named if not (ROOT / name).exists()] == [], path


def test_the_index_has_a_line_for_each_page() -> None:
    listed = re.findall(r"^- \[([\w-]+\.md)\]\(\1\): .*\.$", PAGES["docs/index.md"], re.MULTILINE)
    pages = {Path(page).name for page in PAGES} - {"README.md", "index.md"}
    assert sorted(listed) == sorted(pages)
    assert [name for name in listed if f"(docs/{name})" not in PAGES["README.md"]] == []


def test_every_flag_that_is_named_exists() -> None:
    known = set(re.findall(r"--[a-z][\w-]+", flags.page()))
    for path in ROOT.glob("scripts/*/*.py"):
        known |= set(re.findall(r'"(--[a-z][\w-]+)"', path.read_text()))
    known |= {"--help", "--strict", *OF_SERVERS}
    written = "".join(text for page, text in PAGES.items() if page != "docs/flags.md")
    assert sorted(set(re.findall(r"(?<![\w-])--[a-z][\w-]+", written)) - known) == []


def test_the_page_of_flags_is_what_the_parsers_say() -> None:
    assert PAGES["docs/flags.md"] == flags.page(), "run: python -m scripts.flags"


def test_every_test_that_is_named_exists() -> None:
    tests = "".join(path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))
    names = set(re.findall(r"`(test_\w+)`", EVERYTHING))
    assert len(names) > 10
    assert [name for name in sorted(names) if f"def {name}(" not in tests] == []


def test_the_table_of_folders_is_that_of_the_layers() -> None:
    table = re.findall(r"^\| `([\w/.]+)` \|", PAGES["docs/architecture.md"], re.MULTILINE)
    named = [name.removesuffix("/").removesuffix(".py").replace("/", ".") for name in table]
    assert named == list(LAYERS)


def test_the_keys_of_the_result_are_described() -> None:
    described = set(re.findall(r"`(\w+)`", PAGES["docs/results.md"]))
    assert [key for key in KEYS if key not in set(described)] == []


def test_the_public_names_are_those_that_are_documented() -> None:
    assert all(hasattr(loadgen.api, name) for name in loadgen.api.__all__)
    functions = ("build_plan", "run", "sweep", "search", "simulated", "read_run", "report", "compare", "gate")
    assert set(functions) == {name for name in loadgen.api.__all__ if inspect.isroutine(getattr(loadgen.api, name))}
    for name in functions:
        assert f"`{name}(" in (loadgen.api.__doc__ or "")
        assert f"`{name}(" in PAGES["docs/python.md"]
