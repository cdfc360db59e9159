"""What may go out, decided at moments that the tests name: limits and breakers without a clock."""

import time
from collections import Counter
from collections.abc import Sequence

import hypothesis.strategies as st
import pytest
from hypothesis import given

from workflows.engine.limits import NO_LIMITS, Limits
from workflows.models import Gate, Slot
from workflows.storage import gates, gatesweep, passage, sql
from workflows.storage.work import EFFECT_MARGIN_SECONDS

pytestmark = pytest.mark.django_db(transaction=True)

SPACE, FLOW, DOWN = 7, 3, "https://down.example"
TIME_OUT = 60.0


def due(number: int, limits: Limits = NO_LIMITS) -> passage.Due:
    gate = gates.node_gate(FLOW, "call") if limits else ""
    return passage.Due(FLOW, number, gate, limits, SPACE, DOWN, TIME_OUT)


def sort(effects: Sequence[passage.Due], now: float) -> passage.Sorted:
    with sql.write():
        return passage.sort(effects, now)


def opened() -> float:
    """Open the breaker; when it may be tried for the first time."""
    gates.open_breaker(SPACE, DOWN, "Nobody answered.")
    return Gate.objects.get().retry_at


def test_a_slot_lasts_as_long_as_the_lease_of_its_effect() -> None:
    sort([due(1, Limits(at_once=1))], 1_000.0)
    assert Slot.objects.get().until == 1_000.0 + TIME_OUT + EFFECT_MARGIN_SECONDS


def test_while_one_effect_tries_a_destination_no_other_one_does() -> None:
    start = opened()
    assert sort([due(1), due(2)], start - 0.1).probes == set()
    assert sort([due(1), due(2)], start).probes == {(FLOW, 1)}
    moment = start
    while moment < start + TIME_OUT + EFFECT_MARGIN_SECONDS:
        found = sort([due(2), due(3)], moment)
        assert found.passed == []
        assert {later.moment - moment <= passage.PROBE_SECONDS for _, later in found.later} == {
            True
        }
        moment = found.later[0][1].moment
    # The one that tried it never came back: its process died.
    assert sort([due(2), due(3)], moment).probes == {(FLOW, 2)}


def test_after_a_failed_try_the_next_one_follows_when_the_longer_pause_is_over() -> None:
    start = opened()
    sort([due(1)], start)
    gates.keep_open(SPACE, DOWN, "Nobody answered.")
    gate = Gate.objects.get()
    assert gate.pause_seconds == 2 * gates.FIRST_PAUSE
    assert sort([due(2)], gate.retry_at - 0.1).passed == []
    assert sort([due(2), due(3)], gate.retry_at).probes == {(FLOW, 2)}


def test_after_a_good_try_everything_goes() -> None:
    sort([due(1)], opened())
    gates.close_breaker(SPACE, DOWN)
    found = sort([due(2), due(3)], time.time())
    assert ([one.number for one in found.passed], found.probes) == ([2, 3], set())


def test_processes_that_find_out_together_open_a_breaker_once() -> None:
    start = opened()
    sort([due(1)], start)
    for _ in range(3):
        gates.open_breaker(SPACE, DOWN, "Nobody answered.")
    gate = Gate.objects.get()
    assert (gate.retry_at, gate.pause_seconds) == (start, gates.FIRST_PAUSE)
    assert sort([due(2)], start).passed == []


def test_an_effect_that_is_taken_again_has_no_slot_of_its_own_in_its_way() -> None:
    limited = Limits(at_once=1)
    sort([due(1, limited)], 1_000.0)
    assert sort([due(2, limited)], 1_001.0).passed == []
    assert sort([due(1, limited)], 1_001.0).slotted == {(FLOW, 1)}
    assert Slot.objects.count() == 1


PER_SECOND, BURST = 50.0, 26  # one, and what half a second saved up


def test_a_rate_is_kept_in_every_span_of_time_and_used() -> None:
    left = {number: 1_000.0 for number in range(100)}
    passed: list[float] = []
    while left:
        now = min(left.values())
        ready = [due(n, Limits(per_second=PER_SECOND)) for n in left if left[n] <= now]
        found = sort(ready[:40], now)
        for one in found.passed:
            del left[one.number]
            passed.append(now)
        left.update({one.number: later.moment for one, later in found.later})
    for i, start in enumerate(passed):
        for n, end in enumerate(passed[i:], 1):
            assert n <= BURST + PER_SECOND * (end - start) + 1e-6
    assert passed[-1] - passed[0] <= (100 - BURST) / PER_SECOND + 0.1


KEYS, AT_ONCE = ("ada", "bob", "eve"), 2
ACTS = st.one_of(
    st.tuples(st.just("take"), st.lists(st.sampled_from(KEYS), min_size=1, max_size=6)),
    st.tuples(st.just("answer"), st.integers(0, 20)),
    st.tuples(st.just("die"), st.just(None)),
    st.tuples(st.just("sweep"), st.just(None)),
    st.tuples(st.just("wait"), st.sampled_from([1.0, TIME_OUT - 1.0, TIME_OUT])),
)


class Keyed:
    """What should be true of calls that are limited by key, whoever makes them."""

    def __init__(self) -> None:
        Slot.objects.all().delete()
        Gate.objects.all().delete()
        self.now = time.time()
        self.until: dict[int, tuple[str, float]] = {}  # calls under way: key, end at the latest
        self.orphans: dict[int, tuple[str, float]] = {}  # calls whose process died
        self._numbers = 0

    def take(self, keys: Sequence[str]) -> int:
        """How many of these may go."""
        limits = Limits(at_once=AT_ONCE, per="key")
        effects = []
        for key in keys:
            self._numbers += 1
            gate = gates.key_gate(FLOW, "call", key)
            effects.append(passage.Due(FLOW, self._numbers, gate, limits, SPACE, DOWN, TIME_OUT))
        found = sort(effects, self.now)
        key_of = dict(zip((one.number for one in effects), keys, strict=True))
        for one in found.passed:
            self.until[one.number] = key_of[one.number], self.now + TIME_OUT
        return len(found.passed)

    def under_way(self) -> Counter[str]:
        calls = [*self.until.values(), *self.orphans.values()]
        return Counter(key for key, until in calls if until > self.now)

    def act(self, act: str, what: object) -> None:
        if act == "take":
            assert isinstance(what, list)
            self.take(what)
        elif act == "answer" and self.until:
            assert isinstance(what, int)
            number = sorted(self.until)[what % len(self.until)]
            del self.until[number]
            gates.leave(FLOW, [number])
        elif act == "die":
            self.orphans.update(self.until)
            self.until.clear()
        elif act == "sweep":
            gatesweep.sweep()
        elif act == "wait":
            assert isinstance(what, float)
            self.now += what


@given(st.lists(ACTS, max_size=30))
def test_there_are_never_more_calls_at_once_for_a_key_and_always_as_many(
    acts: list[tuple[str, object]],
) -> None:
    world = Keyed()
    for act, what in acts:
        world.act(act, what)
        assert all(n <= AT_ONCE for n in world.under_way().values())
    world.now += TIME_OUT + EFFECT_MARGIN_SECONDS  # all leases are over
    world.until.clear()
    world.orphans.clear()
    assert world.take([*KEYS] * 3) == AT_ONCE * len(KEYS)
