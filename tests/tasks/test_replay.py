"""A replay: the same events once more, none lost, none doubled, and nothing else disturbed."""

import time

import pytest

from tests import make
from tests.servers import wait_until
from tests.sink import Sink
from tests.tasks.replaying import drain, even, flow_with, http, play, settled, taken
from workflows.models import Channel, Segment, Subscription, Trace
from workflows.storage import cursors, replaycounts, replays, runs, sql
from workflows.storage.ranges import Selection, Span
from workflows.storage.replays import Wish
from workflows.tasks import jobs
from workflows.tasks.replay import replay_slice


def test_a_run_makes_the_effects_again_under_keys_of_their_own(sink: Sink) -> None:
    flow = flow_with(sink)
    first = {call.json["id"]: call.key for call in sink.calls}
    replay = play(replays.start(flow, Wish("run")))
    sink.wait_for(10)
    wait_until(lambda: settled(flow))
    again = {call.json["id"]: call.key for call in sink.calls[5:]}
    assert set(first) == set(again)
    assert not set(first.values()) & set(again.values())
    assert (replay.state, replay.total, replay.done) == ("done", 5, 5)
    assert replaycounts.states(replay) == {"ok": 5}
    assert cursors.lag_of_flow(flow.pk) == 0
    even(flow)


def test_a_replay_ends_at_what_was_there_when_it_began(sink: Sink) -> None:
    flow = flow_with(sink, 3)
    replay = replays.start(flow, Wish("run"))
    make.append(flow, [make.event("late")])
    drain(flow)
    assert play(replay).done == 3


SELECTIONS: tuple[tuple[str, Selection, set[str]], ...] = (
    ("all", Selection(), {"a", "b", "c", "d"}),
    ("a type", Selection(type="Other"), {"d"}),
    ("a key", Selection(key="k1"), {"a", "c"}),
    ("since a moment", Selection(since=2_000.0), {"c", "d"}),
    ("until a moment", Selection(until=2_000.0), {"a", "b"}),
    ("between", Selection(since=1_500.0, until=2_500.0), {"b", "c"}),
    ("a type and a key", Selection(type="Other", key="k1"), set()),
)


@pytest.mark.parametrize(
    ("selection", "wanted"), [one[1:] for one in SELECTIONS], ids=[one[0] for one in SELECTIONS]
)
def test_what_fits_the_selection_runs_again(selection: Selection, wanted: set[str]) -> None:
    flow = make.published(make.order_document())
    bodies = [
        make.event("a", subject="k1"),
        make.event("b", subject="k2"),
        make.event("c", subject="k1"),
        {**make.event("d", subject="k2"), "type": "Other"},
    ]
    for at, body in zip((1_000.0, 1_500.0, 2_000.0, 2_500.0), bodies, strict=True):
        (place,) = make.append(flow, [body])
        sql.execute(
            "UPDATE workflows_event SET accepted_at = %s WHERE channel_id = %s"
            ' AND "partition" = %s AND "offset" = %s',
            (at, *place[:3]),
        )
    drain(flow)
    ready = replays.prepare(flow, Wish("run", selection))
    assert ready.total == len(wanted)
    if not wanted and not ready.spans:
        return
    replay = play(replays.start(flow, Wish("run", selection)))
    run = runs.number("run", replay.pk)
    assert set(Trace.objects.filter(run=run).values_list("event_id", flat=True)) == wanted
    assert replay.done == len(wanted)


def test_places_and_ranges_choose_offsets() -> None:
    flow = make.published(make.order_document())
    places = make.append(flow, [make.event(str(i), subject="k") for i in range(10)])
    drain(flow)
    partition = places[0].partition
    some = Selection(places=((partition, 2), (partition, 7)))
    assert taken(play(replays.start(flow, Wish("run", some)))) == [(partition, 2), (partition, 7)]
    some = Selection(ranges=(Span(partition, 3, 6),))
    replay = play(replays.start(flow, Wish("run", some)))
    assert taken(replay) == [(partition, 3), (partition, 4), (partition, 5)]


def test_events_of_one_key_run_in_their_order(sink: Sink) -> None:
    flow = make.published(make.order_document())
    make.append(flow, [make.event(str(i), subject=f"k{i % 3}") for i in range(500)])
    drain(flow)
    replay = play(replays.start(flow, Wish("run")))
    run = runs.number("run", replay.pk)
    for partition in range(8):
        rows = Trace.objects.filter(run=run, partition=partition).order_by("number")
        offsets = list(rows.values_list("offset", flat=True))
        assert offsets == sorted(offsets)
    assert replay.done == 500


def test_a_channel_that_the_flow_does_not_read_is_filled_in(sink: Sink) -> None:
    source = make.published(make.order_document("source"))
    make.append(source, [make.event(f"e{i}") for i in range(4)])
    target = make.published(make.order_document("target", consumer=http(sink)))
    play(replays.start(target, Wish("run", channel="source.in")))
    sink.wait_for(4)
    wait_until(lambda: settled(target))
    assert sorted(sink.ids()) == ["e0", "e1", "e2", "e3"]
    reading = Subscription.objects.get(flow=target, channel__slug="source.in")
    assert (reading.state, reading.node) == ("closed", "in")
    assert cursors.lag_of_flow(target.pk) == 0
    make.append(source, [make.event("later")])
    jobs.sweep()
    assert cursors.lag_of_flow(target.pk) == 0  # it doesn't go on reading
    even(target)


def test_what_is_still_to_be_replayed_is_kept_by_retention() -> None:
    from workflows.storage import retention

    flow = make.published(make.order_document())
    places = make.append(flow, [make.event(f"e{i}", subject="k") for i in range(5)])
    drain(flow)
    replay = replays.start(flow, Wish("run"))
    sql.execute("UPDATE workflows_event SET accepted_at = 1")
    assert retention.prune() == 0
    play(replay)
    assert retention.prune() == len(places)
    assert not Trace.objects.exists()


def test_an_event_published_again_is_a_new_event() -> None:
    body = make.document(
        "first",
        [("in", "producer.http", {}), ("out", "consumer.channel", {"channel": "shared"})],
        ["in:out out"],
    )
    flow = make.published(body)
    make.append(flow, [make.event("a")])
    drain(flow)
    shared = Channel.objects.get(slug="shared")

    def published() -> int:
        return int(
            sql.fetch("SELECT SUM(head) FROM workflows_head WHERE channel_id = %s", (shared.pk,))[
                0
            ][0]
        )

    play(replays.start(flow, Wish("skip_done")))
    assert published() == 1  # it was done
    play(replays.start(flow, Wish("run")))
    assert published() == 2
    even(flow)


def test_what_is_done_is_not_done_again(sink: Sink) -> None:
    sink.answer = lambda call: (400 if call.json["id"] == "e1" else 200, {}, b"")
    flow = flow_with(sink, 3)
    assert sorted(sink.ids()) == ["e0", "e1", "e2"]
    sink.answer = lambda call: (200, {}, b"")
    key = next(call.key for call in sink.calls if call.json["id"] == "e1")
    replay = play(replays.start(flow, Wish("skip_done")))
    sink.wait_for(4)
    wait_until(lambda: settled(flow))
    assert sink.ids()[3:] == ["e1"]
    assert sink.calls[3].key == key
    assert replaycounts.states(replay) == {"ok": 3}
    second = play(replays.start(flow, Wish("skip_done")))  # now it is done, too
    wait_until(lambda: settled(flow))
    assert len(sink.calls) == 4
    assert replaycounts.states(second) == {"ok": 3}
    even(flow)


def test_what_was_asked_on_the_way_is_answered_as_before(sink: Sink) -> None:
    sink.answer = lambda call: (200, {}, b'{"name": "Ada"}')
    body = make.document(
        "enriched",
        [
            ("in", "producer.http", {}),
            ("who", "consumer.http", {"url": f"{sink.url}/who"}),
            http(sink, body="data"),
        ],
        ["in:out who", "who:response call"],
    )
    flow = make.published(body)
    make.append(flow, [make.event("a")])
    drain(flow)
    sink.wait_for(2)
    wait_until(lambda: settled(flow))
    sink.answer = lambda call: (200, {}, b'{"name": "Bob"}')
    replay = play(replays.start(flow, Wish("skip_done")))
    wait_until(lambda: settled(flow))
    assert len(sink.calls) == 2
    run = runs.number("skip_done", replay.pk)
    steps = b"".join(bytes(one.steps) for one in Segment.objects.filter(run=run))
    assert b"Ada" in steps and b"Bob" not in steps


def test_a_version_that_cannot_run_fails_the_replay() -> None:
    flow = make.published(make.order_document())
    make.append(flow, [make.event("a")])
    drain(flow)
    replay = replays.start(flow, Wish("run"))
    assert flow.published is not None
    document = {**flow.published.document, "nodes": [{"id": "in", "type": "producer.gone"}]}
    type(flow.published).objects.update(document=document)
    from workflows.storage.plans import load_plan

    load_plan.cache_clear()
    replay_slice(replay.pk)
    load_plan.cache_clear()
    replay.refresh_from_db()
    assert replay.state == "failed"
    assert "can't run" in replay.error
    assert time.time() - float(replay.ended_at or 0) < 60


REFUSALS: tuple[tuple[Wish, str], ...] = (
    (Wish("run", node="nowhere"), "node"),
    (Wish("run", channel="nowhere"), "channel"),
    (Wish("run", Selection(type="Nothing"), channel="orders.in"), ""),
    (Wish("run", Selection(ranges=(Span(99, 0, 5),))), "selection"),
)


@pytest.mark.parametrize(("wish", "field"), REFUSALS)
def test_what_cannot_be_meant_is_refused(wish: Wish, field: str) -> None:
    flow = make.published(make.order_document())
    make.append(flow, [make.event("a")])
    if not field:
        assert replays.prepare(flow, wish).total == 0
        return
    with pytest.raises(replays.Refused) as refused:
        replays.start(flow, wish)
    assert refused.value.field == field
