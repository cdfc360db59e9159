"""The equations of the accounting, and the gaps among the traces."""

import pytest

from tests import make
from workflows.models import CursorCheck, Subscription, Trace
from workflows.storage import gaps
from workflows.storage.accounting import compare
from workflows.storage.gaps import Lost

NODE = ("end", 0)


@pytest.mark.parametrize(
    ("counts", "held", "taken", "found"),
    [
        ({}, 0, 0, []),
        ({"arrived": 5, "delivered": 5, "in:wire": 5}, 0, 0, []),
        # several outcomes, some held, some that began as repeated runs
        ({"arrived": 5, "delivered": 1, "dead": 2, "in:wire": 4, "in:again": 1}, 2, 0, []),
        # a producer gets its events from the log
        ({"arrived": 3, "passed": 3, "out:out": 3}, 0, 3, []),
        # what ran before the accounting began counts as right
        ({"arrived": 9, "passed": 9, "in:before": 7, "in:wire": 2}, 0, 0, []),
        # a held row was lost
        ({"arrived": 5, "delivered": 3, "in:wire": 5}, 1, 0, [("outcomes", 1)]),
        # more ended than arrived
        ({"arrived": 5, "delivered": 7, "in:wire": 5}, 0, 0, [("outcomes", 2)]),
        # the wires carried more than arrived
        ({"arrived": 5, "delivered": 5, "in:wire": 8}, 0, 0, [("arrivals", 3)]),
        # the cursor went on, and nothing arrived
        ({}, 0, 4, [("arrivals", 4)]),
        # parked at a node at which nothing ever arrived
        ({}, 2, 0, [("outcomes", 2)]),
    ],
)
def test_each_node_must_come_out_even(
    counts: dict[str, int], held: int, taken: int, found: list[tuple[str, int]]
) -> None:
    findings = compare({NODE: counts}, {NODE: held}, {NODE: taken})
    assert [(one.kind, one.difference) for one in findings] == found
    assert {one.node for one in findings} <= {"end"}


def test_differences_of_two_partitions_do_not_cancel_each_other() -> None:
    counters = {
        ("end", 0): {"arrived": 3, "delivered": 2, "in:wire": 3},
        ("end", 1): {"arrived": 3, "delivered": 4, "in:wire": 3},
    }
    (finding,) = compare(counters, {}, {})
    assert finding.difference == 2
    assert finding.says == (
        "Partition 0: 3 arrived, 2 ended, 0 held; partition 1: 3 arrived, 4 ended, 0 held."
    )


def test_a_sentence_names_three_partitions_and_counts_the_others() -> None:
    counters = {("end", i): {"arrived": 1, "in:wire": 1} for i in range(8)}
    (finding,) = compare(counters, {}, {})
    assert finding.difference == 8
    assert finding.says.count("arrived") == 3
    assert finding.says.endswith("; and 5 more partitions.")


@pytest.fixture
def subscription(db: None) -> int:
    flow = make.published(make.order_document())
    return int(Subscription.objects.get(flow=flow).pk)


def traced(subscription_id: int, *offsets: int) -> None:
    flow_id = Subscription.objects.get(pk=subscription_id).flow_id
    Trace.objects.bulk_create(
        Trace(
            subscription_id=subscription_id,
            partition=0,
            offset=offset,
            flow_id=flow_id,
            version=1,
            number=offset,
            state="ok",
            accepted_at=0,
            taken_at=0,
            steps=b"{}",
        )
        for offset in offsets
    )


def cursor(subscription_id: int, position: int, *, tail: int = 0, **more: object) -> gaps.Cursor:
    blank = gaps.Cursor(subscription_id, "in", 0, position, tail, 0, 0, 0, 0, [])
    return blank._replace(**more)


def look(cursor: gaps.Cursor, budget: int = 100, again: int = 0) -> tuple[gaps.Look, list[Lost]]:
    return gaps.look(cursor, budget, again)


def spans(lost: list[Lost]) -> list[gaps.Span]:
    return [one.span for one in lost]


def test_a_look_goes_only_as_far_as_its_budget(subscription: int) -> None:
    traced(subscription, *range(10))
    seen, lost = look(cursor(subscription, 10), 4)
    assert (seen.checked, seen.counted, seen.is_whole, lost) == (4, 4, False, [])
    seen, lost = look(cursor(subscription, 10, checked=4))
    assert (seen.checked, seen.counted, seen.is_whole, lost) == (10, 6, True, [])


def test_gaps_are_found_and_looked_at_again_until_they_are_filled(subscription: int) -> None:
    traced(subscription, 0, 3, 4, 6)
    seen, lost = look(cursor(subscription, 9))
    assert spans(lost) == seen.gaps == [(1, 3), (5, 6), (7, 9)]
    assert [one.n for one in lost] == [2, 1, 2]
    traced(subscription, 1, 5, 7, 8)
    seen, lost = look(cursor(subscription, 9, checked=9, gaps=seen.gaps))
    assert spans(lost) == [(2, 3)]
    traced(subscription, 2)
    seen, lost = look(cursor(subscription, 9, checked=9, gaps=seen.gaps))
    assert (lost, seen.gaps) == ([], [])


def test_what_retention_took_is_no_gap(subscription: int) -> None:
    traced(subscription, 6, 7, 9)
    seen, lost = look(cursor(subscription, 10, tail=6, gaps=[(2, 5), (5, 7)]))
    assert spans(lost) == [(8, 9)]
    assert seen.checked == 10
    seen, lost = look(cursor(subscription, 10, tail=20))  # of a closed subscription
    assert (seen.checked, seen.is_whole, lost) == (10, True, [])


def test_a_repeated_run_does_not_stand_for_a_missing_trace(subscription: int) -> None:
    traced(subscription, 0, 1)
    Trace.objects.filter(offset=1).update(run=1)
    assert spans(look(cursor(subscription, 2))[1]) == [(1, 2)]


def test_many_gaps_are_kept_as_a_few_spans_that_cover_them(subscription: int) -> None:
    traced(subscription, *range(0, 1000, 2))
    seen, lost = look(cursor(subscription, 1000), 10_000)
    assert sum(one.n for one in lost) == 500
    assert len(seen.gaps) <= 20
    again, lost = look(cursor(subscription, 1000, checked=1000, gaps=seen.gaps))
    assert sum(one.n for one in lost) == 500
    assert again.gaps == seen.gaps


def test_old_traces_are_counted_again_going_round(subscription: int) -> None:
    traced(subscription, *range(4, 10))
    checked = cursor(subscription, 10, start=4, checked=10)
    seen, lost = look(checked, again=4)
    assert (seen.again, seen.counted, lost) == (8, 0, [])
    seen, lost = look(checked._replace(again=8), again=4)
    assert (seen.again, lost) == (0, [])
    Trace.objects.filter(offset=5).delete()
    seen, lost = look(checked._replace(again=seen.again), again=4)
    assert spans(lost) == seen.gaps == [(5, 6)]


def test_setting_a_cursor_elsewhere_keeps_what_it_took_and_what_is_unchecked(
    subscription: int,
) -> None:
    Subscription.objects.get(pk=subscription).cursor_set.filter(partition=0).update(position=7)
    CursorCheck.objects.filter(subscription=subscription, partition=0).update(checked=5)
    gaps.begin(subscription, {0: 30})
    row = CursorCheck.objects.get(subscription=subscription, partition=0)
    assert (row.origin, row.start, row.checked, row.missing) == (23, 30, 30, [[5, 7]])
