"""What does a drain do next? One row of the tables for each situation."""

import pytest

from workflows.storage.cursors import Unread
from workflows.tasks.choice import BATCH, Lease, Soon, Take, Wait, choose

PLENTY = 1_000_000


def _part(partition: int, unread: int, leased: bool = False, attempts: int = 0) -> Unread:
    return Unread(partition, 10, 10 + unread, 1, leased, attempts)


def _mine(partition: int, unread: int, attempts: int = 0) -> Unread:
    return _part(partition, unread, leased=True, attempts=attempts)


EIGHT = [_part(n, 100 - n) for n in range(8)]
FEW = [_part(n, 80) for n in range(6)]
SHORT = [_part(0, 3), _part(5, 1)]


@pytest.mark.parametrize(
    ("situation", "parts", "room", "size", "partitions", "leaves_some"),
    [
        ("more than a batch", [_part(3, BATCH + 1)], PLENTY, BATCH, [3], False),
        ("long ones for me, the others for others", EIGHT, PLENTY, BATCH, [0, 1, 2, 3], True),
        ("the longest ones", [_part(n, 200 + n) for n in range(6)], 99, BATCH, [2, 3, 4, 5], True),
        ("few, though in many", FEW, PLENTY, 9, [0, 1, 2, 3, 4, 5], False),
        ("batches were slow lately", SHORT, PLENTY, BATCH // 4, [0, 5], False),
        ("a channel is nearly full", SHORT, 4, BATCH, [0, 5], False),
        ("a lease was in vain", [_part(0, 9), _part(1, 1, attempts=1)], 99, 99, [1], False),
        ("two were", [_part(0, 9, attempts=2), _part(1, 9, attempts=1)], 99, BATCH, [1], False),
    ],
)
def test_what_others_might_run_in_vain_is_leased_first(
    situation: str,
    parts: list[Unread],
    room: int,
    size: int,
    partitions: list[int],
    leaves_some: bool,
) -> None:
    assert choose(parts, room, size) == Lease(partitions, leaves_some), situation


@pytest.mark.parametrize(
    ("situation", "parts", "room", "size", "taken"),
    [
        ("all of a short backlog", SHORT, PLENTY, BATCH, {0: 3, 5: 1}),
        ("just a batch", [_part(0, BATCH)], PLENTY, BATCH, {0: BATCH}),
        ("only what is mine", [_mine(0, 3), _part(5, 1)], PLENTY, BATCH, {0: 3}),
        ("fair shares", [_mine(n, 400) for n in (1, 2)], PLENTY, BATCH, {1: 250, 2: 250}),
        ("what went well lately", [_mine(1, 400)], PLENTY, 31, {1: 31}),
        ("what the channels take", [_mine(1, 400), _mine(2, 1)], 10, BATCH, {1: 5, 2: 1}),
        ("fewer than partitions", [_mine(n, 9) for n in (1, 2, 3)], 2, BATCH, {1: 1, 2: 1}),
        ("mine, before others are tested", [_part(0, 1, attempts=1), _mine(1, 1)], 9, 9, {1: 1}),
    ],
)
def test_the_rest_is_taken(
    situation: str, parts: list[Unread], room: int, size: int, taken: dict[int, int]
) -> None:
    chosen = choose(parts, room, size)
    assert isinstance(chosen, Take) and not chosen.is_test, situation
    found = {part.partition: end - part.position for part, end in chosen.shares}
    assert found == taken, situation


def test_where_a_lease_was_in_vain_one_event_is_tested_alone() -> None:
    suspect = _mine(4, 90, attempts=1)
    chosen = choose([_mine(1, 5), _part(3, 9, attempts=1), suspect], PLENTY, BATCH)
    assert chosen == Take([(suspect, suspect.position + 1)], is_test=True)


@pytest.mark.parametrize("parts", [SHORT, EIGHT, [_mine(0, 1)], [_mine(0, 1, attempts=1)]])
def test_nothing_is_taken_where_a_channel_behind_the_flow_is_full(parts: list[Unread]) -> None:
    assert choose(parts, 0, BATCH) == Wait()
    assert choose(parts, -5, BATCH) == Wait()


def _acting(partition: int, unread: int, seconds: float = 9.0) -> Unread:
    return Unread(partition, 10, 10 + unread, 1, True, 0, seconds)


AHEAD = 40


@pytest.mark.parametrize(
    ("situation", "parts", "expected"),
    [
        ("a short one isn't worth a lease", SHORT, {0: 3, 5: 1}),
        ("a long one needs a lease", [_part(3, 60)], Lease([3], acting=True)),
        ("others are asked for half", FEW, Lease([0, 1, 2, 3], leaves_some=True, acting=True)),
        ("under it all it may", [_acting(3, 60), _acting(4, 60)], {3: 20, 4: 20}),
        ("a lease of another kind won't do", [_mine(3, 60)], Lease([3], acting=True)),
        ("one that ends soon won't do", [_acting(3, 60, 4.0)], Lease([3], acting=True)),
        ("a suspect is looked at first", [_part(0, 60, attempts=1)], Lease([0])),
    ],
)
def test_effects_are_made_before_the_commit_only_under_a_lease_that_says_so(
    situation: str, parts: list[Unread], expected: Lease | dict[int, int]
) -> None:
    chosen = choose(parts, PLENTY, BATCH, AHEAD)
    if isinstance(expected, Lease):
        assert chosen == expected, situation
    else:
        assert isinstance(chosen, Take), situation
        taken = {share.part.partition: share.end - share.part.position for share in chosen.shares}
        assert taken == expected, situation
        assert chosen.acts is (parts is not SHORT), situation


def test_while_other_calls_are_under_way_nothing_is_taken_for_a_moment() -> None:
    assert choose([_acting(3, 60)], PLENTY, BATCH, 0) == Soon()
    assert isinstance(choose(SHORT, PLENTY, BATCH, 0), Take), "a short backlog never waits"


def test_the_little_that_is_left_under_such_a_lease_is_taken_as_ever() -> None:
    chosen = choose([_acting(3, 5), _part(4, 60)], PLENTY, BATCH, AHEAD)
    assert isinstance(chosen, Take)
    assert not chosen.acts


def test_where_batches_went_wrong_lately_nothing_is_made_before_the_commit() -> None:
    assert choose([_part(3, 60)], PLENTY, AHEAD // 2, AHEAD) == Lease([3])
