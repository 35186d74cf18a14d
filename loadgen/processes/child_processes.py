"""Child processes: start, control channels, messages (their deaths included), stop."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any

from collector.records.control_channel import Channel, Closed, Message, readable
from collector.records.shared_memory import Descriptor
from loadgen.errors import ProcessError, UsageError
from loadgen.system.interrupts import Interrupts

# Variables that may hold secrets and that no child needs: the target is sent over the control channel.
_SECRET_VARIABLES = {"openai_api_key", "http_proxy", "https_proxy", "all_proxy"}  # lower case
_SOCKET_PATH_LIMIT = 100  # bytes; the address of a unix socket can have 107


# -P keeps the current folder out of the import path of the children; this is where these packages are.
_PYTHONPATH = os.pathsep.join(filter(None, [str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH")]))


class ChildProcess:
    """One child process: its name, its control channel, and its standard error."""

    def __init__(self, name: str, module: str, inherit: Sequence[int], hide: Callable[[str], str]) -> None:
        self.name, self.alive, self.released, self._hide = name, True, False, hide
        self.channel, theirs = Channel.pair()
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115  (lives as long as the child)
        with theirs:
            self.process = self._start(module, theirs, inherit)

    def _start(self, module: str, end: socket.socket, inherit: Sequence[int]) -> "subprocess.Popen[bytes]":
        return subprocess.Popen(
            [sys.executable, "-P", "-m", module, str(end.fileno())],
            env=_environment(),
            stdin=subprocess.DEVNULL,
            stdout=self._errors,
            stderr=self._errors,
            pass_fds=[end.fileno(), *inherit],
            process_group=0,  # Ctrl-C at the terminal reaches only the parent, which stops the children in order
        )

    def release(self) -> None:
        """Send `exit`; the end of the process is then no longer reported as `died`."""
        self.released = True
        self.channel.send("exit")

    def wake(self) -> None:
        """Resume the process if it was paused (SIGSTOP), since it could not exit otherwise."""
        self.process.send_signal(signal.SIGCONT)

    def exit_reason(self) -> str:
        """The exit code of the process and its last line on standard error."""
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(1)
        self._errors.seek(0)
        lines = self._errors.read().decode(errors="replace").strip().splitlines()
        ending = f"exit code {self.process.returncode}"
        return self._hide(f"{ending}: {lines[-1]}") if lines else ending


class ChildProcesses:
    """Child processes that end with this context; with `sockets`, a private 0700 folder holds their unix sockets.

    The collector removes that folder if the parent is killed, so with `sockets` it must be the first child: the folder
    is made once there is a child to remove it. `hide` removes secrets from the error output of a child. `notify` gets
    the remarks of the children, each text once.
    """

    def __init__(self, hide: Callable[[str], str] = lambda text: text, *, sockets: bool = True) -> None:
        self._hide = hide
        self.notify: Callable[[str], None] = lambda _: None
        self._remarks: set[str] = set()
        self._sockets = sockets
        self.folder: Path | None = None
        self.children: list[ChildProcess] = []
        self.watched: list[
            ChildProcess
        ] = []  # children of another ChildProcesses, which stops them; their deaths are reported here too

    def __enter__(self) -> "ChildProcesses":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with Interrupts() as interrupts:
            interrupts.arm()  # a second Ctrl-C would interrupt the cleaning up
            self._stop_all()

    def _stop_all(self) -> None:
        for child in self.children:
            child.wake()
            child.release()
            child.channel.close()
        deadline = time.monotonic() + 3
        for child in self.children:
            try:
                child.process.wait(max(deadline - time.monotonic(), 0.01))
            except subprocess.TimeoutExpired:
                child.process.kill()
                child.process.wait()
        if self.folder:
            shutil.rmtree(self.folder, ignore_errors=True)

    def start(self, name: str, module: str, **setup: Any) -> ChildProcess:
        """Start `python -m MODULE CHANNEL` and send it `setup`; it inherits every Descriptor in there.

        Raises ProcessError if the system refuses.
        """
        try:
            child = ChildProcess(name, module, list(_descriptors(setup)), self._hide)
            self.children.append(child)
            if self._sockets and self.folder is None:
                self.folder = _private_folder()
        except OSError as error:  # no process, descriptor or temporary file available
            raise ProcessError(
                f"{name} cannot be started: {error}; check ulimit -a and the free space in $TMPDIR"
            ) from None
        child.channel.send("setup", folder=str(self.folder) if self.folder else None, **setup)
        return child

    def messages(self, timeout_s: float | None, wake: Sequence[int] = ()) -> Iterator[tuple[ChildProcess, Message]]:
        """Wait for messages and yield them; a death is the message `died`. Descriptors in `wake` end the wait too."""
        living = {child.channel.fileno(): child for child in [*self.children, *self.watched] if child.alive}
        for descriptor in readable([*living, *wake], timeout_s):
            if child := living.get(descriptor):
                try:
                    for message in child.channel.receive():
                        if message["kind"] == "remark":
                            self._show(message["text"])
                        else:
                            yield child, message
                except Closed:
                    child.alive = False
                    if not child.released:
                        yield child, {"kind": "died"}

    def _show(self, remark: str) -> None:
        if remark not in self._remarks:
            self._remarks.add(remark)
            self.notify(remark)

    def wait_for(self, kind: str, children: Sequence[ChildProcess], timeout_s: float) -> dict[ChildProcess, Message]:
        """Wait until each of `children` has sent a message of this kind. Raises ProcessError on death or timeout."""
        answers: dict[ChildProcess, Message] = {}
        deadline = time.monotonic() + timeout_s
        while missing := [child for child in children if child not in answers]:
            if time.monotonic() > deadline:
                names = ", ".join(child.name for child in missing)
                raise ProcessError(
                    f"{names} did not report {kind} within {timeout_s:g} s; the machine may be overloaded, try again"
                )
            for child, message in self.messages(0.5):
                if message["kind"] == "died":
                    raise ProcessError(f"{child.name} died before the start ({child.exit_reason()})")
                if message["kind"] == kind:
                    answers[child] = message
        return answers


def _environment() -> dict[str, str]:
    """The environment of a child, without secrets."""
    kept = {name: value for name, value in os.environ.items() if name.lower() not in _SECRET_VARIABLES}
    return {**kept, "PYTHONPATH": _PYTHONPATH}


def _descriptors(value: Any) -> Iterator[int]:
    """Find every Descriptor in a message."""
    if isinstance(value, Descriptor):
        yield value.fileno()
    elif isinstance(value, Mapping):
        yield from _descriptors(list(value.values()))
    elif isinstance(value, list | tuple):
        for each in value:
            yield from _descriptors(each)


def _private_folder() -> Path:
    """Make the folder for unix sockets, in a place where their paths are short enough."""
    for parent in (None, "/tmp"):  # noqa: S108  (mkdtemp makes it 0700)
        folder = Path(tempfile.mkdtemp(prefix="loadgen-", dir=parent))
        if len(os.fsencode(folder)) < _SOCKET_PATH_LIMIT - len("/tokens-999"):
            return folder
        folder.rmdir()
    raise UsageError("TMPDIR is too long for unix sockets; set it to a shorter path, such as /tmp")
