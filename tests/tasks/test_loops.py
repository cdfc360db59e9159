"""A flow that feeds itself: does it end, and does it say so?"""

from tests import make
from tests.accounting import assert_balanced
from tests.sending import send
from tests.tasks.due import drain
from workflows.models import DeadLetter, Event
from workflows.storage import channels, cursors


def test_a_flow_that_publishes_to_its_own_channel_ends_in_a_dead_letter() -> None:
    channels.create(make.workspace().pk, "round")
    nodes = [
        ("in", "producer.channel", {"channel": "round"}),
        ("out", "consumer.channel", {"channel": "round"}),
    ]
    flow = make.published(make.document("round", nodes, ["in:out out"]))
    send("round", [make.event("a")])
    for _ in range(40):
        drain(flow)
    assert cursors.lag_of_flow(flow.pk) == 0
    letter = DeadLetter.objects.get()
    assert letter.failure["kind"] == "loop"
    assert "come round 32 times" in letter.failure["message"]
    assert Event.objects.count() == 33
    assert max(len(name) for name in Event.objects.values_list("event_id", flat=True)) <= 255
    assert Event.objects.values_list("event_id").distinct().count() == 33
    assert_balanced(flow)
