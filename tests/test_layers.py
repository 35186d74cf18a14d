"""The direction of imports: `collector` stands alone, and no package has a cycle."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

ROOT = Path(__file__).parent.parent
MODULES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
    for package in ("loadgen", "collector")
    for path in (ROOT / package).rglob("*.py")
}


def imports(module: str) -> Iterator[str]:
    """Modules of ours that `module` imports, wherever in the file."""
    for node in ast.walk(ast.parse(MODULES[module].read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in MODULES)
        elif isinstance(node, ast.ImportFrom) and node.module in MODULES:
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                yield inner if inner in MODULES else node.module


def test_the_collector_never_imports_the_load_generator() -> None:
    assert "collector.process.collector" in MODULES
    wrong = {m: i for m in MODULES if m.startswith("collector") for i in imports(m) if i.startswith("loadgen")}
    assert wrong == {}


def test_no_module_imports_itself_by_way_of_others() -> None:
    graph = {module: set(imports(module)) - {module} for module in MODULES}
    assert any(graph.values())
    TopologicalSorter(graph).prepare()  # raises CycleError, which names the cycle


def test_downloads_and_displays_are_not_loaded_by_the_processes_on_the_timed_path() -> None:
    timed = "loadgen.engine.scheduler, loadgen.engine.sender_process, collector.process.collector"
    code = f"import sys, {timed}; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT).stdout
    assert not {"huggingface_hub", "gdown", "rich", "argparse", "requests"} & set(loaded.split())
