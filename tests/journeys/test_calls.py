"""Programs that call flows and wait: limits don't lock them out, and failure is never success."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from tests import make
from tests.servers import Stack, wait_until
from workflows.models import Trace

pytestmark = [pytest.mark.serial, pytest.mark.django_db(transaction=True)]

_TOGETHER = 12


def test_flows_that_call_their_own_server_and_wait_do_not_block_each_other(
    installation: Stack,
) -> None:
    """The only worker performs the calls and runs the flow that is called, and the calls wait at
    their limit: who needs a place to answer those who have them all never gets one."""
    token = make.token(None, "events:write")
    inner = f"{installation.base_url}/api/v1/flows/inner/trigger?wait=20"
    asks = {
        "url": inner,
        "headers": {"Authorization": f"Bearer {token}"},
        "body": "data",
        "timeout_seconds": 25,
        "limits": {"at_once": 2},
    }
    outer = make.document(
        "outer",
        [
            ("in", "producer.http", {}),
            ("call", "consumer.http", asks),
            ("say", "consumer.reply", {}),
        ],
        ["in:out call", "call:response say"],
    )
    make.published(outer)
    make.published(
        make.document(
            "inner",
            [
                ("in", "producer.http", {}),
                ("say", "consumer.reply", {"body": '{"n": event.data.n}'}),
            ],
            ["in:out say"],
        )
    )
    url = f"{installation.base_url}/api/v1/flows/outer/trigger?wait=30"
    with ThreadPoolExecutor(_TOGETHER) as pool:
        answers = list(pool.map(lambda n: make.post(url, {"n": n}, token), range(_TOGETHER)))
    assert [status for status, _ in answers] == [200] * _TOGETHER
    assert [answer["n"] for _, answer in answers] == list(range(_TOGETHER))


def test_who_waits_for_a_flow_that_fails_is_not_told_that_it_went_well(installation: Stack) -> None:
    body = make.document(
        "sum",
        [
            ("in", "producer.http", {}),
            ("add", "filter.transform", {"set": {"data.sum": "event.data.a + event.data.b"}}),
            ("say", "consumer.reply", {}),
        ],
        ["in:out add", "add:out say"],
    )
    flow = make.published(body)
    url = f"{installation.base_url}/api/v1/flows/sum/trigger?wait=10"
    token = make.token(None, "events:write")
    assert make.post(url, {"a": 1, "b": 2}, token) == (200, {"a": 1, "b": 2, "sum": 3})
    status, answer = make.post(url, {"a": 1}, token)
    assert (status, answer["accepted"]) == (202, 1)  # kept, and no more than that is said
    wait_until(lambda: Trace.objects.filter(flow=flow, state="failed").exists())
