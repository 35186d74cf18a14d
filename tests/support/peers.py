"""Real peers: the dialects as FastAPI, pydantic and python-multipart read them.

None of this shares a line with our simulated server, so both would have to misread the wire formats in the same way.
"""

import base64
import hashlib
import io
import itertools
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any, Literal

import uvicorn
from fastapi import Depends, FastAPI, File, Form, Header, HTTPException, Response, UploadFile
from PIL import Image
from pydantic import BaseModel, ConfigDict, Field

from loadgen.simulator.engine.mp4 import mp4

VIDEO = mp4(64, 32, 3)
Count = Annotated[int, Field(ge=1)]


class TextPart(BaseModel):
    model_config = ConfigDict(extra="forbid")
    type: Literal["text"]
    text: str


class ImageUrl(BaseModel):
    model_config = ConfigDict(extra="forbid")
    url: str = Field(pattern="^data:image/(png|jpeg|webp);base64,")


class ImagePart(BaseModel):
    model_config = ConfigDict(extra="forbid")
    type: Literal["image_url"]
    image_url: ImageUrl


class Message(BaseModel):
    model_config = ConfigDict(extra="forbid")
    role: Literal["user"]
    content: str | list[TextPart | ImagePart]


class Fields(BaseModel):
    """What dialects share; strict, so that a number as text is refused in JSON."""

    model_config = ConfigDict(extra="allow", strict=True)
    num_inference_steps: Count | None = None
    num_frames: Count | None = None
    seed: int | None = None
    fps: Count | None = None
    negative_prompt: str | None = None
    guidance_scale: float | None = None


class ExtraBody(Fields):
    height: Count | None = None
    width: Count | None = None


class Completion(BaseModel):
    model_config = ConfigDict(extra="forbid")
    model: str
    messages: list[Message] = Field(min_length=1)
    extra_body: ExtraBody = ExtraBody()


class Generation(Fields):
    model: str
    prompt: str
    n: Count = 1
    size: str = Field("64x32", pattern=r"^\d+x\d+$")
    response_format: Literal["b64_json"]


Bearer = Annotated[str, Header(pattern="^Bearer .+")]
Text = Annotated[str, Form()]
OptionalText = Annotated[str | None, Form()]
OptionalCount = Annotated[int | None, Form(ge=1)]
OptionalInt = Annotated[int | None, Form()]
OptionalFloat = Annotated[float | None, Form()]
Seen = list[dict[str, Any]]


def picture(width: int, height: int) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (width, height), "red").save(buffer, "PNG")
    return buffer.getvalue()


def described(name: str | None, mime: str | None, data: bytes) -> list[Any]:
    """Name, type, checksum; raises where Pillow cannot read it or it is of another type."""
    assert Image.MIME[str(Image.open(io.BytesIO(data)).format)] == mime
    return [name, mime, hashlib.sha256(data).hexdigest()]


async def files(uploads: list[UploadFile]) -> list[list[Any]]:
    return [described(one.filename, one.content_type, await one.read()) for one in uploads]


def said(**fields: Any) -> dict[str, Any]:
    return {key: value for key, value in fields.items() if value is not None}


def images(n: int, size: str) -> dict[str, Any]:
    width, height = map(int, size.split("x"))
    text = base64.b64encode(picture(width, height)).decode()
    return {"created": 0, "data": [{"b64_json": text}] * n, "usage": {"peak_memory_mb": 5.0}}


def app(seen: Seen) -> FastAPI:
    """The application; it notes what it understood of each request in `seen`."""
    peer = FastAPI()
    add_images(peer, seen)
    add_videos(peer, seen)

    @peer.get("/health")
    async def health() -> dict[str, str]:
        return {}

    @peer.post("/v1/chat/completions")
    async def chat(asked: Completion) -> dict[str, Any]:
        (message,) = asked.messages
        parts = [TextPart(type="text", text=message.content)] if isinstance(message.content, str) else message.content
        urls = [part.image_url.url for part in parts if isinstance(part, ImagePart)]
        seen.append({
            "model": asked.model,
            "prompt": "".join(part.text for part in parts if isinstance(part, TextPart)),
            "files": [described(None, url[5 : url.index(";")], base64.b64decode(url.split(",")[1])) for url in urls],
            **asked.extra_body.model_dump(exclude_unset=True),
        })  # fmt: skip
        kind, data = ("video/mp4", VIDEO) if asked.extra_body.num_frames else ("image/png", picture(8, 8))
        url = f"data:{kind};base64,{base64.b64encode(data).decode()}"
        return {"choices": [{"message": {"content": [{"type": "image_url", "image_url": {"url": url}}]}}]}

    return peer


def add_images(peer: FastAPI, seen: Seen) -> None:
    @peer.post("/v1/images/generations")
    async def generations(asked: Generation, authorization: Bearer) -> dict[str, Any]:
        seen.append(asked.model_dump(exclude_unset=True))
        return images(asked.n, asked.size)

    @peer.post("/v1/images/edits")
    async def edits(
        authorization: Bearer, model: Text, prompt: Text,
        response_format: Annotated[Literal["b64_json"], Form()], image: Annotated[list[UploadFile] | None, File()] = None,
        several: Annotated[list[UploadFile] | None, File(alias="image[]")] = None,
        size: Annotated[str, Form(pattern=r"^\d+x\d+$")] = "64x32",
        num_inference_steps: OptionalCount = None, seed: OptionalInt = None, guidance_scale: OptionalFloat = None,
        negative_prompt: OptionalText = None, n: OptionalCount = None,
    ) -> dict[str, Any]:  # fmt: skip
        seen.append(said(
            model=model, prompt=prompt, size=size, response_format=response_format, files=await files(image or several or []), n=n,
            num_inference_steps=num_inference_steps, seed=seed, guidance_scale=guidance_scale,
            negative_prompt=negative_prompt,
        ))  # fmt: skip
        return images(n or 1, size)


def add_videos(peer: FastAPI, seen: Seen) -> None:
    polls: dict[str, int] = {}
    numbers = itertools.count()

    async def note(
        prompt: Text, height: OptionalCount = None, width: OptionalCount = None, num_frames: OptionalCount = None,
        num_inference_steps: OptionalCount = None, seed: OptionalInt = None, fps: OptionalCount = None,
        guidance_scale: OptionalFloat = None, negative_prompt: OptionalText = None,
        input_reference: Annotated[UploadFile | None, File()] = None, model: OptionalText = None,
        size: OptionalText = None,
    ) -> dict[str, str]:  # fmt: skip
        seen.append(said(
            model=model, size=size, prompt=prompt, height=height, width=width, num_frames=num_frames, fps=fps, seed=seed,
            num_inference_steps=num_inference_steps, guidance_scale=guidance_scale, negative_prompt=negative_prompt,
            files=await files([input_reference] if input_reference else []),
        ))  # fmt: skip
        job = f"job {next(numbers)}"
        polls[job] = 0
        return {"id": job, "status": "queued"}

    async def sync(noted: Annotated[dict[str, str], Depends(note)]) -> Response:
        return Response(VIDEO, media_type="video/mp4", headers={"X-Inference-Time-S": "0.5"})

    async def poll(job: str) -> dict[str, Any]:
        if job not in polls:
            raise HTTPException(404, "no such job")
        polls[job] += 1
        return {"id": job, "status": "completed" if polls[job] > 1 else "in_progress", "peak_memory_mb": 7.0}

    async def known() -> dict[str, list[str]]:
        return {"data": list(polls)}

    async def content(job: str) -> Response:
        return Response(VIDEO, media_type="video/mp4")

    async def delete(job: str) -> dict[str, Any]:
        del polls[job]
        return {"id": job, "deleted": True}

    peer.post("/v1/videos")(note)
    peer.post("/v1/videos/sync")(sync)
    peer.get("/v1/videos")(known)
    peer.get("/v1/videos/{job}")(poll)
    peer.get("/v1/videos/{job}/content")(content)
    peer.delete("/v1/videos/{job}")(delete)


@contextmanager
def peer() -> Iterator[tuple[str, Seen]]:
    """Run the application under uvicorn; give its base URL and what it understands."""
    seen: Seen = []
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app(seen), log_level="error", lifespan="off"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", seen
    finally:
        server.should_exit = True
        thread.join(10)
        listener.close()
