"""The layers: a folder imports only folders below it; the timed path imports nothing that starts or orders a run."""

import ast
import subprocess
import sys
from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
MOST_FILES = 16  # Python files in one folder

# From the bottom up: a folder (or a file of the two top folders) may import what stands before it, and itself.
LAYERS = (
    *("collector", "collector.errors", "collector.text", "collector.records", "collector.statistics"),
    *("collector.summary", "collector.saved", "collector.sweeps", "collector.comparison", "collector.process"),
    *("collector.report.terminal", "collector.report.html", "collector.report", "collector.cli", "collector.__main__"),
    *("loadgen", "loadgen.clock", "loadgen.errors", "loadgen.options", "loadgen.secrets", "loadgen.system"),
    *("loadgen.media", "loadgen.datasets", "loadgen.bodies", "loadgen.backends"),
    *(
        "loadgen.server",
        "loadgen.planning",
        "loadgen.transport",
        "loadgen.capture",
        "loadgen.engine",
        "loadgen.monitoring",
    ),
    *("loadgen.simulator.engine", "loadgen.simulator.servers", "loadgen.simulator.dialects", "loadgen.simulator"),
    *("loadgen.processes", "loadgen.runs", "loadgen.sweeps", "loadgen.search"),
    *("loadgen.api", "loadgen.cli", "loadgen.__main__"),
)
TIMED = ("loadgen.engine", "loadgen.transport", "loadgen.capture", "collector.process")
FORBIDDEN_TO_TIMED = tuple(LAYERS[LAYERS.index("loadgen.simulator.engine") :])

Sources = Mapping[str, tuple[str, bool]]  # module -> its source, and whether it is a folder's __init__.py


def sources() -> dict[str, tuple[str, bool]]:
    """Every module of both packages."""
    found = {}
    for package in ("loadgen", "collector"):
        for path in (ROOT / package).rglob("*.py"):
            name = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
            found[name] = (path.read_text(), path.name == "__init__.py")
    return found


def imports(module: str, modules: Sources) -> Iterator[str]:
    """Modules of ours that `module` imports, wherever in the file."""
    for node in ast.walk(ast.parse(modules[module][0])):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in modules)
        elif isinstance(node, ast.ImportFrom) and node.module in modules:
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                yield inner if inner in modules else str(node.module)


def layer(module: str, modules: Sources) -> str:
    """The folder of a module; directly below `loadgen` and `collector` every file is a layer of its own."""
    if modules[module][1]:
        return module
    folder = module.rpartition(".")[0]
    return module if folder in ("loadgen", "collector") else folder


def upward(modules: Sources) -> list[str]:
    """Imports of a layer that stands above the importer's, and modules whose layer is not in the table."""
    wrong = [f"{module}: not in LAYERS" for module in modules if layer(module, modules) not in LAYERS]
    if wrong:
        return wrong
    for module in modules:
        own = LAYERS.index(layer(module, modules))
        above = (other for other in imports(module, modules) if LAYERS.index(layer(other, modules)) > own)
        wrong += [f"{module} imports {other}" for other in above]
    return wrong


def cycle(modules: Sources) -> list[str]:
    """The layers of one cycle, the first of them again at the end; empty where there is none."""
    graph: dict[str, set[str]] = {}
    for module in modules:
        own = layer(module, modules)
        graph.setdefault(own, set()).update(layer(other, modules) for other in imports(module, modules))
    try:
        TopologicalSorter({own: others - {own} for own, others in graph.items()}).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def reached(module: str, modules: Sources) -> set[str]:
    """Everything that comes along when `module` is imported."""
    seen, todo = set(), [module]
    while todo:
        if (one := todo.pop()) not in seen:
            seen.add(one)
            todo += imports(one, modules)
    return seen


def forbidden(modules: Sources) -> list[str]:
    """Modules of the timed path that reach what starts processes, orders a run or reads a command line."""
    return [
        f"{module} reaches {other}"
        for module in modules
        if layer(module, modules) in TIMED
        for other in sorted(reached(module, modules))
        if layer(other, modules) in FORBIDDEN_TO_TIMED
    ]


def broken(module: str, line: str) -> Sources:
    """All modules, with one more line at the end of `module`."""
    found = sources()
    text, is_folder = found[module]
    return found | {module: (f"{text}\n{line}\n", is_folder)}


def test_every_folder_imports_only_what_stands_below_it() -> None:
    assert upward(sources()) == []


def test_no_folder_imports_itself_by_way_of_others() -> None:
    assert cycle(sources()) == []


def test_the_timed_path_reaches_neither_process_starting_nor_run_order_nor_the_command_line() -> None:
    assert forbidden(sources()) == []


def test_the_collector_never_imports_the_load_generator() -> None:
    modules = sources()
    assert not [
        m for m in modules if m.startswith("collector") if any(i.startswith("loadgen") for i in imports(m, modules))
    ]


@pytest.mark.parametrize(
    ("module", "line", "why"),
    [
        ("collector.statistics.intervals", "from collector.summary import verdict", "collector.summary.verdict"),
        ("loadgen.transport.native", "import loadgen.engine.sender", "loadgen.engine.sender"),
        ("collector.saved.export", "def later():\n    from loadgen import clock", "loadgen.clock"),
    ],
)
def test_an_upward_import_is_named(module: str, line: str, why: str) -> None:
    assert upward(broken(module, line)) == [f"{module} imports {why}"]


def test_a_folder_that_the_table_lacks_is_named() -> None:
    assert upward({**sources(), "loadgen.new.file": ("", False)}) == ["loadgen.new.file: not in LAYERS"]


def test_a_cycle_between_folders_is_named() -> None:
    found = cycle(broken("loadgen.transport.native", "from loadgen.engine import sender"))
    assert {"loadgen.transport", "loadgen.engine"} <= set(found)


@pytest.mark.parametrize(
    ("module", "line", "other"),
    [
        ("loadgen.engine.budget", "from loadgen.processes.child_processes import ChildProcess", "loadgen.processes"),
        ("loadgen.server.tls", "from loadgen.runs.run import run", "loadgen.runs.run"),
        ("loadgen.system.process_tuning", "from loadgen.cli import argv", "loadgen.cli.argv"),
    ],
)
def test_the_timed_path_is_told_what_it_must_not_reach(module: str, line: str, other: str) -> None:
    assert any(other in found for found in forbidden(broken(module, line)))


def test_folders_stay_small_and_each_says_what_is_in_it() -> None:
    for folder in {path.parent for package in ("loadgen", "collector") for path in (ROOT / package).rglob("*.py")}:
        assert len(list(folder.glob("*.py"))) <= MOST_FILES, folder
        assert ast.get_docstring(ast.parse((folder / "__init__.py").read_text())), folder


def test_downloads_and_displays_are_not_loaded_by_the_processes_on_the_timed_path() -> None:
    timed = "loadgen.engine.scheduler, loadgen.engine.sender_process, collector.process.collector"
    code = f"import sys, {timed}; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT).stdout
    assert not {"huggingface_hub", "gdown", "rich", "argparse", "requests"} & set(loaded.split())
