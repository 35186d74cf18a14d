"""What the server offers: which path serves a task, which model it has, and which task that model is for.

Asked once before the plan is made: `/openapi.json` for the paths, `/v1/models` (then `/v1/model_info`) for the model
and its task. A flag that was given is never overruled, and a server that answers none of them is no failure.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import orjson

from loadgen.backends import BACKENDS, find_backend
from loadgen.errors import UsageError
from loadgen.options import AUTO, DEFAULT_TASK, TASK_SPELLINGS, BenchOptions, DataOptions, TargetOptions
from loadgen.server.http_get import get
from loadgen.server.target import resolve
from loadgen.server.url import parse_base_url

GetJson = Callable[[str], Any]  # the JSON at a path of the server; None where there is none

# The first whose path the server has; without /openapi.json the very first.
_BACKENDS: Final[Mapping[str, Sequence[str]]] = {
    "t2i": ("openai", "vllm-omni"),
    "i2i": ("v1/images/edits", "vllm-omni"),
    "t2v": ("v1/videos", "v1/videos/sync"),
}
_FAMILY: Final = {"ti2i": "i2i", "it2i": "i2i", "i2v": "t2v", "ti2v": "t2v", "v2v": "t2v"}
_DEFAULT_MODEL: Final = "default"
_SHOWN_MODELS: Final = 8

# What a model's name says of its task, where the server does not say it; the first that matches.
_TASK_BY_NAME: Final = (
    (re.compile(r"\bti2v\b", re.IGNORECASE), "ti2v"),
    (re.compile(r"\bi2v\b|image.?to.?video|\bsvd\b", re.IGNORECASE), "i2v"),
    (re.compile(r"\bv2v\b", re.IGNORECASE), "v2v"),
    (re.compile(r"\bt2v\b|text.?to.?video|video|\bwan|ltx|mochi", re.IGNORECASE), "t2v"),
    (re.compile(r"edit|kontext|\bi2i\b|image.?to.?image|pix2pix", re.IGNORECASE), "i2i"),
    (re.compile(r"image|flux|diffusion|\bsd[ -]?[x\d]|\bt2i\b|pixart|sana|lumina", re.IGNORECASE), "t2i"),
)


@dataclass(frozen=True, slots=True)
class Discovery:
    """What a run asks of the server, and where each part was found ("" where a flag or a default said it)."""

    backend: str
    path: str
    model: str
    task: str
    path_from: str = ""
    model_from: str = ""
    task_from: str = ""

    def line(self) -> str:
        """All of it in one line."""
        parts = (
            (f"POST {self.path} (backend {self.backend}", self.path_from),
            (f"model {self.model}", self.model_from),
            (f"task {self.task}", self.task_from),
        )
        first, *rest = parts
        shown = [f"{first[0]}{', ' if first[1] else ''}{first[1]})"]
        return ", ".join(shown + [f"{text} ({source})" if source else text for text, source in rest])


def discover(options: BenchOptions) -> BenchOptions:
    """Ask the first server of `options`, and fill in what they leave open; what was found is `target.discovery`.

    Raises UsageError where the server has several models.
    """
    if options.target.backend != AUTO and None not in (options.target.model, options.data.task):
        return fill_in(options, lambda _: None)
    target = resolve(options.target)

    def ask(path: str) -> Any:
        answer = get(target, path)
        try:
            return orjson.loads(answer.body) if answer.status == 200 else None
        except orjson.JSONDecodeError:
            return None

    return fill_in(options, ask)


def fill_in(options: BenchOptions, get_json: GetJson = lambda _: None) -> BenchOptions:
    """Fill in what `--backend auto`, no `--model` and no `--task` leave open, from the server's answers or defaults."""
    data, target, found = _discovered(options.data, options.target, get_json)
    return replace(options, data=data, target=replace(target, discovery=target.discovery or found.line()))


def with_defaults(data: DataOptions, target: TargetOptions) -> tuple[DataOptions, TargetOptions]:
    """Fill in the same from defaults alone."""
    return _discovered(data, target, lambda _: None)[:2]


def server_paths(document: Any) -> list[str]:
    """The paths that an OpenAPI document has a POST for; none where it is no such document."""
    paths = document.get("paths") if isinstance(document, dict) else None
    return [path for path, methods in paths.items() if "post" in methods] if isinstance(paths, dict) else []


def _discovered(data: DataOptions, target: TargetOptions, get: GetJson) -> tuple[DataOptions, TargetOptions, Discovery]:
    models = _models(get) if target.model is None or data.task is None else []
    task, task_from = _task(data.task, target.model, models)
    model, model_from = _model(target.model, models, get)
    backend, path, path_from = _backend(target, task, get)
    found = Discovery(backend, path, model, task, path_from, model_from, task_from)
    return replace(data, task=task), replace(target, backend=backend, model=model), found


def _models(get: GetJson) -> list[Mapping[str, Any]]:
    answer = get("/v1/models")
    listed = answer.get("data") if isinstance(answer, dict) else None
    return [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []


def _model(given: str | None, models: Sequence[Mapping[str, Any]], get: GetJson) -> tuple[str, str]:
    if given is not None:
        return given, ""
    names = list(dict.fromkeys(name for one in models if isinstance(name := one.get("id"), str) and name))
    if len(names) > 1:
        shown = ", ".join(names[:_SHOWN_MODELS]) + (", ..." if len(names) > _SHOWN_MODELS else "")
        raise UsageError(f"--model: the server has {len(names)} models: {shown}; name one of them")
    if names:
        return names[0], "the only one in /v1/models"
    about = get("/v1/model_info")
    path = about.get("model_path") if isinstance(about, dict) else None
    return (path, "from /v1/model_info") if isinstance(path, str) and path else (_DEFAULT_MODEL, "")


def _task(given: str | None, model: str | None, models: Sequence[Mapping[str, Any]]) -> tuple[str, str]:
    if given is not None:
        return given, ""
    chosen = [one for one in models if model in (None, one.get("id"))]
    for one in chosen:
        supported = one.get("supported_task_types")
        for text in (one.get("task_type"), *(supported if isinstance(supported, list) else ())):
            if isinstance(text, str) and (task := TASK_SPELLINGS.get(text.lower().replace("_", "-"))):
                return task, "from /v1/models"
    names = [model] if model is not None else [one.get("id") for one in chosen[:1]]
    for name in filter(None, names):
        for pattern, task in _TASK_BY_NAME:
            if pattern.search(str(name).rpartition("/")[2]):
                return task, "by the model's name; --task says otherwise"
    return DEFAULT_TASK, ""


def _backend(target: TargetOptions, task: str, get: GetJson) -> tuple[str, str, str]:
    """Name, path, and where the path was confirmed."""
    if target.backend != AUTO:
        endpoint = target.endpoint or parse_base_url(target.base_url).endpoint
        return target.backend, endpoint or find_backend(target.backend).path, ""
    names = _BACKENDS[_FAMILY.get(task, task)]
    if not target.auto_edits and _FAMILY.get(task, task) == "i2i":
        names = names[1:]
    endpoint = target.endpoint or parse_base_url(target.base_url).endpoint
    if endpoint is not None:
        return next((one for one in (*names, *BACKENDS) if _serves(one, endpoint)), names[0]), endpoint, ""
    document = get("/openapi.json")
    paths = document.get("paths") if isinstance(document, dict) else None
    if not isinstance(paths, dict) or not paths:
        return names[0], find_backend(names[0]).path, "the server has no /openapi.json to confirm it"
    for name in names:
        path = find_backend(name).path
        if any(str(each).rstrip("/").endswith(path.rstrip("/")) for each in paths):
            return name, path, "in /openapi.json"
    return names[0], find_backend(names[0]).path, f"/openapi.json has no path for {task}"


def _serves(name: str, endpoint: str) -> bool:
    path = endpoint.partition("?")[0].rstrip("/")
    return path.endswith(find_backend(name).path.removeprefix("/v1").rstrip("/"))
