"""The road as a state machine: whatever happens in whatever order, it does what a tiny model does.

Appends, drains, calls and their answers, held work and redrives run against the real database, each
of them may die between any two statements, and leases may be taken over. Only the calls themselves
are played: their answers come when, and as, hypothesis wants.
"""

import itertools
import json
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import hypothesis.strategies as st
import pytest
from django.db import connection
from hypothesis import settings
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from tests import make
from tests.accounting import assert_balanced
from workflows.engine.effects import Reply
from workflows.models import (
    Alarm,
    Cursor,
    DeadLetter,
    Effect,
    Flow,
    Gate,
    Held,
    NodeState,
    Redrive,
    Trace,
)
from workflows.storage import cursors, publishing
from workflows.storage.parked import BEHIND
from workflows.storage.parts import Fenced
from workflows.storage.plans import load_plan
from workflows.tasks import calls, choice, drain, due, owner, process, settle
from workflows.tasks.ahead import Group
from workflows.tasks.audit import audit
from workflows.tasks.inhand import InFlight, Room

pytestmark = pytest.mark.django_db(transaction=True)

KEYS = ("a", "b")
ANSWERS = {
    "ok": Reply(ok=True, status=200),
    "busy": Reply(ok=True, status=429),
    "refused": Reply(ok=True, status=400),
    "timeout": Reply(ok=False, error="timeout", message="no answer"),
}
_slugs = itertools.count()


def dies(most: int) -> st.SearchStrategy[int | None]:
    """After how many statements to die; mostly not at all."""
    return st.one_of(st.none(), st.none(), st.none(), st.integers(0, most))


class Died(Exception):
    """The process died here."""


@contextmanager
def dying_after(statements: int | None) -> Iterator[None]:
    """Die instead of running the next statement after so many."""
    left = statements

    def count(execute: Any, *words: Any) -> Any:
        nonlocal left
        if left is not None:
            if left == 0:
                raise Died
            left -= 1
        return execute(*words)

    with connection.execute_wrapper(count):
        yield


class Hand:
    """In the performer's place: it keeps what it is to do until the machine wants it done. What is
    called before a commit gets the answers that the machine has set, None being none."""

    def __init__(self, note_answer: Callable[[InFlight, str], None]) -> None:
        self.room = Room()
        self.flights: list[InFlight] = []
        self.early: Iterator[str | None] = itertools.repeat(None)
        self._note_answer = note_answer

    def call_ahead(self, flights: Mapping[int, InFlight]) -> Group:
        group = Group(flights)
        group.leave_out([])
        for (place, flight), answer in zip(flights.items(), self.early, strict=False):
            if answer is not None:
                self._note_answer(flight, answer)
                group.keep(place, ANSWERS[answer])
        return group

    def park(self, group: Group, rows: Mapping[int, int], answered: Collection[int]) -> None:
        left = group.park(rows, answered)
        self.room.leave([flight.where for flight in left.over])
        self.begin([flight for flight, _ in left.replied])  # it may be settled later, or never
        self.begin([row for one in group.unanswered() if (row := group.by_row(one)) is not None])

    def begin(self, flights: list[InFlight]) -> None:
        self.flights += flights

    def look(self) -> None:
        """The machine looks when it wants."""


class Road(RuleBasedStateMachine):
    """One flow, ordered by key: a filter, a delay, a call; and a branch that counts and logs. Or
    one without order, delay and memory, whose calls are made before the commit."""

    events = Bundle("events")

    def __init__(self) -> None:
        super().__init__()
        self.accepted: dict[str, tuple[str, bool]] = {}  # id -> key, whether it passes
        self.ended: set[str] = set()  # ids whose call is over, delivered or dead
        self.taken: set[str] = set()  # ids that the destination took
        self.processes = itertools.count()

    @initialize(acts=st.booleans())
    def publish_the_flow(self, acts: bool) -> None:
        self.acts = acts
        retry = {"attempts": 3, "first_seconds": 1.0}
        nodes: list[make.Node] = [
            ("in", "producer.http", {"key": "event.data.key"}),
            ("big", "filter.condition", {"condition": "event.data.amount > 100"}),
            ("wait", "filter.delay", {"seconds": 60}),
            ("call", "consumer.http", {"url": "https://example.org/", "retry": retry}),
            ("count", "filter.counter", {"key": "event.data.key"}),
            ("seen", "consumer.log", {}),
        ]
        wires = ["in:out big", "big:match wait", "wait:out call", "in:out count", "count:out seen"]
        if acts:
            wires[1:] = ["big:match call", "in:out seen"]
            nodes = [node for node in nodes if node[0] not in ("wait", "count")]
        self.body = {
            **make.document(f"road-{next(_slugs)}", nodes, wires),
            "settings": {"ordering": "none" if acts else "key"},
        }
        self.flow: Flow = make.published(self.body)
        self.become_another_process()
        for key in KEYS:
            self.append(key, [True, False, True, True], None)

    # --- what may happen
    @rule(
        target=events,
        key=st.sampled_from(KEYS),
        passes=st.lists(st.booleans(), min_size=1, max_size=4),
        dies=dies(12),
    )
    def append(self, key: str, passes: list[bool], dies: int | None) -> list[dict[str, Any]]:
        first = len(self.accepted)
        bodies = [
            make.event(f"{key}-{first + i}", data={"key": key, "amount": 150 if good else 50})
            for i, good in enumerate(passes)
        ]
        if self.alive(dies, lambda: make.append(self.flow, bodies)):
            for body, good in zip(bodies, passes, strict=True):
                self.accepted[str(body["id"])] = (key, good)
            return bodies
        return []

    @rule(bodies=events)
    def append_again(self, bodies: list[dict[str, Any]]) -> None:
        if bodies:
            assert not any(not place.duplicate for place in make.append(self.flow, bodies))

    @rule(
        dies=dies(40),
        answers=st.lists(st.sampled_from([None, *sorted(ANSWERS)]), min_size=1, max_size=4),
    )
    def drain(self, dies: int | None, answers: Sequence[str | None] = (None,)) -> None:
        self.hand.early = itertools.cycle(answers)
        for subscription in self.flow.subscription_set.all():
            self.alive(dies, lambda s=subscription: drain.drain_slice(s.pk))

    @rule(dies=dies(40))
    def let_held_work_go(self, dies: int | None) -> None:
        Held.objects.filter(flow=self.flow, due_at__lt=BEHIND).update(due_at=0)
        self.alive(dies, due.release_due)

    @rule(limit=st.integers(1, 5), dies=dies(12))
    def take_effects(self, limit: int, dies: int | None) -> None:
        Effect.objects.filter(flow=self.flow, owner="", due_at__lt=BEHIND).update(due_at=0)

        def take() -> None:
            flights, _ = due.take(limit, [])
            self.hand.begin(flights)

        self.alive(dies, take)

    @rule(
        pick=st.integers(0, 11),
        answer=st.sampled_from(sorted(ANSWERS)),
        dies=dies(40),
    )
    def answer(self, pick: int, answer: str, dies: int | None) -> None:
        if not self.hand.flights:
            self.work(3)
        mine = [one for one in self.hand.flights if one.flow_id == self.flow.pk]
        if not mine:
            return
        # What is drawn must not depend on how far a slice of time came: hypothesis would call it
        # inconsistent on a busy machine.
        flight = mine[pick % len(mine)]
        self.hand.flights.remove(flight)
        event_id = flight.arrival.event.id
        self.check_turn(flight)
        self.note_answer(flight, answer)
        if self.alive(dies, lambda: settle.settle([(flight, ANSWERS[answer])])):
            self.note_ended(event_id)

    @rule(limit=st.integers(1, 5))
    def work(self, limit: int) -> None:
        """Everything up to the calls, as it goes when nothing is in the way."""
        self.drain(None)
        self.let_held_work_go(None)
        self.take_effects(limit, None)

    @rule()
    def become_another_process(self) -> None:
        """The old one died with all that it had in hand; its leases run out."""
        name = f"process-{next(self.processes)}"
        owner._name = lambda pid: name  # type: ignore[assignment]
        self.hand = Hand(self.note_answer)
        process._performer = self.hand  # type: ignore[assignment]
        self.let_leases_run_out()

    @rule()
    def let_leases_run_out(self) -> None:
        """Also of a process that is only slow: what it has in hand is somebody else's now."""
        Cursor.objects.filter(subscription__flow=self.flow).update(lease_until=0)
        for table in (Effect, Held):
            table.objects.filter(flow=self.flow).exclude(owner="").update(due_at=0)

    @rule(is_leased=st.booleans())
    def read_with_a_lost_lease(self, is_leased: bool) -> None:
        """A drain that was stopped past its lease changes nothing when it goes on."""
        subscription = self.flow.subscription_set.get()
        seen = cursors.unread(subscription.pk, owner.owner())
        if seen is not None and is_leased:
            partitions = [part.partition for part in seen.parts]
            cursors.lease(subscription.pk, partitions, owner.owner(), 10.0)
            seen = cursors.unread(subscription.pk, owner.owner())
            Cursor.objects.filter(subscription=subscription).update(lease_until=0)
        self.become_another_process()
        drain.drain_slice(subscription.pk)
        before = Trace.objects.filter(flow=self.flow).count()
        if seen is not None:
            with pytest.raises(Fenced):
                chosen = choice.Take(choice.shares(seen.parts, choice.BATCH))
                drain.take(seen.reader, load_plan(seen.reader.version_id), chosen)
        assert Trace.objects.filter(flow=self.flow).count() == before

    @rule()
    def publish_again(self) -> None:
        publishing.publish(self.flow, self.body)
        self.flow.refresh_from_db()

    @rule()
    def redrive_everything(self) -> None:
        letters = DeadLetter.objects.filter(flow=self.flow, state="open")
        if ids := list(letters.values_list("pk", flat=True)[:20]):
            make.redrive(*ids)

    # --- what must hold
    def alive(self, dies: int | None, act: Any) -> bool:
        """Do it, and die on the way if told so; whether it was done."""
        try:
            with dying_after(dies):
                act()
        except Died:
            self.become_another_process()
            return False
        return True

    def check_turn(self, flight: InFlight) -> None:
        """A call that is nobody else's by now comes when all before it of its key are over."""
        event_id, run = flight.arrival.event.id, flight.ref.run
        row = Effect.objects.filter(flow=self.flow, number=flight.number).first()
        if (
            self.acts
            or run
            or row is None
            or (row.owner, row.attempt) != (owner.owner(), flight.attempt)
        ):
            return
        key = self.accepted[event_id][0]
        before = [i for i, (k, good) in self.accepted.items() if k == key and good]
        waiting = [i for i in before[: before.index(event_id)] if i not in self.ended]
        assert waiting == [], f"{event_id} was called before {waiting}"

    def note_answer(self, flight: InFlight, answer: str) -> None:
        if answer == "ok":
            self.taken.add(flight.arrival.event.id)

    def note_ended(self, event_id: str) -> None:
        trace = Trace.objects.get(flow=self.flow, event_id=event_id, run=0)
        if trace.open == 0:
            self.ended.add(event_id)

    @invariant()
    def nothing_is_invented(self) -> None:
        traced = Trace.objects.filter(flow=self.flow, run=0).values_list("event_id", flat=True)
        assert set(traced) <= set(self.accepted)
        assert len(traced) == len(set(traced))

    def teardown(self) -> None:
        """With everything well again, all comes to its end, and the books balance."""
        try:
            self.become_another_process()
            Gate.objects.all().delete()
            for _ in range(200):
                if self.is_over():
                    break
                self.step_well()
            assert self.is_over(), "it goes on for ever"
            self.check_the_end()
        finally:
            process._performer = None

    def step_well(self) -> None:
        for subscription in self.flow.subscription_set.all():
            drain.drain_slice(subscription.pk)
        Held.objects.filter(flow=self.flow, due_at__lt=BEHIND).update(due_at=0)
        due.release_due()
        Effect.objects.filter(flow=self.flow, owner="", due_at__lt=BEHIND).update(due_at=0)
        flights, _ = due.take(50, [])
        for flight in [*self.hand.flights, *flights]:
            self.check_turn(flight)
            self.taken.add(flight.arrival.event.id)
            settle.settle([(flight, ANSWERS["ok"])])
            self.note_ended(flight.arrival.event.id)
        self.hand.flights.clear()

    def is_over(self) -> bool:
        return (
            cursors.lag_of_flow(self.flow.pk) == 0
            and not Trace.objects.filter(flow=self.flow, state="running").exists()
        )

    def check_the_end(self) -> None:
        live = {trace.event_id: trace for trace in Trace.objects.filter(flow=self.flow, run=0)}
        assert set(live) == set(self.accepted), "every event has its trace"
        dead = set(DeadLetter.objects.filter(flow=self.flow).values_list("event_id", flat=True))
        for event_id, (_, passes) in self.accepted.items():
            trace = live[event_id]
            # The branch that logs, and the one that calls if the event passes: one end each.
            assert trace.delivered + trace.dead == 1 + passes, event_id
            if passes:
                assert event_id in self.taken | dead, f"{event_id} was lost"
        if not self.acts:
            counts = Counter(key for key, _ in self.accepted.values())
            kept = NodeState.objects.filter(flow=self.flow, node="count")
            remembered = [json.loads(bytes(row.value))["n"] for row in kept]
            assert sorted(remembered) == sorted(counts.values()), "each event was counted once"
        assert not Effect.objects.filter(flow=self.flow).exists()
        assert not Held.objects.filter(flow=self.flow).exists()
        if not Redrive.objects.exists():
            assert_balanced(self.flow)
        audit()
        assert not Alarm.objects.filter(flow=self.flow).exists()


@pytest.fixture(autouse=True)
def _own_process(valkey: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(choice, "WORTH_AHEAD", 2)  # the machine's backlogs are short
    monkeypatch.setattr(calls, "PATIENCE_SECONDS", 0.0)
    name = owner._name
    yield
    owner._name = name
    process.stop(0.0)


def test_whatever_happens_nothing_is_lost_invented_or_out_of_turn() -> None:
    run_state_machine_as_test(Road, settings=settings(stateful_step_count=50))
