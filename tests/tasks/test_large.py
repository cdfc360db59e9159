"""Events that become too much together are taken in parts; those too large by themselves fail."""

import pytest

from tests import make
from tests.accounting import assert_balanced
from tests.tasks.due import fire_all
from tests.tasks.replaying import drain, play
from workflows.engine import sizes
from workflows.models import DeadLetter, Flow, Held, Trace
from workflows.storage import replays
from workflows.storage.replays import Wish

IDS = [f"e{i}" for i in range(12)]


def _flow(*, delay: bool = False) -> Flow:
    text = 'event.data.list.map(i, "x" + event.data.text)'
    nodes: list[make.Node] = [
        ("in", "producer.http", {}),
        ("more", "filter.transform", {"set": {"data.all": text}}),
        ("end", "consumer.log", {}),
    ]
    if delay:
        nodes.insert(1, ("wait", "filter.delay", {"seconds": 60}))
        return make.published(
            make.document("large", nodes, ["in:out wait", "wait:out more", "more:out end"])
        )
    return make.published(make.document("large", nodes, ["in:out more", "more:out end"]))


def _append(flow: Flow, ids: list[str], text: str = "x" * 1_000) -> None:
    data = {"list": list(range(10)), "text": text}
    make.append(flow, [make.event(one, data=data, partitionkey="one") for one in ids])


@pytest.fixture
def _little_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sizes, "MOST_OF_RUN", 30_000)


@pytest.mark.usefixtures("_little_room")
@pytest.mark.parametrize("delay", [False, True])
def test_what_is_too_much_together_is_taken_in_parts(delay: bool) -> None:
    flow = _flow(delay=delay)
    _append(flow, IDS)
    drain(flow)
    Held.objects.update(due_at=0)
    fire_all()
    assert dict(Trace.objects.values_list("event_id", "state")) == dict.fromkeys(IDS, "ok")
    assert_balanced(flow)


@pytest.mark.usefixtures("_little_room")
def test_a_replay_of_what_is_too_much_together_goes_in_parts() -> None:
    flow = _flow()
    _append(flow, IDS)
    drain(flow)
    replay = play(replays.start(flow, Wish("run")))
    assert (replay.state, replay.done) == ("done", len(IDS))
    assert_balanced(flow)


def test_an_event_that_becomes_too_large_is_a_dead_letter_and_the_others_go_on() -> None:
    flow = _flow()
    _append(flow, ["big"], "x" * 200_000)
    _append(flow, ["small"])
    drain(flow)
    assert dict(Trace.objects.values_list("event_id", "state")) == {"big": "failed", "small": "ok"}
    letter = DeadLetter.objects.get()
    assert letter.failure["kind"] == "limit"
    assert "at most" in letter.failure["message"]
    assert_balanced(flow)
