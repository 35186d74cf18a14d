"""The processes of a run over time: memory and descriptors of each, and whether they grow."""

from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from scripts.benching.process_usage import parse_memory, parse_stat, program, repeated

PERIOD_S = 1.0
SETTLED = 0.25  # of the looks: what grows in the beginning are pools and caches
LEAST_LOOKS = 8
MB_MORE, SHARE_MORE, DESCRIPTORS_MORE = 4.0, 0.1, 8  # what a process may have more at the end than when it had settled
CONNECTIONS_MORE = (
    500  # a sender's: kept ones come and go with the load; one that leaked for each fault makes thousands
)
MB_A_RECORD = (
    40e-6  # the collector keeps three stage durations (8 bytes each) of every answer, and grows arrays by an 8th
)


@dataclass(frozen=True, slots=True)
class Look:
    """PSS in MB and the number of open descriptors of one process at one time."""

    pss_mb: float
    descriptors: int


Looks = dict[str, list[Look]]


@contextmanager
def watched(parent: int) -> Iterator[Looks]:
    """Look at the children of `parent`, and at itself, once a second, into what is given: looks by name and id."""
    looks: Looks = defaultdict(list)
    with repeated(lambda: take_look(parent, looks), PERIOD_S):
        yield looks


def take_look(parent: int, looks: Looks) -> None:
    """Take one look at each process; one that has just ended is left out."""
    for path in Path("/proc").glob("[0-9]*"):
        with suppress(OSError, ValueError, KeyError):
            if parent in (int(path.name), parse_stat((path / "stat").read_text()).parent):
                name = program((path / "cmdline").read_text()).rpartition(".")[2]
                pss_mb, _ = parse_memory((path / "smaps_rollup").read_text())
                looks[f"{name} {path.name}"].append(Look(pss_mb, len(list((path / "fd").iterdir()))))


@dataclass(frozen=True, slots=True)
class Growth:
    """Medians of the first tenth of the looks once it had settled, and of the last tenth."""

    name: str
    before: Look
    after: Look

    def excess(self, records: int) -> str | None:
        """Say what has grown by more than it may, `records` having been kept in the meantime; None: nothing."""
        kept_mb = MB_A_RECORD * records if self.name.startswith("collect ") else 0.0
        allowed_mb = MB_MORE + SHARE_MORE * self.before.pss_mb + kept_mb
        if self.after.pss_mb - self.before.pss_mb > allowed_mb:
            return f"{self.name}: {self.before.pss_mb:.1f} MB became {self.after.pss_mb:.1f} MB"
        allowed = CONNECTIONS_MORE if self.name.startswith("sender_process ") else DESCRIPTORS_MORE
        if self.after.descriptors - self.before.descriptors > allowed:
            return f"{self.name}: {self.before.descriptors} descriptors became {self.after.descriptors}"
        return None


def growths(looks: Looks) -> list[Growth]:
    """Compare the beginning and the end of each process that lived long enough."""
    found = []
    for name, seen in looks.items():
        settled = seen[int(len(seen) * SETTLED) :]
        if len(settled) >= LEAST_LOOKS:
            part = max(len(settled) // 10, 2)
            found.append(Growth(name, _middle(settled[:part]), _middle(settled[-part:])))
    return found


def _middle(seen: list[Look]) -> Look:
    return Look(median(each.pss_mb for each in seen), round(median(each.descriptors for each in seen)))
