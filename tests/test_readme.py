"""What the README shows is run here, so that it stays true."""

import inspect
import re
import subprocess
import sys
from pathlib import Path

import loadgen.api
from tests.support.commands import LIMIT_S, ROOT, run

README = (ROOT / "README.md").read_text()


def test_the_python_example_runs_as_it_stands(tmp_path: Path) -> None:
    (example,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    script = tmp_path / "example.py"
    script.write_text(example)
    done = subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, timeout=LIMIT_S, cwd=tmp_path, check=False
    )
    assert done.returncode == 0, done.stderr
    assert re.match(r"(VALID|CAPPED|INVALID) [\d.]+", done.stdout)


def test_every_file_that_the_readme_names_is_there() -> None:
    names = {name for name in re.findall(r"`([\w./-]+)`", README) if "/" in name and not name.startswith(("/", "http"))}
    assert len(names) > 5
    missing = [name for name in names if not any((root / name).exists() for root in (ROOT, ROOT / "loadgen"))]
    assert missing == []


def test_every_flag_that_the_readme_names_exists() -> None:
    helps = "".join(run(command, "--help")[1] for command in ("bench", "serve", "sweep", "search", "report", "compare"))
    helps += subprocess.run(
        [sys.executable, "-m", "scripts.benching", "--help"], capture_output=True, text=True, cwd=ROOT, check=True
    ).stdout
    flags = set(re.findall(r"(?<![\w-])--[a-z][\w-]+", README)) - {"--strict-markers"}
    assert len(flags) > 10
    assert [flag for flag in sorted(flags) if flag not in helps] == []


def test_every_test_that_the_readme_names_exists() -> None:
    tests = "".join(path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))
    names = set(re.findall(r"`(test_\w+)`", README))
    assert len(names) > 10
    assert [name for name in sorted(names) if f"def {name}(" not in tests] == []


def test_the_public_names_are_those_that_are_documented() -> None:
    assert all(hasattr(loadgen.api, name) for name in loadgen.api.__all__)
    functions = ("build_plan", "run", "sweep", "search", "simulated", "read_run", "report", "compare", "gate")
    assert set(functions) == {name for name in loadgen.api.__all__ if inspect.isroutine(getattr(loadgen.api, name))}
    for name in functions:
        assert f"`{name}(" in (loadgen.api.__doc__ or "")
