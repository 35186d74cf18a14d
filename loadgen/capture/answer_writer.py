"""The saver process: writes the bodies that senders keep, as they came. They are decoded after the run: darkroom.py.

    python -m loadgen.capture.answer_writer CHANNEL

It has what the others leave of the cores: on a busy machine files are lost before a request is late.
"""

import os
import sys
import time
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from collector.records.control_channel import Channel, Closed, Message, readable
from collector.records.resource_usage import Vitals
from loadgen.capture.ring_buffer import Ring
from loadgen.capture.write_errors import Losses

SUFFIX: Final = ".answer"
_NICE: Final = 19


class Saver:
    """Empties the rings of all senders into a folder."""

    def __init__(self, setup: dict[str, Any]) -> None:
        self._folder = Path(setup["answers"])
        self._rings = [Ring(each) for each in setup["rings"]]
        self.bell: int = setup["bell"]
        self._losses, self._vitals = Losses(), Vitals()

    def empty(self) -> None:
        """Save what there is."""
        for ring in self._rings:
            for index, body in ring.take():
                self._save(index, body)

    def finish(self, patience_s: float) -> dict[str, Any]:
        """Save what is left, for so long at most; return what was lost."""
        deadline = time.monotonic() + patience_s
        for ring in self._rings:
            for index, body in ring.take():
                if time.monotonic() < deadline:
                    self._save(index, body)
                else:
                    self._losses.add(index, f"the disk took more than {patience_s:g} s after the run")
        return {"lost": asdict(self._losses), **self._vitals.signs()}

    def _save(self, index: int, body: memoryview) -> None:
        """Write a file under a name of its own until it is whole: half of one must not look like an answer."""
        place = self._folder / f"{index:06}{SUFFIX}"
        draft = place.with_suffix(".part")
        try:
            with draft.open("wb", buffering=0) as file:
                while body:
                    body = body[os.write(file.fileno(), body) :]
            draft.rename(place)
        except OSError as error:
            self._losses.add(index, f"{self._folder.parent}: {error.strerror}")
            with suppress(OSError):
                draft.unlink()


def main(descriptor: int) -> None:
    """Live until the parent says `exit` or goes away."""
    os.nice(_NICE)
    channel = Channel.inherited(descriptor)
    saver: Saver | None = None
    with suppress(Closed):
        while True:
            ready = readable([channel.fileno(), *([saver.bell] if saver else [])])
            for message in channel.receive():
                saver = _obey(message, saver, channel)
            if saver and saver.bell in ready:
                os.read(saver.bell, 1 << 16)
                saver.empty()


def _obey(message: Message, saver: Saver | None, channel: Channel) -> Saver | None:
    if message["kind"] == "setup":
        saver = Saver(message)
        channel.send("ready")
    elif message["kind"] == "exit":
        raise Closed
    elif message["kind"] == "stop" and saver:
        channel.send("idle", **saver.finish(message["patience_s"]))
    return saver


if __name__ == "__main__":
    main(int(sys.argv[1]))
