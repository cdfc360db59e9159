"""A channel that blocks also holds the flows that publish to it: nothing is lost, none is stuck."""

from itertools import pairwise

from tests import make
from tests.accounting import assert_balanced
from tests.api.client import program
from tests.sending import send
from tests.tasks.due import drain, fire_all
from tests.tasks.replaying import play
from workflows.models import Channel, Event, Flow, Held, Replay, Subscription, Trace
from workflows.storage import channels, cursors, flows, replays
from workflows.tasks.jobs import sweep
from workflows.tasks.replay import replay_slice

END: make.Node = ("end", "consumer.log", {})


def _channel(slug: str, limit: int, policy: str = "block") -> None:
    channels.create(make.workspace().pk, slug, partitions=1)
    Channel.objects.filter(slug=slug).update(lag_limit=limit, lag_policy=policy)
    channels.forget()


def _pass_on(slug: str, source: str, target: str, *middle: make.Node) -> Flow:
    """A flow that reads one channel and publishes to another."""
    nodes = [
        ("in", "producer.channel", {"channel": source}),
        *middle,
        ("out", "consumer.channel", {"channel": target}),
    ]
    wires = [f"{one[0]}:out {two[0]}" for one, two in pairwise(nodes)]
    return make.published(make.document(slug, nodes, wires))


def _reader(slug: str, source: str) -> Flow:
    nodes = [("in", "producer.channel", {"channel": source}), END]
    return make.published(make.document(slug, nodes, ["in:out end"]))


def _flow_before_full(limit: int, *middle: make.Node) -> tuple[Flow, Flow]:
    """A flow from the channel "first" to "full", which takes so many, and who reads that."""
    _channel("first", 1_000)
    _channel("full", limit)
    return _pass_on("orders", "first", "full", *middle), _reader("slow", "full")


def _send(channel: str, events: int) -> None:
    send(channel, [make.event(str(n)) for n in range(events)])


def _in(slug: str) -> list[str]:
    found = Event.objects.filter(channel__slug=slug).order_by("partition", "offset")
    return [event_id.split("/")[0] for event_id in found.values_list("event_id", flat=True)]


def test_a_flow_takes_no_more_than_a_full_channel_has_room_for() -> None:
    flow, slow = _flow_before_full(10)
    _send("first", 25)
    drain(flow)
    assert _in("full") == [str(n) for n in range(10)]
    assert cursors.lag_of_flow(flow.pk) == 15
    drain(flow)
    assert len(_in("full")) == 10
    for _ in range(3):
        drain(slow)
        drain(flow)
    assert _in("full") == [str(n) for n in range(25)]
    assert cursors.lag_of_flow(flow.pk) == 0
    assert_balanced(flow)


def test_the_sweep_asks_again_and_leaves_no_lease_behind() -> None:
    flow, slow = _flow_before_full(2)
    _send("first", 5)
    drain(flow)
    (mine,) = Subscription.objects.filter(flow=flow)
    assert mine.pk in cursors.lagging()
    drain(slow)
    sweep()
    drain(flow)
    assert len(_in("full")) == 4


def test_backlog_and_search_say_which_channel_is_full() -> None:
    flow, slow = _flow_before_full(1)
    send("first", [make.event("a"), make.event("b")])
    drain(flow)
    api = program()
    (reader,) = api.expect(200, "GET", "flows/orders/backlog")["readers"]
    assert (reader["lag"], reader["waits_for"]) == (1, "full")
    (event,) = api.expect(200, "GET", "where?id=b")["events"]
    assert event["places"][1]["says"].endswith("The flow waits until channel full has room.")
    drain(slow)
    (reader,) = api.expect(200, "GET", "flows/orders/backlog")["readers"]
    assert reader["waits_for"] is None


def test_a_channel_that_expires_or_that_nobody_reads_stops_no_flow() -> None:
    _channel("first", 1_000)
    _channel("full", 1, policy="expire")
    _channel("unread", 1)
    for target in ("full", "unread"):
        flow = _pass_on(target, "first", target)
        if target == "full":
            flows.set_paused(_reader("slow", "full"), True)
        send("first", [make.event(f"{target}{n}") for n in range(5)])
        drain(flow)
        assert cursors.lag_of_flow(flow.pk) == 0
        flows.set_paused(flow, True)


def test_what_was_taken_before_the_channel_was_full_is_finished() -> None:
    flow, _ = _flow_before_full(2, ("wait", "filter.delay", {"seconds": 0.01}))
    _send("first", 4)
    drain(flow)
    Held.objects.update(due_at=0.0)
    send("full", [make.event("x"), make.event("y")])
    send("first", [make.event("late")])
    drain(flow)
    fire_all()
    assert Trace.objects.filter(flow=flow, state="ok").count() == len(_in("full")) - 2
    assert "late" not in _in("full")


def test_only_the_branch_that_leads_to_the_full_channel_waits() -> None:
    _channel("full", 1)
    flows.set_paused(_reader("slow", "full"), True)
    send("full", [make.event("x")])
    nodes: list[make.Node] = [
        ("a", "producer.http", {}),
        ("b", "producer.http", {}),
        ("out", "consumer.channel", {"channel": "full"}),
        END,
    ]
    flow = make.published(make.document("orders", nodes, ["a:out out", "b:out end"]))
    make.append(flow, [make.event("1")], "a")
    make.append(flow, [make.event("2")], "b")
    drain(flow)
    assert Trace.objects.values_list("event_id", flat=True).get() == "2"


def test_a_flow_that_feeds_its_own_channel_does_not_wait_for_itself() -> None:
    _channel("round", 3)
    flow = _pass_on("round", "round", "round")
    _send("round", 5)
    for _ in range(40):
        drain(flow)
    assert cursors.lag_of_flow(flow.pk) == 0
    assert len(_in("round")) == 5 * 33  # until each chain was cut off as a loop


def test_flows_that_feed_each_other_do_not_wait_for_each_other() -> None:
    _channel("left", 3)
    _channel("right", 3)
    there, back = _pass_on("there", "left", "right"), _pass_on("back", "right", "left")
    send("left", [make.event(f"l{n}") for n in range(5)])
    send("right", [make.event(f"r{n}") for n in range(5)])
    for _ in range(40):
        drain(there)
        drain(back)
    assert cursors.lag_of_flow(there.pk) + cursors.lag_of_flow(back.pk) == 0


def test_a_ring_is_guarded_where_events_come_into_it() -> None:
    _channel("first", 1_000)
    _channel("round", 3)
    outside = _pass_on("outside", "first", "round")
    flows.set_paused(_pass_on("round", "round", "round"), True)
    _send("first", 10)
    drain(outside)
    assert len(_in("round")) == 3


def test_a_replay_waits_for_the_channel_too() -> None:
    flow, slow = _flow_before_full(4)
    _send("first", 3)
    drain(flow)
    drain(slow)
    send("full", [make.event("x"), make.event("y"), make.event("z")])
    flows.set_paused(slow, True)
    replay = replays.start(flow, replays.Wish("run"))
    for _ in range(20):
        Replay.objects.update(due_at=0, moved_at=0)
        replay_slice(replay.pk)
    replay.refresh_from_db()
    assert (replay.done, replay.ended_at) == (1, None)
    flows.set_paused(slow, False)
    drain(slow)
    assert play(replay).done == 3
