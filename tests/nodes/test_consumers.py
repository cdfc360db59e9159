"""What can't the consumers' examples say?"""

from typing import Any

import orjson
import pytest
from pydantic import ValidationError

from tests.engine.make import make_arrivals, make_event
from workflows.engine.compile import compile_flow
from workflows.engine.effects import HttpRequest, Reply
from workflows.engine.event import Event
from workflows.engine.plan import Plan
from workflows.engine.run import run
from workflows.engine.testing import NOW, FakeSurroundings
from workflows.engine.walk import Arrival, Settlement, Walk
from workflows.nodes.registry import node_types


def plan_with(kind: str, config: dict[str, Any]) -> Plan:
    nodes = [
        {"id": "in", "type": "producer.manual", "config": {}},
        {"id": "x", "type": kind, "config": config},
    ]
    flow = {"nodes": nodes, "wires": [{"from": "in:out", "to": "x"}]}
    plan, problems = compile_flow(flow, node_types(), workspace="main", flow="f", version=1)
    assert plan is not None, problems
    return plan


def run_with(kind: str, config: dict[str, Any], event: Event | None = None) -> Walk:
    arrival = Arrival(0, "in", event or make_event({"id": 7}))
    return run(plan_with(kind, config), FakeSurroundings(), arrivals=[arrival])


def settle(reply: Reply) -> Walk:
    plan = plan_with("consumer.http", {"url": "https://a.example"})
    (ask,) = run(plan, FakeSurroundings(), arrivals=make_arrivals([1])).asks
    return run(
        plan, FakeSurroundings(), settlements=[Settlement(ask.arrival, ask.effect, reply, 1)]
    )


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        (Reply(ok=True, status=200), "delivered"),
        (Reply(ok=True, status=204), "delivered"),
        (Reply(ok=True, status=304), "dead"),
        (Reply(ok=True, status=404), "dead"),
        (Reply(ok=True, status=408), "retrying"),
        (Reply(ok=True, status=425), "retrying"),
        (Reply(ok=True, status=429), "retrying"),
        (Reply(ok=True, status=500), "retrying"),
        (Reply(ok=True, status=599), "retrying"),
        (Reply(ok=False, error="timeout"), "retrying"),
        (Reply(ok=False, error="connection"), "retrying"),
        (Reply(ok=False, error="refused"), "dead"),  # a private address: another try won't help
        (Reply(ok=False, error="invalid"), "dead"),
    ],
)
def test_an_answer_decides_what_becomes_of_a_request(reply: Reply, expected: str) -> None:
    assert settle(reply).steps[0].outcome == expected


@pytest.mark.parametrize(
    ("headers", "least"),
    [
        ({"Retry-After": "120"}, 120.0),
        (
            {
                "retry-after": "Mon, 01 Jan 2024 00:02:00 GMT",
                "date": "Mon, 01 Jan 2024 00:00:00 GMT",
            },
            120.0,
        ),
        ({"retry-after": "soon"}, 0.5),
        ({"retry-after": "Mon, 01 Jan 2024 00:02:00 GMT"}, 0.5),  # from when is not told
    ],
)
def test_a_receiver_that_asks_for_patience_gets_it(headers: dict[str, str], least: float) -> None:
    (retry,) = settle(Reply(ok=True, status=503, headers=headers)).retries
    assert least <= retry.due - NOW <= least + 1


@pytest.mark.parametrize(
    ("config", "kind", "body"),
    [
        ({"body": "data"}, "application/json", '{"id":7}'),
        ({"body": "template", "template": "no. ${event.data.id}"}, "text/plain", "no. 7"),
        ({"body": "none"}, "", ""),
        ({"method": "GET", "body": "data"}, "", ""),
        ({"body": "data", "headers": {"content-type": "a/b"}}, "a/b", '{"id":7}'),
    ],
)
def test_a_body_goes_with_its_content_type(config: dict[str, Any], kind: str, body: str) -> None:
    (ask,) = run_with("consumer.http", {"url": "https://a.example", **config}).asks
    assert isinstance(ask.effect, HttpRequest)
    assert ask.effect.body == body
    (given,) = [v for k, v in ask.effect.headers.items() if k.lower() == "content-type"] or [""]
    assert given.startswith(kind)
    assert bool(given) == bool(kind)


def test_a_header_can_not_be_broken_into_two() -> None:
    config = {"url": "https://a.example", "headers": {"X-Name": "${event.data}"}}
    walk = run_with("consumer.http", config, make_event("a\r\nX-Admin: yes"))
    assert walk.dead[0].failure["kind"] == "header"


def test_an_event_that_goes_round_through_channels_is_stopped() -> None:
    event, hops = make_event(1), 0
    while (walk := run_with("consumer.channel", {"channel": "a"}, event)).inside:
        effect: Any = walk.inside[0].effect
        event, hops = Event.from_dict(effect.event, NOW), hops + 1
        assert hops < 100
    assert hops == 32
    assert walk.dead[0].failure["kind"] == "loop"


def test_an_event_that_reaches_a_channel_on_two_ways_is_there_twice() -> None:
    nodes = [
        {"id": "in", "type": "producer.manual", "config": {}},
        {"id": "t", "type": "filter.transform", "config": {}},
        {"id": "out", "type": "consumer.channel", "config": {"channel": "a"}},
    ]
    ends = [("in:out", "t"), ("in:out", "out"), ("t:out", "out")]
    flow = {"nodes": nodes, "wires": [{"from": a, "to": b} for a, b in ends]}
    plan, _ = compile_flow(flow, node_types(), workspace="main", flow="f", version=1)
    assert plan is not None
    walk = run(plan, FakeSurroundings(), arrivals=make_arrivals([1]))
    effects: list[Any] = [ask.effect for ask in walk.inside]
    assert len({effect.event["id"] for effect in effects}) == 2


def test_a_mail_subject_stays_on_one_line() -> None:
    config = {"to": ["a@b.example"], "subject": "Hi ${event.data}"}
    (ask,) = run_with("consumer.email", config, make_event("x\nBcc: y@z.example")).asks
    effect: Any = ask.effect
    assert effect.subject == "Hi x Bcc: y@z.example"


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        (Reply(ok=True), "delivered"),
        (Reply(ok=True, status=250), "delivered"),
        (Reply(ok=True, status=451), "retrying"),
        (Reply(ok=True, status=550), "dead"),
        (Reply(ok=False, error="connection"), "retrying"),
        (Reply(ok=False, error="invalid", message="No."), "dead"),
    ],
)
def test_a_mail_server_decides_what_becomes_of_a_message(reply: Reply, expected: str) -> None:
    plan = plan_with("consumer.email", {"to": ["a@b.example"], "subject": "x"})
    (ask,) = run(plan, FakeSurroundings(), arrivals=make_arrivals([1])).asks
    settlement = Settlement(ask.arrival, ask.effect, reply, 1)
    assert run(plan, FakeSurroundings(), settlements=[settlement]).steps[0].outcome == expected


@pytest.mark.parametrize(
    ("body", "data"),
    [
        ('{"n": 1}', {"n": 1}),
        ("plain", "plain"),
        ("18446744073709551616", 18446744073709551616.0),  # as the log would read it
        ("[" * 300 + "]" * 300, "[" * 300 + "]" * 300),  # too deep for an event: left as it is
    ],
)
def test_an_answer_becomes_data_that_can_be_stored(body: str, data: Any) -> None:
    flow = {
        "nodes": [
            {"id": "in", "type": "producer.manual", "config": {}},
            {"id": "x", "type": "consumer.http", "config": {"url": "https://a.example"}},
            {"id": "end", "type": "consumer.log", "config": {}},
        ],
        "wires": [{"from": "in:out", "to": "x"}, {"from": "x:response", "to": "end"}],
    }
    plan, problems = compile_flow(flow, node_types(), workspace="main", flow="f", version=1)
    assert plan is not None, problems
    (ask,) = run(plan, FakeSurroundings(), arrivals=make_arrivals([1])).asks
    settlement = Settlement(ask.arrival, ask.effect, Reply(ok=True, status=200, body=body), 1)
    walk = run(plan, FakeSurroundings(), settlements=[settlement])
    output = next(step.output for step in walk.steps if step.output)
    assert orjson.loads(orjson.dumps(output))["data"] == data


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        (Reply(ok=True, status=202), "delivered"),
        (Reply(ok=False, error="connection"), "retrying"),
        (Reply(ok=False, error="timeout"), "retrying"),
        (Reply(ok=False, error="invalid", message="No."), "dead"),  # no such broker
    ],
)
def test_a_broker_decides_what_becomes_of_a_task(reply: Reply, expected: str) -> None:
    plan = plan_with("consumer.celery_task", {"task": "a.b", "broker": "billing"})
    (ask,) = run(plan, FakeSurroundings(), arrivals=make_arrivals([1])).asks
    settlement = Settlement(ask.arrival, ask.effect, reply, 1)
    assert run(plan, FakeSurroundings(), settlements=[settlement]).steps[0].outcome == expected


@pytest.mark.parametrize("name", ["", "1a", "a b", "a;b"])
def test_a_name_that_no_task_has_is_refused(name: str) -> None:
    config = node_types()["consumer.celery_task"].Config
    with pytest.raises(ValidationError):
        config.model_validate({"task": name, "broker": "billing"})
