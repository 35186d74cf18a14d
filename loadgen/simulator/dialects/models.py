"""What a server says of itself: health, its models, its paths."""

from http import HTTPStatus
from typing import Any

import orjson
from aiohttp import web

from loadgen.simulator.engine.engine import Engine
from loadgen.simulator.engine.profile import Profile


def add_routes(router: web.UrlDispatcher, engine: Engine, profile: Profile) -> None:
    """Add /health and /v1/models, and what else the profile has: /v1/model_info, /openapi.json."""
    models = {"object": "list", "data": [profile.model_entry(engine.options)]}
    _add(router, "/health", profile.health)
    _add(router, "/v1/models", models)
    if profile.model_info:
        _add(router, "/v1/model_info", {"model_path": engine.options.model})


def list_paths(router: web.UrlDispatcher) -> None:
    """Add /openapi.json, with the paths of `router` and their methods."""
    paths: dict[str, Any] = {}
    for route in router.routes():
        if route.resource is not None and route.method != "HEAD":
            paths.setdefault(route.resource.canonical, {})[route.method.lower()] = {}
    _add(
        router, "/openapi.json", {"openapi": "3.1.0", "info": {"title": "FastAPI", "version": "0.1.0"}, "paths": paths}
    )


@web.middleware
async def unknown_paths(request: web.Request, handler: Any) -> web.StreamResponse:
    """Answer 404 and 405 of the router as FastAPI does."""
    try:
        response: web.StreamResponse = await handler(request)
    except web.HTTPException as refused:
        if refused.status not in (HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED):
            raise
        headers = {"Allow": refused.headers["Allow"]} if "Allow" in refused.headers else {}
        body = orjson.dumps({"detail": HTTPStatus(refused.status).phrase})
        return web.Response(status=refused.status, body=body, content_type="application/json", headers=headers)
    return response


def _add(router: web.UrlDispatcher, path: str, content: object) -> None:
    body = orjson.dumps(content)

    async def handle(_: web.Request) -> web.Response:
        return web.Response(body=body, content_type="application/json")

    router.add_get(path, handle)
