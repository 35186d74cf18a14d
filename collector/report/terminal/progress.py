"""Progress on standard error while a run goes on: a live display on a terminal, else a plain line now and then."""

from types import TracebackType
from typing import Protocol, Self

from rich.console import Console, ConsoleOptions, RenderResult
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.segment import Segment
from rich.text import Text

from collector.summary.result import Snapshot
from collector.text import quantity

EVERY_S = 5.0  # least distance of plain lines, on the run's own clock
SEPARATOR = "  "


class Progress(Protocol):
    """Shows snapshots between its beginning and its end as a context manager."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def show(self, snapshot: Snapshot) -> None:
        """Show the run as it stands."""


def progress(*, enabled: bool = True, console: Console | None = None) -> Progress:
    """Choose the display that fits: none, live, or plain lines where the console (standard error) is no terminal."""
    console = console or Console(stderr=True)
    if not enabled:
        return Silence()
    return LiveDisplay(console) if console.is_terminal and not console.is_dumb_terminal else PlainLines(console)


class Silence:
    """Shows nothing."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Leave nothing behind."""

    def show(self, snapshot: Snapshot) -> None:
        """Ignore the snapshot."""


class PlainLines:
    """Prints one line at most every five seconds of the run, and the last snapshot at the end."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._next_s = 0.0
        self._held: Snapshot | None = None  # newest snapshot, until it is printed

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._held is not None:
            self._print(self._held)

    def show(self, snapshot: Snapshot) -> None:
        """Print the snapshot if its time has come, else keep it for the end."""
        self._held = snapshot
        if snapshot["elapsed_s"] >= self._next_s:
            self._next_s = snapshot["elapsed_s"] + EVERY_S
            self._print(snapshot)

    def _print(self, snapshot: Snapshot) -> None:
        self._held = None
        self._console.print(Text(SEPARATOR.join(pieces(snapshot))), soft_wrap=True)


class LiveDisplay:
    """Redraws a bar and a few lines in place."""

    def __init__(self, console: Console) -> None:
        # Drawn when there is something new, by the caller's thread: rich's own refresh thread would take its core.
        self._live = Live(console=console, auto_refresh=False)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def show(self, snapshot: Snapshot) -> None:
        """Redraw with the snapshot."""
        self._live.update(_Picture(snapshot), refresh=True)


class _Picture:
    """A bar above the pieces, as many of these in a line as fit into the width."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        width = options.max_width - 1  # the last column would wrap on some terminals
        yield ProgressBar(total=max(self._snapshot["planned"], 1), completed=self._snapshot["done"], width=width)
        yield Segment.line()
        for line in fill(pieces(self._snapshot), width):
            text = Text(line, no_wrap=True)
            text.truncate(width, overflow="ellipsis")
            yield text


def pieces(snapshot: Snapshot) -> list[str]:
    """Name the figures of a snapshot, each short enough to stay in one line."""
    remaining_s = snapshot["remaining_s"]
    return [
        f"{snapshot['done']}/{snapshot['planned']} done",
        f"{snapshot['failed']} failed",
        f"{snapshot['in_flight']} in flight",
        *_silent(snapshot),
        f"{snapshot['sent']} sent",
        f"{quantity.rate(snapshot['achieved_rate'])} of {quantity.rate(snapshot['asked_rate'])}",
        f"p50 {quantity.seconds(snapshot['p50_s'])}",
        f"p99 {quantity.seconds(snapshot['p99_s'])}",
        f"{_clock(snapshot['elapsed_s'])} gone",
        f"{quantity.UNKNOWN if remaining_s is None else _clock(remaining_s)} left",
    ]


def _silent(snapshot: Snapshot) -> list[str]:
    """Name the requests that have had no answer for conspicuously long, if any; that of a job comes at its end."""
    if not snapshot["unanswered"]:
        return []
    oldest = f"the oldest (request {snapshot['unanswered_index']}) since {round(snapshot['unanswered_s'] or 0)} s"
    return [f"{snapshot['unanswered']} unanswered, {oldest}"]


def fill(words: list[str], width: int) -> list[str]:
    """Lay unbreakable words out in lines of at most `width` characters; a longer word has a line of its own."""
    lines: list[str] = []
    for word in words:
        if lines and len(lines[-1]) + len(SEPARATOR) + len(word) <= width:
            lines[-1] += SEPARATOR + word
        else:
            lines.append(word)
    return lines


def _clock(seconds: float) -> str:
    minutes, second = divmod(round(seconds), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02}:{second:02}" if hours else f"{minute}:{second:02}"
