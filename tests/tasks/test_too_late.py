"""What a worker meant to call when it was stopped for a while is not called by it afterwards."""

from typing import Any

import pytest

from tests import make
from tests.servers import wait_until
from tests.sink import Sink
from tests.tasks.replaying import drain, http, settled
from workflows.connectors.base import TooLate
from workflows.connectors.http import HttpConnector
from workflows.engine.effects import Reply
from workflows.tasks.inhand import Room


@pytest.mark.parametrize("ahead", [True, False], ids=["before the commit", "after it"])
def test_what_was_too_late_to_begin_is_given_back_and_called_once(
    sink: Sink, monkeypatch: pytest.MonkeyPatch, ahead: bool
) -> None:
    if not ahead:
        monkeypatch.setattr(Room, "ahead", lambda *_: -1)
    perform, late = HttpConnector.perform, list(range(3))

    async def seldom_in_time(self: HttpConnector, effect: Any, key: str) -> Reply:
        if late:
            late.pop()
            raise TooLate
        return await perform(self, effect, key)

    monkeypatch.setattr(HttpConnector, "perform", seldom_in_time)
    flow = make.published(make.order_document(consumer=http(sink)))
    make.append(flow, [make.event(f"e{n}") for n in range(6)])
    drain(flow)
    wait_until(lambda: settled(flow) and not late)
    assert sorted(sink.ids()) == [f"e{n}" for n in range(6)]
