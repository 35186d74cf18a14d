import pytest

from loadgen.errors import UsageError
from loadgen.system.cpu_affinity import CpuAffinity, automatic, parse_affinity


@pytest.mark.parametrize(
    ("text", "cores"),
    [
        ("scheduler=0", {"scheduler": (0,)}),
        ("scheduler=0,collector=0,senders=1-3", {"scheduler": (0,), "collector": (0,), "senders": (1, 2, 3)}),
        ("senders=0+2", {"senders": (0, 2)}),
        (" senders=3 , collector=0-1", {"senders": (3,), "collector": (0, 1)}),
    ],
)
def test_roles_are_given_the_cores_that_are_named(text: str, cores: dict[str, tuple[int, ...]]) -> None:
    assert parse_affinity(text, range(4), 2) == CpuAffinity(cores)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("senders=4", "core 4"),
        ("senders=0-9", "core 4"),
        ("sender=1", "ROLE=CORES"),
        ("senders", "ROLE=CORES"),
        ("senders=x", "numbers"),
        ("senders=3-1", "range"),
        ("senders=", "numbers"),
        ("", "ROLE=CORES"),
    ],
)
def test_a_core_or_role_that_is_not_there_is_bad_usage(text: str, names: str) -> None:
    with pytest.raises(UsageError, match=names) as caught:
        parse_affinity(text, range(4), 2)
    assert "--pin" in str(caught.value)


@pytest.mark.parametrize(
    ("usable", "senders", "cores"),
    [
        ([3], 2, {}),
        ([0, 1], 1, {"scheduler": (0,), "collector": (0,), "senders": (1,)}),
        ([0, 1], 2, {"scheduler": (0,), "collector": (0,), "senders": (1,)}),
        ([2, 3, 5, 7], 2, {"scheduler": (2,), "collector": (2,), "senders": (7, 5)}),
    ],
)
def test_auto_keeps_senders_off_the_core_of_the_others(
    usable: list[int], senders: int, cores: dict[str, tuple[int, ...]]
) -> None:
    assert automatic(usable, senders) == CpuAffinity(cores)


def test_senders_take_their_cores_in_turn() -> None:
    pins = CpuAffinity({"senders": (1, 2), "collector": (0, 3)})
    assert [pins.of("senders", k) for k in range(3)] == [[1], [2], [1]]
    assert pins.of("collector") == [0, 3]
    assert pins.of("scheduler") == []
    assert pins.all() == [0, 1, 2, 3]
