"""Progress of a run on standard error: a live display on a terminal, otherwise a line every five seconds."""

from types import TracebackType
from typing import Protocol, Self

from rich.console import Console, ConsoleOptions, RenderResult
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.segment import Segment
from rich.text import Text

from collector.summary.result import Snapshot
from collector.text import quantity
from collector.text.printable import printable

EVERY_S = 5.0  # minimum interval of plain lines, in run time
SEPARATOR = "  "
EXAMPLE_LENGTH = 200  # characters of a server's message that are shown


class Progress(Protocol):
    """A context manager that shows snapshots of a run."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def show(self, snapshot: Snapshot) -> None:
        """Show the current state of the run."""


def progress(*, enabled: bool = True, console: Console | None = None) -> Progress:
    """Return the display: none, live, or plain lines where the console (standard error) is not a terminal."""
    console = console or Console(stderr=True)
    if not enabled:
        return NoProgress()
    return LiveDisplay(console) if console.is_terminal and not console.is_dumb_terminal else PlainLines(console)


class NoProgress:
    """Shows nothing."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Do nothing."""

    def show(self, snapshot: Snapshot) -> None:
        """Ignore the snapshot."""


class PlainLines:
    """Prints one line at most every five seconds of the run, and the last snapshot at the end."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._next_s = 0.0
        self._in_storm = False
        self._pending: Snapshot | None = None  # the latest snapshot, until it is printed

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._pending is not None:
            self._print(self._pending)

    def show(self, snapshot: Snapshot) -> None:
        """Print the snapshot if the interval has passed, else keep it for the end."""
        self._pending = snapshot
        if bool(snapshot["storm"]) != self._in_storm:
            self._in_storm = not self._in_storm
            line = storm(snapshot) or f"fewer requests fail: {snapshot['failed']:,} failed so far"
            self._console.print(Text(line), soft_wrap=True)
        if snapshot["elapsed_s"] >= self._next_s:
            self._next_s = snapshot["elapsed_s"] + EVERY_S
            self._print(snapshot)

    def _print(self, snapshot: Snapshot) -> None:
        self._pending = None
        self._console.print(Text(SEPARATOR.join(figures(snapshot))), soft_wrap=True)


class LiveDisplay:
    """Redraws a bar and a few lines in place."""

    def __init__(self, console: Console) -> None:
        # Refreshed by the caller's thread: rich's own refresh thread would compete for its core.
        self._live = Live(console=console, auto_refresh=False)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def show(self, snapshot: Snapshot) -> None:
        """Redraw with the snapshot."""
        self._live.update(_Frame(snapshot), refresh=True)


class _Frame:
    """A progress bar above the figures, wrapped to the width."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        width = options.max_width - 1  # the last column would wrap on some terminals
        yield ProgressBar(total=max(self._snapshot["planned"], 1), completed=self._snapshot["done"], width=width)
        yield Segment.line()
        for line in wrap(figures(self._snapshot), width):
            text = Text(line, no_wrap=True)
            text.truncate(width, overflow="ellipsis")
            yield text
        if line := storm(self._snapshot):
            yield from Text(line, style="bold red").wrap(console, width)


def figures(snapshot: Snapshot) -> list[str]:
    """Return the figures of a snapshot as short texts."""
    remaining_s = snapshot["remaining_s"]
    return [
        f"{snapshot['done']}/{snapshot['planned']} done",
        f"{snapshot['failed']} failed",
        f"{snapshot['in_flight']} in flight",
        f"{snapshot['sent']} sent",
        *_silent(snapshot),
        f"{quantity.rate(snapshot['achieved_rate'])} of {quantity.rate(snapshot['asked_rate'])} requested",
        f"p50 {quantity.seconds(snapshot['p50_s'])}",
        f"p99 {quantity.seconds(snapshot['p99_s'])}",
        f"{_clock(snapshot['elapsed_s'])} elapsed",
        f"{quantity.UNKNOWN if remaining_s is None else _clock(remaining_s)} remaining",
    ]


def storm(snapshot: Snapshot) -> str:
    """Say what fails while most requests do: the share, the most frequent error and one message of it; else empty."""
    found = snapshot["storm"]
    if found is None:
        return ""
    example = " ".join(printable(found["example"] or "").split())
    short = example if len(example) <= EXAMPLE_LENGTH else example[: EXAMPLE_LENGTH - 3] + "..."
    text = f"most requests fail: {found['failed']:,} of the last {found['ended']:,}, {found['error']}"
    return f"{text}: {short}" if short else text


def _silent(snapshot: Snapshot) -> list[str]:
    """Return the count and the longest wait of requests without any answer for unusually long, if any."""
    if not snapshot["unanswered"]:
        return []
    longest = f"longest {round(snapshot['unanswered_s'] or 0)} s (request {snapshot['unanswered_index']})"
    return [f"{snapshot['unanswered']} without an answer, {longest}"]


def wrap(texts: list[str], width: int) -> list[str]:
    """Wrap texts into lines of at most `width` characters without breaking a text."""
    lines: list[str] = []
    for text in texts:
        if lines and len(lines[-1]) + len(SEPARATOR) + len(text) <= width:
            lines[-1] += SEPARATOR + text
        else:
            lines.append(text)
    return lines


def _clock(seconds: float) -> str:
    minutes, second = divmod(round(seconds), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02}:{second:02}" if hours else f"{minute}:{second:02}"
