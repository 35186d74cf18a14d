"""A headless Chromium that a test looks at a page with, over its debugging protocol."""

import asyncio
import base64
import itertools
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--hide-scrollbars"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage"),
)
PATIENCE_S = 60.0


def chromium() -> str:
    """Path of the browser; without one the test is skipped, in CI it fails."""
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        reason = "there is no chromium here: apt-get install chromium"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    return path


class Tab:
    """One page: what it asked the network for, and what it complained of, is kept."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._numbers = itertools.count(1)
        self._waiting: dict[int | str, asyncio.Future[dict[str, Any]]] = {}
        self.asked: list[str] = []
        self.complaints: list[str] = []

    async def read(self) -> None:
        """Take what the browser says until it says no more."""
        async for message in self._socket:
            said = message.json()
            key = said.get("id", said.get("method"))
            self._note(said.get("method", ""), said.get("params", {}))
            if key in self._waiting:
                self._waiting.pop(key).set_result(said)

    def _note(self, method: str, params: Mapping[str, Any]) -> None:
        if method == "Network.requestWillBeSent":
            self.asked.append(params["request"]["url"][:200])
        elif method == "Log.entryAdded":
            self.complaints.append(f"{params['entry']['level']}: {params['entry']['text']}")
        elif method == "Runtime.consoleAPICalled":
            self.complaints.append(f"{params['type']}: {params['args']}")
        elif method == "Runtime.exceptionThrown":
            self.complaints.append(str(params["exceptionDetails"]))

    async def said(self, key: int | str) -> dict[str, Any]:
        """Wait for the answer of that number, or the event of that name."""
        self._waiting[key] = asyncio.get_running_loop().create_future()
        return await asyncio.wait_for(self._waiting[key], PATIENCE_S)

    async def call(self, method: str, **params: Any) -> dict[str, Any]:
        number = next(self._numbers)
        answer = asyncio.ensure_future(self.said(number))
        await asyncio.sleep(0)  # so that it waits before there can be an answer
        await self._socket.send_json({"id": number, "method": method, "params": params})
        said = await answer
        assert "error" not in said, said
        result: dict[str, Any] = said["result"]
        return result

    async def open(self, path: Path, *, width: int = 1280, dark: bool = False) -> None:
        """Load a file at a width of so many CSS pixels, and wait until it is drawn."""
        await self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=False
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        await self.call("Emulation.setEmulatedMedia", features=[scheme])
        loaded = asyncio.ensure_future(self.said("Page.loadEventFired"))
        await self.call("Page.navigate", url=path.as_uri())
        await loaded

    async def evaluate(self, expression: str) -> Any:
        """The value of a JavaScript expression, JSON as it comes."""
        found = await self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    async def screenshot(self, path: Path) -> None:
        """Keep a picture of the whole page, for a person to look at."""
        shot = await self.call("Page.captureScreenshot", captureBeyondViewport=True, format="png")
        path.write_bytes(base64.b64decode(shot["data"]))

    async def print(self) -> bytes:
        """The page on A4, as PDF."""
        printed = await self.call("Page.printToPDF", paperWidth=8.27, paperHeight=11.69, printBackground=False)
        return base64.b64decode(printed["data"])


@asynccontextmanager
async def tab() -> AsyncIterator[Tab]:
    """Start a browser with a profile of its own, and end it."""
    with tempfile.TemporaryDirectory(prefix="chromium-", ignore_cleanup_errors=True) as profile:
        process = await asyncio.create_subprocess_exec(
            *(chromium(), *FLAGS, f"--user-data-dir={profile}", "--remote-debugging-port=0", "about:blank"),
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
        try:
            async with aiohttp.ClientSession() as session:
                address = await _address(session, Path(profile))
                async with session.ws_connect(address, max_msg_size=0) as socket:
                    opened = Tab(socket)
                    reading = asyncio.ensure_future(opened.read())
                    for domain in ("Page", "Runtime", "Log", "Network"):
                        await opened.call(f"{domain}.enable")
                    yield opened
                    reading.cancel()
        finally:
            process.kill()
            await process.wait()


async def _address(session: aiohttp.ClientSession, profile: Path) -> str:
    """Address of the one page; the browser writes its port down when it listens."""
    port = profile / "DevToolsActivePort"
    async with asyncio.timeout(PATIENCE_S):
        while not port.exists() or not port.read_text().strip():
            await asyncio.sleep(0.05)
        async with session.get(f"http://127.0.0.1:{port.read_text().split()[0]}/json/list") as answer:
            pages = [page for page in await answer.json() if page["type"] == "page"]
    return str(pages[0]["webSocketDebuggerUrl"])
