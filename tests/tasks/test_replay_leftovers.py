"""What a replay leaves behind goes: its memory when it ends, and all of it when it is old."""

from tests import make
from tests.tasks.replaying import drain, play
from workflows.models import (
    Difference,
    Event,
    Flow,
    FlowVersion,
    Replay,
    ShadowHeld,
    ShadowState,
    Trace,
)
from workflows.storage import flows, replays, replaywork
from workflows.storage.replays import Wish
from workflows.tasks import jobs
from workflows.tasks.replay import _batch

LONG_AGO = 1_000.0


def _flow() -> Flow:
    nodes: list[make.Node] = [
        ("in", "producer.http", {}),
        ("once", "filter.dedupe", {"key": "event.id", "window_seconds": 60}),
        ("wait", "filter.delay", {"seconds": 100}),
        ("end", "consumer.log", {}),
    ]
    flow = make.published(
        make.document("orders", nodes, ["in:out once", "once:fresh wait", "wait:out end"])
    )
    make.append(flow, [make.event(f"e{n}") for n in range(3)])
    drain(flow)
    return flow


def test_a_shadow_run_that_fails_forgets_what_it_remembered() -> None:
    replay = replays.start(_flow(), Wish("shadow"))
    job = replaywork.lease(replay.pk, "worker")
    assert job is not None
    after = _batch(job)
    assert after is not None
    assert (ShadowState.objects.count(), ShadowHeld.objects.count()) == (3, 3)
    assert replaywork.stumble(after, "It can't go on.", for_good=True)
    assert not ShadowState.objects.exists()
    assert not ShadowHeld.objects.exists()


def test_an_old_replay_goes_when_retention_has_taken_its_traces() -> None:
    flow = make.published(make.order_document())
    make.append(flow, [make.event(f"e{n}", 101) for n in range(3)])
    drain(flow)
    draft = make.order_document()
    draft["nodes"][1]["config"] = {"condition": "event.data.amount > 500"}
    flows.save_draft(flow, draft, flow.draft.revision, None)
    old, young = (play(replays.start(flow, Wish("shadow", draft=True))) for _ in range(2))
    assert Difference.objects.filter(replay=old).count() == 3
    Replay.objects.filter(pk=old.pk).update(ended_at=LONG_AGO)
    jobs.prune()
    assert Replay.objects.count() == 2  # its traces can still be looked at
    Event.objects.update(accepted_at=LONG_AGO)
    jobs.prune()
    assert not Trace.objects.exists()
    assert list(Replay.objects.all()) == [young]
    assert set(Difference.objects.values_list("replay_id", flat=True)) == {young.pk}
    trials = FlowVersion.objects.filter(number__gte=1_000_000)
    assert list(trials) == [young.version]
    assert FlowVersion.objects.filter(pk=flow.published_id).exists()
