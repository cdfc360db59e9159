"""Is what the registry tells enough for palette, forms and help, and does "try it" work?"""

import json

from tests.servers import ROOT
from workflows.engine.testing import try_flow
from workflows.nodes.registry import catalog, node_types


def test_the_catalog_is_json_and_has_every_type_once() -> None:
    entries = json.loads(json.dumps(catalog()))
    assert [entry["type"] for entry in entries] == sorted(node_types())
    (http,) = [entry for entry in entries if entry["type"] == "consumer.http"]
    assert http["defaults"]["retry"]["attempts"] == 5
    assert "url" not in http["defaults"]
    assert http["schema"]["properties"]["url"]["widget"] == "template"
    assert [port["name"] for port in http["outputs"]] == ["response"]
    assert http["can_fail"]


def test_a_flow_is_tried_to_its_end_without_touching_anything() -> None:
    flow = {
        "nodes": [
            {"id": "in", "type": "producer.http", "config": {}},
            {"id": "wait", "type": "filter.delay", "config": {"seconds": 60}},
            {"id": "call", "type": "consumer.http", "config": {"url": "https://a.example"}},
            {"id": "say", "type": "consumer.reply", "config": {}},
        ],
        "wires": [
            {"from": "in:out", "to": "wait"},
            {"from": "wait:out", "to": "call"},
            {"from": "call:response", "to": "say"},
        ],
    }
    replies = {"call": [{"ok": True, "status": 503}, {"ok": True, "status": 200, "body": "[1]"}]}
    tried = json.loads(json.dumps(try_flow(flow, node_types(), {"data": {}}, replies)))
    assert [(step["node"], step["outcome"]) for step in tried["steps"]] == [
        ("in", "passed"),
        ("wait", "held"),
        ("wait", "passed"),
        ("call", "waiting"),
        ("call", "retrying"),
        ("call", "delivered"),
        ("say", "delivered"),
    ]
    assert [(one["node"], one["effect"]["kind"]) for one in tried["effects"]] == [
        ("say", "answer"),
        ("call", "http"),
        ("call", "http"),
    ]


def test_a_flow_with_a_problem_is_not_tried() -> None:
    tried = try_flow({"nodes": []}, node_types(), {})
    assert tried["steps"] == []
    assert "needs a producer" in tried["problems"][0]["says"]


def test_every_icon_is_in_the_sprite() -> None:
    sprite = (ROOT / "static/img/icons.svg").read_text()
    missing = [entry["icon"] for entry in catalog() if f'id="{entry["icon"]}"' not in sprite]
    assert missing == []
