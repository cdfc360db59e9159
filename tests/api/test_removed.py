"""Publishing without a node that holds events: who is asked, and what an answer does."""

from collections.abc import Callable

import pytest

from tests import make
from tests.api.client import program
from workflows.models import Flow, Held

Work = Callable[[Flow], None]
IN: make.Node = ("in", "producer.http", {})
NEW: make.Node = ("new", "producer.http", {})
WAIT: make.Node = ("wait", "filter.delay", {"seconds": 3_600})
END: make.Node = ("end", "consumer.log", {})


@pytest.mark.parametrize("how", ["finish", "dead_letter", "drop"])
def test_the_question_names_nodes_and_counts_and_each_answer_publishes(
    work: Work, how: str
) -> None:
    flow = make.published(make.document("orders", [IN, WAIT, END], ["in:out wait", "wait:out end"]))
    make.append(flow, [make.event("a"), make.event("b")])
    work(flow)
    make.append(flow, [make.event("unread")])
    api = program()
    body = {"document": make.document("orders", [NEW, END], ["new:out end"])}
    api.expect(200, "PUT", "flows/orders/draft", body, If_Match='"1"')
    first = api.expect(409, "POST", "flows/orders/publish", {})
    assert (first["field"], first["unread"]) == ("unread", {"in": 1})
    asked = api.expect(409, "POST", "flows/orders/publish", {"unread": "finish"})
    assert (asked["field"], asked["on_removed"]) == ("on_removed", {"wait": 2})
    assert [choice["value"] for choice in asked["choices"]] == ["finish", "dead_letter", "drop"]
    assert "2 at “wait”" in asked["detail"]
    assert Held.objects.filter(due_at=0).count() == 0
    answers = {"unread": "finish", "on_removed": how}
    assert api.expect(200, "POST", "flows/orders/publish", answers)["number"] == 2
    assert Held.objects.filter(due_at=0).count() == (0 if how == "finish" else 2)
