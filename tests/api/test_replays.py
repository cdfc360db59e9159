"""Replays over the API: counted first, begun by those who may, compared when they are done."""

from collections.abc import Callable
from typing import Any

import pytest

from tests import make
from tests.api.client import person, program
from workflows.models import Flow, Replay, Trace
from workflows.tasks.replay import replay_slice

Work = Callable[[Flow], None]


@pytest.fixture
def flow(work: Work) -> Flow:
    made = make.published(make.order_document())
    bodies = [make.event(f"e{i}", 95 + 5 * i, subject=f"k{i % 2}") for i in range(4)]
    make.append(made, bodies)
    work(made)
    return made


def _play() -> None:
    for replay in Replay.objects.filter(ended_at=None):
        for _ in range(20):
            Replay.objects.update(due_at=0, moved_at=0)
            replay_slice(replay.pk)


def test_a_dry_run_counts_and_changes_nothing(flow: Flow) -> None:
    api = program("flows:write")
    body = {"flow": "orders", "mode": "run", "key": "k1", "dry_run": True}
    answer = api.expect(200, "POST", "replays", body)
    assert (answer["id"], answer["state"], answer["total"], answer["exact"]) == (
        None, "counted", 2, True,
    )  # fmt: skip
    assert (answer["node"], answer["channel"]) == ("in", "orders.in")
    assert not Replay.objects.exists()


def test_a_shadow_run_is_compared_with_what_happened_live(flow: Flow) -> None:
    api = program("admin")
    draft = api.expect(200, "GET", "flows/orders/draft")
    document = draft["document"]
    document["nodes"][0]["config"]["condition"] = "event.data.amount > 105"
    api.expect(
        200, "PUT", "flows/orders/draft", {"document": document}, If_Match=api.answer["ETag"]
    )
    began = api.expect(202, "POST", "replays", {"flow": "orders", "mode": "shadow", "draft": True})
    assert api.answer["Location"] == f"/api/v1/replays/{began['id']}"
    assert (began["version"], began["draft"], began["state"]) == (None, True, "running")
    _play()
    read = api.expect(200, "GET", f"replays/{began['id']}")
    assert (read["state"], read["done"], read["total"]) == ("done", 4, 4)
    seen = api.expect(200, "GET", f"replays/{began['id']}/comparison")
    assert (seen["same"], seen["different"], seen["events"]) == (3, 1, 4)
    (group,) = seen["groups"]
    assert (group["node"], group["live"], group["shadow"], group["events"]) == (
        "big", "passed by match", "filtered", 1,
    )  # fmt: skip
    (row,) = api.all(f"replays/{began['id']}/differences?kind=different&node=big")
    assert row["event_id"] == "e2"
    whole = api.expect(200, "GET", f"traces/{row['trace']}")
    assert (whole["run"], whole["version"]) == ("replay", None)
    assert whole["replay"] == {"id": began["id"], "mode": "shadow"}


def test_traces_are_told_apart_by_their_run(flow: Flow) -> None:
    api = program("admin")
    began = api.expect(202, "POST", "replays", {"flow": "orders", "mode": "run", "key": "k0"})
    _play()
    assert len(api.all("traces?run=live")) == 4
    again = api.all("traces?run=replay")
    assert again == api.all(f"traces?replay={began['id']}")
    assert {row["run"] for row in again} == {"replay"}
    assert len(again) == 2
    assert len(api.all("traces")) == 6
    api.expect(400, "GET", "traces?run=other")
    api.expect(404, "GET", "traces?replay=99999")


@pytest.mark.parametrize("name", ["traces", "events"])
def test_events_are_chosen_by_their_traces_or_positions(flow: Flow, name: str) -> None:
    api = program("admin")
    trace = Trace.objects.get(event_id="e1")
    position = api.expect(200, "GET", f"traces/{'-'.join(map(str, trace.pk[:3]))}")["position"]
    chosen = {
        "traces": "-".join(map(str, trace.pk[:3])),
        "events": position,
    }[name]
    body = {"flow": "orders", "mode": "run", name: [chosen]}
    api.expect(202, "POST", "replays", body)
    _play()
    assert list(Trace.objects.filter(run__gt=0).values_list("event_id", flat=True)) == ["e1"]


REFUSED: tuple[tuple[dict[str, Any], str], ...] = (
    ({"traces": ["1-2-3"]}, "traces"),
    ({"traces": ["x"]}, "traces"),
    ({"events": ["999999-0-0"]}, "events"),
    ({"node": "nowhere"}, "node"),
    ({"channel": "nowhere"}, "channel"),
    ({"ranges": [{"partition": 700, "start": 0, "end": 9}]}, "selection"),
)


@pytest.mark.parametrize(("more", "field"), REFUSED)
def test_what_cannot_be_meant_is_refused(flow: Flow, more: dict[str, Any], field: str) -> None:
    api = program("admin")
    problem = api.expect(422, "POST", "replays", {"flow": "orders", "mode": "run", **more})
    assert problem["field"] == field
    assert not Replay.objects.exists()


def test_the_events_of_another_workspace_are_not_there(flow: Flow, work: Work) -> None:
    other = make.published(make.order_document("theirs"), make.workspace("elsewhere"))
    (place,) = make.append(other, [make.event("secret")])
    work(other)
    trace = Trace.objects.get(event_id="secret")
    api = program("admin")
    for name, value in (
        ("traces", "-".join(map(str, trace.pk[:3]))),
        ("events", "-".join(map(str, place[:3]))),
    ):
        body = {"flow": "orders", "mode": "shadow", name: [value], "dry_run": True}
        theirs = api.expect(422, "POST", "replays", body)["detail"]
        nothing = value.rpartition("-")[0] + "-999"
        body[name] = [nothing]
        nobodys = api.expect(422, "POST", "replays", body)["detail"]
        assert theirs == nobodys.replace(nothing, value)  # it doesn't even tell that it is there
    api.expect(422, "POST", "replays", {"flow": "orders", "mode": "run", "channel": "theirs.in"})


@pytest.mark.parametrize("mode", ["run", "skip_done"])
def test_effects_need_an_operator(flow: Flow, mode: str) -> None:
    editor = person("editor")
    body = {"flow": "orders", "mode": mode}
    problem = editor.expect(403, "POST", "replays", body)
    assert "operator" in problem["detail"]
    editor.expect(200, "POST", "replays", {**body, "dry_run": True})
    editor.expect(202, "POST", "replays", {**body, "mode": "shadow"})
    person("operator").expect(202, "POST", "replays", body)


def test_a_replay_is_cancelled_once(flow: Flow) -> None:
    api = program("admin")
    began = api.expect(202, "POST", "replays", {"flow": "orders", "mode": "run", "rate": 0.5})
    assert api.expect(200, "POST", f"replays/{began['id']}/cancel")["state"] == "cancelled"
    api.expect(409, "POST", f"replays/{began['id']}/cancel")
    assert [row["id"] for row in api.all("replays?flow=orders")] == [began["id"]]


def test_only_shadow_runs_are_compared(flow: Flow) -> None:
    api = program("admin")
    began = api.expect(202, "POST", "replays", {"flow": "orders", "mode": "run"})
    api.expect(409, "GET", f"replays/{began['id']}/comparison")
    api.expect(400, "GET", f"replays/{began['id']}/differences?kind=odd")


def test_a_draft_with_problems_is_refused_with_them(flow: Flow) -> None:
    api = program("admin")
    draft = api.expect(200, "GET", "flows/orders/draft")
    document = draft["document"]
    document["nodes"][0]["config"]["condition"] = "event.data.amount >"
    api.expect(
        200, "PUT", "flows/orders/draft", {"document": document}, If_Match=api.answer["ETag"]
    )
    body = {"flow": "orders", "mode": "shadow", "draft": True}
    problem = api.expect(422, "POST", "replays", body)
    assert (problem["field"], problem["problems"][0]["node"]) == ("draft", "big")
