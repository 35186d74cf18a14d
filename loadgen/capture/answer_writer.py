"""The answer writer process: writes captured bodies to files as received. media_decoder.py decodes them after the run.

    python -m loadgen.capture.answer_writer CHANNEL

It runs at the lowest priority: on a busy machine files are lost before a request is late.
"""

import os
import sys
import time
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from collector.records.control_channel import Channel, Closed, Message, readable
from collector.records.resource_usage import ResourceUsage
from loadgen.capture.ring_buffer import RingBuffer
from loadgen.capture.write_errors import WriteErrors

SUFFIX: Final = ".answer"
_NICE: Final = 19


class AnswerWriter:
    """Writes the ring buffers of all senders to a folder."""

    def __init__(self, setup: dict[str, Any]) -> None:
        self._folder = Path(setup["answers"])
        self._rings = [RingBuffer(each) for each in setup["rings"]]
        self.wakeup: int = setup["wakeup"]
        self._write_errors, self._usage = WriteErrors(), ResourceUsage()

    def empty(self) -> None:
        """Write all waiting bodies."""
        for ring in self._rings:
            for index, body in ring.take():
                self._save(index, body)

    def finish(self, time_limit_s: float) -> dict[str, Any]:
        """Write the remaining bodies for at most `time_limit_s`; return the write errors and the resource usage."""
        deadline = time.monotonic() + time_limit_s
        for ring in self._rings:
            for index, body in ring.take():
                if time.monotonic() < deadline:
                    self._save(index, body)
                else:
                    self._write_errors.add(index, f"the disk took more than {time_limit_s:g} s after the run")
        return {"lost": asdict(self._write_errors), **self._usage.figures()}

    def _save(self, index: int, body: memoryview) -> None:
        """Write to a temporary name, then rename: a partial file must not look like an answer."""
        path = self._folder / f"{index:06}{SUFFIX}"
        draft = path.with_suffix(".part")
        try:
            with draft.open("wb", buffering=0) as file:
                while body:
                    body = body[os.write(file.fileno(), body) :]
            draft.rename(path)
        except OSError as error:
            self._write_errors.add(index, f"{self._folder.parent}: {error.strerror}")
            with suppress(OSError):
                draft.unlink()


def main(descriptor: int) -> None:
    """Run until the parent sends `exit` or closes the channel."""
    os.nice(_NICE)
    channel = Channel.inherited(descriptor)
    writer: AnswerWriter | None = None
    with suppress(Closed):
        while True:
            ready = readable([channel.fileno(), *([writer.wakeup] if writer else [])])
            for message in channel.receive():
                writer = _handle(message, writer, channel)
            if writer and writer.wakeup in ready:
                os.read(writer.wakeup, 1 << 16)
                writer.empty()


def _handle(message: Message, writer: AnswerWriter | None, channel: Channel) -> AnswerWriter | None:
    if message["kind"] == "setup":
        writer = AnswerWriter(message)
        channel.send("ready")
    elif message["kind"] == "exit":
        raise Closed
    elif message["kind"] == "stop" and writer:
        channel.send("idle", **writer.finish(message["time_limit_s"]))
    return writer


if __name__ == "__main__":
    main(int(sys.argv[1]))
