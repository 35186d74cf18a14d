"""Backend plugins: installed packages provide them as entry points of the group `loadgen.backends`.

In the pyproject.toml of such a package, for a module that implements `Backend` (and `JobBackend`, for jobs):
    [project.entry-points."loadgen.backends"]
    mine = "my_package.my_backend"
"""

from importlib.metadata import EntryPoint, entry_points
from typing import Any, Final

from loadgen.errors import UsageError

GROUP: Final = "loadgen.backends"
_ATTRIBUTES: Final = (
    *("name", "path", "tasks", "needs_authorization", "takes_n", "headers"),
    *("requested_size", "encode", "read", "media"),
)
_JOB_ATTRIBUTES: Final = ("read_job", "poll", "content", "delete")  # all of them or none


def names() -> tuple[str, ...]:
    """Return the names of installed plugins, without importing them."""
    return tuple(sorted(entry_points(group=GROUP).names))


def load(name: str) -> Any | None:
    """Import the plugin of this name; None if there is none.

    Raises UsageError if it cannot be imported or lacks an attribute.
    """
    for entry in entry_points(group=GROUP, name=name):
        module = _import(entry)
        attributes = _ATTRIBUTES + (
            _JOB_ATTRIBUTES if any(hasattr(module, attribute) for attribute in _JOB_ATTRIBUTES) else ()
        )
        if missing := [attribute for attribute in attributes if not hasattr(module, attribute)]:
            raise UsageError(f"--backend {name}: {entry.value} has no {', '.join(missing)}; add it, or choose another")
        return module
    return None


def _import(entry: EntryPoint) -> Any:
    try:
        return entry.load()
    except Exception as fault:
        raise UsageError(
            f"--backend {entry.name}: cannot import {entry.value} ({type(fault).__name__}: {fault});"
            " fix or uninstall the package that names it"
        ) from fault
