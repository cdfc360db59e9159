"""One dead letter: what each attempt was answered, and running it again as it was or edited."""

import orjson
import pytest

from tests import make
from tests.servers import wait_until
from tests.sink import Sink
from workflows.models import DeadLetter, Event, Flow, Segment, Subscription
from workflows.storage import deadletters, traces
from workflows.storage.parts import TraceRef
from workflows.tasks import jobs
from workflows.tasks.drain import drain_slice
from workflows.tasks.edit import Refused, edited


def called(sink: Sink) -> tuple[Flow, DeadLetter]:
    """A flow whose call was refused for good after three attempts, and the letter it left."""
    retry = {"attempts": 3, "first_seconds": 0.02, "cap_seconds": 0.02}
    consumer: make.Node = ("call", "consumer.http", {"url": f"{sink.url}/orders", "retry": retry})
    flow = make.published(make.order_document(consumer=consumer))
    make.append(flow, [make.event("a")])
    for subscription in Subscription.objects.filter(flow=flow):
        drain_slice(subscription.pk)

    def is_dead() -> bool:
        jobs.tick()
        return DeadLetter.objects.exists()

    wait_until(is_dead)
    return flow, DeadLetter.objects.get()


def test_a_letter_tells_what_each_attempt_was_answered(sink: Sink) -> None:
    answers = [(503, b"busy"), (502, b"bad gateway"), (500, b"broken")]
    sink.answer = lambda call: (
        answers[min(len(sink.calls), 2)][0],
        {},
        answers[min(len(sink.calls), 2)][1],
    )
    _, letter = called(sink)
    found = deadletters.attempts(letter)
    assert [one.number for one in found] == [1, 2, 3]
    told = [(one.kind, one.detail["body"]) for one in found]
    assert told == [("status-503", "busy"), ("status-502", "bad gateway"), ("status-500", "broken")]
    assert all(one.took_ms and one.took_ms > 0 for one in found)
    assert sorted(one.at for one in found) == [one.at for one in found]


def test_parts_of_one_event_each_tell_their_own_answers(sink: Sink) -> None:
    sink.answer = lambda call: (400 + call.json["data"]["n"], {}, b"no")
    nodes: list[make.Node] = [
        ("in", "producer.http", {}),
        ("parts", "filter.split", {"items": "event.data.parts"}),
        ("call", "consumer.http", {"url": f"{sink.url}/orders"}),
    ]
    flow = make.published(make.document("split", nodes, ["in:out parts", "parts:out call"]))
    make.append(flow, [make.event("e", data={"parts": [{"n": n} for n in range(4)]})])
    for subscription in Subscription.objects.filter(flow=flow):
        drain_slice(subscription.pk)
    wait_until(lambda: DeadLetter.objects.count() == 4)
    for letter in DeadLetter.objects.all():
        (only,) = deadletters.attempts(letter)
        n = orjson.loads(bytes(letter.event))["data"]["n"]
        assert only.kind == letter.failure["kind"] == f"status-{400 + n}"


def test_a_letter_whose_steps_are_gone_still_tells_its_last_answer(sink: Sink) -> None:
    sink.answer = lambda call: (500, {}, b"broken")
    _, letter = called(sink)
    Segment.objects.all().delete()
    (last,) = deadletters.attempts(letter)
    assert (last.number, last.kind, last.detail["body"]) == (3, "status-500", "broken")


def test_an_unedited_redrive_repeats_its_key_and_an_edited_one_has_its_own(sink: Sink) -> None:
    sink.answer = lambda call: (400, {}, b"no")
    _, letter = called(sink)
    make.redrive(letter.pk)
    sink.wait_for(2)
    wait_until(lambda: DeadLetter.objects.filter(state="open").exists())
    again = DeadLetter.objects.get(state="open")
    data = {"amount": 200, "customer": "7"}
    edit = edited(bytes(again.event), data)
    assert edit is not None
    make.redrive(again.pk, edit=edit)
    sink.wait_for(3)
    wait_until(lambda: DeadLetter.objects.filter(state="open").exists())
    make.redrive(DeadLetter.objects.get(state="open").pk)
    sink.wait_for(4)
    first, second, third, fourth = sink.calls[:4]
    assert first.key == second.key != third.key == fourth.key
    assert third.json["data"] == data
    assert third.json["id"] == first.json["id"]


def test_an_edit_is_recorded_and_the_original_stays(sink: Sink) -> None:
    sink.answer = lambda call: (400, {}, b"no")
    _, letter = called(sink)
    log_before = bytes(Event.objects.get().body)
    sink.answer = lambda call: (200, {}, b"ok")
    edit = edited(bytes(letter.event), {"amount": 1})
    run = make.redrive(letter.pk, edit=edit)
    sink.wait_for(2)
    closed = DeadLetter.objects.get(pk=letter.pk)
    assert bytes(closed.event) == bytes(letter.event)
    assert bytes(Event.objects.get().body) == log_before
    assert closed.redrive == run
    assert orjson.loads(bytes(closed.redrive.edit))["data"] == {"amount": 1}
    ref = TraceRef(closed.subscription_id, closed.partition, closed.offset, closed.rerun or 0)
    told = traces.segments(ref)[0]["redrive"]
    assert told == {"letter": letter.pk, "redrive": run.pk, "by": "olga", "edited": True}


def test_an_edit_that_changes_nothing_is_none() -> None:
    stored = orjson.dumps(make.event("a"))
    assert edited(stored, {"amount": 150}) is None


def nested(depth: int) -> object:
    value: object = 1
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("data", "says"), [("x" * 300_000, "at most 262,144"), (nested(70), "deeper than 64")]
)
def test_an_edit_is_bounded_as_at_the_doors(data: object, says: str) -> None:
    with pytest.raises(Refused, match=says):
        edited(orjson.dumps(make.event("a")), data)


def test_an_edit_replaces_binary_data_and_nothing_else() -> None:
    event = {**make.event("a", note="kept"), "data_base64": "AA=="}
    del event["data"]
    changed = edited(orjson.dumps(event), {"amount": 1})
    assert changed is not None
    del event["data_base64"]
    assert orjson.loads(changed) == {**event, "data": {"amount": 1}}
