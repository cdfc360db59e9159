"""Groups of dead letters: counted with the letters, read without reading the letters."""

from collections.abc import Callable
from typing import Any

import pytest

from tests import make
from tests.explain import plan_of, reads_all_of
from tests.tasks.due import drain
from workflows.models import DeadGroup, DeadLetter, Subscription
from workflows.storage import (
    deadgroups,
    deadletters,
    deadpages,
    redriveorder,
    redrives,
    redrivework,
)
from workflows.storage.deadgroups import Wanted
from workflows.storage.pages import Place
from workflows.storage.parts import NewDeadLetter, TraceRef

pytestmark = pytest.mark.django_db(transaction=True)

HOUR = 3_600.0


def letter(node: str, message: str, at: float, kind: str = "timeout") -> NewDeadLetter:
    return NewDeadLetter(
        ref=TraceRef(1, 0, 0),
        version_id=1,
        node=node,
        path=0,
        event=b"{}",
        event_id="e",
        failure=f'{{"kind": "{kind}", "message": "{message}"}}',
        fingerprint=f"{node}-{kind}"[:16],
        attempts=1,
        dead_at=at,
    )


@pytest.fixture
def space() -> int:
    """A workspace whose two flows failed in four ways."""
    orders, shop = (make.published(make.order_document(slug)) for slug in ("orders", "shop"))
    born = [letter("call", "It took 3 s", HOUR), letter("call", "It took 4 s", 2 * HOUR)]
    refused = letter("call", "Refused by Billing", 3 * HOUR, "status-422")
    deadgroups.tally(orders.workspace_id, orders.pk, [*born, refused], {})
    late = [letter("mail", "No such mailbox", 4 * HOUR, "refused")]
    deadgroups.tally(shop.workspace_id, shop.pk, [*late, letter("call", "Slow", HOUR)], {})
    return orders.workspace_id


# filter -> groups (flow, node, kind, open letters) in the order of the list
FILTERED = [
    (Wanted(flow="nowhere"), []),
    (Wanted(flow="shop", node="mail"), [("shop", "mail", "refused", 1)]),
    (Wanted(kind="status-422"), [("orders", "call", "status-422", 1)]),
    (Wanted(text="billing"), [("orders", "call", "status-422", 1)]),  # whatever the case
    (Wanted(text="%"), []),  # no wildcards
    (Wanted(since=3.5 * HOUR), [("shop", "mail", "refused", 1)]),
    (Wanted(fingerprint="call-timeout", flow="orders"), [("orders", "call", "timeout", 2)]),
    (
        Wanted(),
        [
            ("shop", "mail", "refused", 1),
            ("orders", "call", "status-422", 1),
            ("orders", "call", "timeout", 2),
            ("shop", "call", "timeout", 1),
        ],
    ),
]


@pytest.mark.parametrize(("wanted", "left"), FILTERED)
def test_groups_are_filtered_newest_first(
    space: int, wanted: Wanted, left: list[tuple[str, str, str, int]]
) -> None:
    found, is_more = deadgroups.page(space, wanted, None, 10)
    assert [(one.flow, one.node, one.kind, one.open) for one in found] == left
    assert not is_more
    assert deadgroups.totals(space, wanted) == (len(left), sum(one[3] for one in left))
    assert deadgroups.page(space + 1, wanted, None, 10) == ([], False)


def test_a_group_tells_its_newest_sentence_and_when_it_began(space: int) -> None:
    (found,), _ = deadgroups.page(space, Wanted("orders", kind="timeout"), None, 10)
    assert found.message == "It took 4 s"
    assert (found.first_at, found.newest_at) == (HOUR, 2 * HOUR)


def test_pages_repeat_and_skip_nothing_also_of_groups_that_grew_at_once() -> None:
    flow = make.published(make.order_document())
    born = [letter(f"n{i:02}", "It failed", 1_700_000_000.1234567) for i in range(23)]
    deadgroups.tally(flow.workspace_id, flow.pk, born, {})
    seen: list[int] = []
    place, is_more = None, True
    while is_more:
        found, is_more = deadgroups.page(flow.workspace_id, Wanted(), place, 5)
        seen += [one.id for one in found]
        place = deadgroups.beyond(deadgroups.bounds(found[-1]))
    assert sorted(seen) == sorted(DeadGroup.objects.values_list("pk", flat=True))
    assert len(seen) == len(set(seen)) == 23
    place = deadgroups.beyond(deadgroups.bounds(found[0]), backwards=True)
    before, is_more = deadgroups.page(flow.workspace_id, Wanted(), place, 5)
    assert [one.id for one in before] == seen[15:20]
    assert is_more


def test_a_group_without_open_letters_is_not_listed(space: int) -> None:
    (found,), _ = deadgroups.page(space, Wanted("shop", node="mail"), None, 10)
    deadgroups.uncount(found.flow_id, {found.fingerprint: 1})
    assert deadgroups.page(space, Wanted("shop", node="mail"), None, 10) == ([], False)
    group = deadgroups.named(found.flow_id, found.fingerprint)
    assert group is not None and group.open == 0


def _asks(space: int) -> list[Callable[[], Any]]:
    """What the pages, the API and the workers ask of the letters."""
    flow = make.published(make.order_document("another"))
    make.append(flow, [make.event("dies", data={})])
    drain(flow)
    subscription = Subscription.objects.get(flow=flow)
    run = redrives.start(space, "olga", redrives.Order(Wanted(flow="orders")))
    taken = redrivework.take(run.pk, "worker")
    assert taken is not None
    alike = deadletters.Wanted("orders", "open", "call-timeout")
    ref = TraceRef(subscription.pk, 0, 0)
    return [
        lambda: deadgroups.page(space, Wanted(), None, 50),
        lambda: redrives.count(space, Wanted(since=HOUR)),
        lambda: redriveorder.next_letters(taken, 100),
        lambda: redrivework.look(taken),
        lambda: redrivework.waited_for(taken, 10),
        lambda: deadpages.page(space, alike, Place({}), 50),
        lambda: deadpages.page(space, alike._replace(state=""), Place({}), 50),
        lambda: deadpages.page(space, deadletters.Wanted(node="call"), Place({}), 50),
        lambda: deadletters.of_trace(flow.pk, ref),
        lambda: deadpages.page(space, deadletters.Wanted(redrive=run.pk), Place({}), 50),
    ]


@pytest.mark.parametrize("which", range(10))
def test_nothing_reads_all_letters(space: int, which: int) -> None:
    plan = plan_of(_asks(space)[which])
    for name in ("workflows_deadletter", "d"):
        assert not reads_all_of(name, plan), plan
    assert DeadLetter.objects.count() == 1


@pytest.mark.parametrize("text", ["Über", "Über Den zaun"])
def test_messages_are_found_by_letters_of_any_alphabet(text: str) -> None:
    flow = make.published(make.order_document())
    DeadGroup.objects.create(
        workspace=make.workspace(), flow=flow, fingerprint="f", node="big", kind="k",
        message="Es ging Über den ZAUN.", open=1, first_at=1, newest_at=1,
    )  # fmt: skip
    assert deadgroups.totals(flow.workspace_id, Wanted(text=text)) == (1, 1)
