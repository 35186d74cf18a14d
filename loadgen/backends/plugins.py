"""Endpoints of others: installed packages offer them by entry points of the group `loadgen.backends`.

In the pyproject.toml of such a package, for a module that has what `Endpoint` lists (and `JobEndpoint`, to have jobs):
    [project.entry-points."loadgen.backends"]
    mine = "my_package.my_endpoint"
"""

from importlib.metadata import EntryPoint, entry_points
from typing import Any, Final

from loadgen.errors import UsageError

GROUP: Final = "loadgen.backends"
_PARTS: Final = (
    *("name", "path", "tasks", "needs_authorization", "takes_n", "headers"),
    *("asked_size", "encode", "read", "media"),
)
_JOB_PARTS: Final = ("read_job", "poll", "content", "delete")  # all of them or none


def names() -> tuple[str, ...]:
    """Return what is installed, without loading it."""
    return tuple(sorted(entry_points(group=GROUP).names))


def load(name: str) -> Any | None:
    """Import the endpoint that some package installs as `name`; None where there is none.

    Raises UsageError for one that cannot be imported or lacks a part.
    """
    for entry in entry_points(group=GROUP, name=name):
        found = _import(entry)
        parts = _PARTS + (_JOB_PARTS if any(hasattr(found, part) for part in _JOB_PARTS) else ())
        if missing := [part for part in parts if not hasattr(found, part)]:
            raise UsageError(f"--backend {name}: {entry.value} has no {', '.join(missing)}; add it, or choose another")
        return found
    return None


def _import(entry: EntryPoint) -> Any:
    try:
        return entry.load()
    except Exception as fault:
        raise UsageError(
            f"--backend {entry.name}: cannot import {entry.value} ({type(fault).__name__}: {fault});"
            " mend or uninstall the package that names it"
        ) from fault
