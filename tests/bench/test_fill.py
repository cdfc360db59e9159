"""Is what the filler writes what the product itself would have written?"""

import pytest

from tests.accounting import assert_balanced
from tests.bench.fill import fill, prepare
from workflows.models import DeadLetter, Effect, Event, Flow, Trace
from workflows.storage import accounting, tracepages, traces, whereabouts
from workflows.storage.pages import Place
from workflows.storage.sought import read_question

pytestmark = pytest.mark.django_db(transaction=True)


def test_everything_that_was_filled_in_is_accounted_for() -> None:
    fill(7_500, prepare(4, "http://127.0.0.1:9"))
    for flow in Flow.objects.all():
        assert_balanced(flow)
        assert accounting.examine(flow.pk, 10_000).findings == []
    assert Event.objects.count() == Trace.objects.count() == 7_500
    assert DeadLetter.objects.count() == 37
    assert Effect.objects.count() == 0


def test_filled_in_events_are_found_like_others() -> None:
    flow_ids = prepare(4, "http://127.0.0.1:9")
    fill(4_000, flow_ids)
    flows = list(Flow.objects.all())
    answer = whereabouts.answer(flows[0].workspace_id, read_question("f000-7"))
    assert [found.event_id for found in answer.events] == ["f000-7"]
    failed, _ = tracepages.page(flow_ids, tracepages.Wanted(state="failed"), Place({}), 50)
    assert len(failed) == 20
    called = next(row for row in failed if row.event_id.startswith("w1-"))
    assert called.path == ("in", "big")


def test_a_call_that_was_filled_in_shows_its_answer() -> None:
    flow_ids = prepare(4, "http://127.0.0.1:9")
    fill(1_000, flow_ids)
    found, _ = tracepages.page(flow_ids[:1], tracepages.Wanted(event="w1-2"), Place({}), 1)
    later = traces.segments(found[0].ref)[-1]
    assert [(step["n"], step["o"]) for step in later["steps"]] == [("end", "delivered")]
