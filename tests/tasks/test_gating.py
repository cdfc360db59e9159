"""Which calls a process may send, and what it learns from replies: decided without making any."""

from collections.abc import Sequence

from tests import make
from workflows.engine.effects import Reply
from workflows.engine.limits import Limits
from workflows.models import Effect, Flow, Gate
from workflows.storage import gates, sql, work
from workflows.tasks import gating
from workflows.tasks.owner import owner


def _park(flow: Flow, node: str, to: str, numbers: Sequence[int] = (1,)) -> None:
    """Calls that are due, in this order."""
    assert flow.published is not None
    Effect.objects.bulk_create(
        Effect(
            flow=flow,
            number=number,
            version=flow.published,
            node=node,
            subscription_id=flow.subscription_set.get().pk,
            partition=0,
            offset=0,
            path=0,
            destination=to,
            request=b"{}",
            timeout_seconds=10.0,
            due_at=float(number),
        )
        for number in numbers
    )


def _take() -> list[work.TakenEffect]:
    """What may go out of the first calls that are due."""
    with sql.write():
        return gating.hold_back(work.take_effects(owner(), 40), ()).rows


def test_all_nodes_that_use_a_connection_keep_its_limit() -> None:
    config = {"task": "book", "broker": "billing"}
    for slug in ("orders", "others"):
        nodes: list[make.Node] = [
            ("in", "producer.http", {}),
            ("t", "consumer.celery_task", config),
        ]
        flow = make.published(make.document(slug, nodes, ["in:out t"]))
        gates.set_limits(flow.workspace_id, "celery:billing", Limits(at_once=1))
        _park(flow, "t", "celery:billing")
    assert len(_take()) == 1


def test_thousands_that_wait_for_what_is_down_are_not_in_the_way_of_others() -> None:
    flow = make.published(make.order_document())
    _park(flow, "end", "mail", range(2_000))
    _park(flow, "end", "celery:billing", [2_001])
    gates.open_breaker(flow.workspace_id, "mail", "No route.")  # only now: it tries again soon
    looks = [_take() for _ in range(3)]
    assert [len(rows) for rows in looks] == [0, 0, 1]


def test_an_answer_that_is_known_already_needs_no_gate() -> None:
    flow = make.published(make.order_document())
    gates.open_breaker(flow.workspace_id, "mail", "No route.")
    _park(flow, "end", "mail")
    with sql.write():
        found = gating.hold_back(work.take_effects(owner(), 40), {(flow.pk, 1)})
    assert (len(found.rows), found.probes) == (1, set())


def _fail(known: gating.Breakers, times: int, *, is_probe: bool = False) -> None:
    for _ in range(times):
        known.note(7, "mail", Reply(ok=False, error="timeout"), is_probe=is_probe)


def test_a_good_try_opens_the_way_also_from_a_process_that_had_not_heard_of_it() -> None:
    gates.open_breaker(7, "mail", "No route.")
    gating.Breakers().note(7, "mail", Reply(ok=True, status=200), is_probe=True)
    assert Gate.objects.get().opened_at is None


def test_what_was_under_way_when_a_destination_went_down_says_nothing_new() -> None:
    known = gating.Breakers()
    _fail(known, gating.THRESHOLD * 3)
    assert Gate.objects.get().pause_seconds == gates.FIRST_PAUSE
    _fail(known, 1, is_probe=True)
    assert Gate.objects.get().pause_seconds == gates.FIRST_PAUSE * 2


def test_what_another_process_has_closed_takes_as_many_failures_again() -> None:
    known = gating.Breakers()
    _fail(known, gating.THRESHOLD)
    gates.close_breaker(7, "mail")
    _fail(known, gating.THRESHOLD - 1)
    assert Gate.objects.get().opened_at is None
    _fail(known, 1)
    assert Gate.objects.get().opened_at is not None
