"""Alarms: listed, filtered, acknowledged, and told to the monitoring."""

import time

from django.test import Client

from tests import make
from tests.api.client import person, program
from workflows.models import Alarm, Flow


def raised(flow: Flow, node: str = "vat", **more: object) -> Alarm:
    now = time.time()
    fields = {"kind": "outcomes", "says": "2 arrived, 1 ended.", "difference": 1, **more}
    return Alarm.objects.create(flow=flow, node=node, first_seen=now, last_seen=now, **fields)


def test_alarms_are_listed_newest_first_and_filtered() -> None:
    flow, other = make.published(make.order_document()), make.published(make.order_document("b"))
    raised(flow)
    raised(flow, "big", state="resolved", resolved_at=time.time())
    raised(other, kind="traces", difference=7)
    api = program("traces:read")
    rows = api.all("alarms?limit=1")
    assert [(row["flow"], row["node"], row["kind"], row["difference"]) for row in rows] == [
        ("b", "vat", "traces", 7),
        ("orders", "big", "outcomes", 1),
        ("orders", "vat", "outcomes", 1),
    ]
    assert [row["node"] for row in api.all("alarms?flow=orders&state=open")] == ["vat"]
    assert "acknowledged" in api.expect(400, "GET", "alarms?state=loud")["detail"]
    api.expect(404, "GET", "alarms?flow=nowhere")


def test_an_operator_acknowledges_an_alarm_and_only_of_their_workspace() -> None:
    flow = make.published(make.order_document())
    alarm = raised(flow)
    row = person("operator", name="olga").expect(200, "POST", f"alarms/{alarm.pk}/acknowledge")
    assert (row["state"], row["acknowledged_by"]) == ("acknowledged", "olga")
    elsewhere = program("admin", space=make.workspace("elsewhere"))
    elsewhere.expect(404, "POST", f"alarms/{alarm.pk}/acknowledge")
    assert elsewhere.all("alarms") == []
    again = program("admin").expect(200, "POST", f"alarms/{alarm.pk}/acknowledge")
    assert again["acknowledged_by"] == "olga"


def test_the_figures_tell_of_alarms_and_of_flows_without_any() -> None:
    raised(make.published(make.order_document()), difference=3)
    make.published(make.order_document("calm"))
    token = make.token(None, "traces:read")
    text = Client().get("/metrics", headers={"Authorization": f"Bearer {token}"}).content.decode()
    assert 'eventflow_accounting_alarms{flow="orders"} 1.0' in text
    assert 'eventflow_accounting_alarms{flow="calm"} 0.0' in text
    assert 'eventflow_accounting_unchecked{flow="calm"} 0.0' in text
    assert 'eventflow_unaccounted{flow="orders",kind="outcomes",node="vat"} 3.0' in text
