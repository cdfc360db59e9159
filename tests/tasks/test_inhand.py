"""How much a worker process takes into its hand, and how much of it is called at once."""

import threading

import pytest

from tests import make
from tests.servers import wait_until
from tests.sink import Answer, Call, Sink
from workflows.engine.effects import HttpRequest, Reply
from workflows.engine.event import Event
from workflows.engine.walk import Arrival
from workflows.models import Flow, Subscription
from workflows.storage.parts import TraceRef
from workflows.tasks import process
from workflows.tasks.ahead import Group
from workflows.tasks.drain import drain_slice
from workflows.tasks.inhand import (
    AHEAD_LIMIT,
    HAND,
    LIMIT,
    NODE_HAND,
    NODE_LIMIT,
    InFlight,
    Room,
    Turns,
)

A, B, C = (1, "a"), (1, "b"), (2, "a")


def _flights(where: tuple[int, str], count: int) -> list[InFlight]:
    event = Event(id="e", source="/s", type="T", time="2026-01-01T00:00:00Z", accepted_at=0.0)
    return [
        InFlight(
            flow_id=where[0],
            number=number,
            version_id=1,
            ref=TraceRef(1, 0, number),
            channel_id=1,
            origin=event,
            lane=None,
            arrival=Arrival(0, where[1], event),
            effect=HttpRequest(method="GET", url="http://example.com/"),
            key=str(number),
            attempt=1,
            begun=0.0,
            since=0.0,
        )
        for number in range(count)
    ]


@pytest.mark.parametrize(
    ("took_ms", "fits"),
    [(None, NODE_LIMIT), (2.0, NODE_HAND), (500.0, NODE_LIMIT)],
    ids=["unknown", "quick", "slow"],
)
def test_more_than_can_be_called_is_taken_only_for_who_answers_quickly(
    took_ms: float | None, fits: int
) -> None:
    room = Room()
    if took_ms is not None:
        room.note(A, took_ms)
    assert sum(room.admit([A] * 1_000)) == fits


def test_all_together_never_take_more_than_the_hand_holds() -> None:
    room = Room()
    for where in (A, B, C):
        room.note(where, 1.0)
    assert sum(sum(room.admit([where] * 1_000)) for where in (A, B, C)) == HAND
    assert room.reserve() == (0, [A, B])
    room.leave([A] * NODE_HAND + [B] * (HAND - NODE_HAND))
    assert room.used() == 0


def test_one_node_that_fills_the_hand_leaves_the_others_their_calls() -> None:
    room = Room()
    room.note(A, 1.0)
    room.admit([A] * NODE_HAND)
    assert room.reserve() == (LIMIT - NODE_LIMIT, [A])


def test_what_is_looked_for_is_no_more_than_could_be_called() -> None:
    room = Room()
    places, busy = room.reserve()
    assert (places, busy) == (NODE_LIMIT, [])
    room.assign(places, [A] * NODE_LIMIT)
    assert room.reserve() == (LIMIT - NODE_LIMIT, [A])


def test_calls_of_one_node_begin_in_the_order_in_which_they_came() -> None:
    turns = Turns()
    turns.add(_flights(A, NODE_LIMIT + 10))
    called = turns.next(0.0)[0]
    assert [flight.number for flight in called] == list(range(NODE_LIMIT))
    assert turns.next(0.0)[0] == []
    turns.end([A] * 3)
    assert [flight.number for flight in turns.next(0.0)[0]] == [
        NODE_LIMIT,
        NODE_LIMIT + 1,
        NODE_LIMIT + 2,
    ]


def test_no_more_are_called_than_a_death_may_repeat_and_each_node_has_its_share() -> None:
    turns = Turns()
    for where in (A, B, C):
        turns.add(_flights(where, 100))
    called = [flight.where for flight in turns.next(0.0)[0]]
    assert len(called) == LIMIT
    assert min(called.count(where) for where in (A, B, C)) >= LIMIT // 3
    turns.end(called)
    assert len(turns.next(0.0)[0]) == LIMIT


def test_those_that_were_dropped_are_never_called() -> None:
    turns = Turns()
    turns.add(_flights(A, NODE_LIMIT + 5))
    turns.next(0.0)[0]
    assert len(turns.drop()) == 5
    turns.end([A] * NODE_LIMIT)
    assert turns.next(0.0)[0] == []


def test_who_has_waited_too_long_is_not_called_and_takes_no_place() -> None:
    turns = Turns()
    turns.add(_flights(A, NODE_LIMIT + 5))
    turns.next(0.0)
    too_late = _flights(A, 1)[0].start_before + 0.1
    due, late = turns.next(too_late)
    assert (due, [flight.number for flight in late]) == (
        [],
        list(range(NODE_LIMIT, NODE_LIMIT + 5)),
    )
    assert not turns.is_waiting


def _flow(slug: str, sink: Sink) -> Flow:
    call = ("call", "consumer.http", {"url": f"{sink.url}/{slug}", "timeout_seconds": 20})
    return make.published(make.order_document(slug, consumer=call))


def _send(flow: Flow, count: int, prefix: str) -> None:
    make.append(flow, [make.event(f"{prefix}{i}", 150) for i in range(count)])
    while drain_slice(Subscription.objects.get(flow=flow).pk):
        pass


def test_a_destination_that_gets_stuck_keeps_no_other_from_being_called(sink: Sink) -> None:
    go_on = threading.Event()
    is_stuck = threading.Event()

    def answer(call: Call) -> Answer:
        if call.path == "/stuck" and is_stuck.is_set():
            go_on.wait(20)
        return (200, {}, b"")

    sink.answer = answer
    stuck, other = _flow("stuck", sink), _flow("other", sink)
    _send(stuck, 1, "quick")
    sink.wait_for(1)
    wait_until(lambda: process.performer().room.used() == 0)  # it is known to be quick
    is_stuck.set()
    _send(stuck, 300, "s")
    _send(other, 30, "o")
    try:
        wait_until(lambda: sum(call.path == "/other" for call in sink.calls) == 30)
    finally:
        go_on.set()


@pytest.mark.parametrize(
    ("under_way", "wanted", "now", "called"),
    [
        ([], 100, 0.0, AHEAD_LIMIT),  # some places are left for others
        ([A] * 30, 100, 0.0, AHEAD_LIMIT - 30),
        ([B] * NODE_LIMIT, 100, 0.0, LIMIT - NODE_LIMIT),
        ([], 10, 0.0, 10),
        ([], 10, 100.0, 0),  # the lease may be over
    ],
)
def test_before_a_commit_no_more_are_called_than_may_be_repeated(
    under_way: list[tuple[int, str]], wanted: int, now: float, called: int
) -> None:
    turns = Turns()
    for where in sorted(set(under_way)):
        turns.add(_flights(where, under_way.count(where)))
    turns.next(0.0)
    claimed, others = turns.claim(_flights(A, wanted), now)
    assert (len(claimed), len(others)) == (called, wanted - called)
    assert not turns.is_waiting
    turns.end([flight.where for flight in claimed])
    assert len(turns.claim(_flights(A, wanted), 0.0)[0]) >= called


def test_after_its_commit_each_of_a_group_has_its_way() -> None:
    """Six: answered and committed, answered too late, not answered, not called; and of the last
    two nothing was committed."""
    group = Group(dict(enumerate(_flights(A, 6))))
    group.leave_out([group.flights[3], group.flights[5]])
    good = Reply(ok=True, status=200)
    for place in (0, 1, 4):
        group.keep(place, good)
    assert set(group.wait(0.0)) == {0, 1, 4}
    assert [flight.number for flight in group.unanswered()] == [2]
    left = group.park({1: 71, 2: 72, 3: 73}, {0})
    assert [flight.number for flight in left.over] == [0, 4]
    assert [flight.number for flight in left.dropped] == [5]
    assert [flight.number for flight in left.uncalled] == [73]
    assert [(flight.number, reply) for flight, reply in left.replied] == [(71, good)]
    assert [group.by_row(group.flights[place]) for place in (0, 5)] == [None, None]
    late = group.by_row(group.flights[2])
    assert late is not None and late.number == 72


def test_who_waits_for_a_group_goes_on_with_its_last_answer() -> None:
    group = Group(dict(enumerate(_flights(A, 2))))
    group.leave_out([])
    assert group.wait(0.0) == {}
    group.keep(1, Reply(ok=True, status=200))
    answering = threading.Timer(0.0, group.keep, (0, Reply(ok=True, status=200)))
    answering.start()
    assert len(group.wait(30.0)) == 2
    answering.join()


@pytest.mark.parametrize(
    ("took", "in_hand", "ahead"),
    [
        ({}, 0, AHEAD_LIMIT),  # nothing bad is known
        ({A: 3.0}, 20, AHEAD_LIMIT - 20),
        ({A: 3.0, (1, "b"): 80.0}, 0, -1),  # one node of the flow is slow
        ({A: 3.0, C: 80.0}, 0, AHEAD_LIMIT),  # another flow's is
    ],
)
def test_a_flow_may_call_before_the_commit_unless_it_has_let_somebody_wait(
    took: dict[tuple[int, str], float], in_hand: int, ahead: int
) -> None:
    room = Room()
    for where, ms in took.items():
        room.note(where, ms)
    room.admit([A] * in_hand)
    assert room.ahead(1) == ahead
