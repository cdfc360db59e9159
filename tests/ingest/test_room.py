"""What do the doors say when there is no room: on the disk, or in an inbox?"""

from pathlib import Path

import pytest

from tests import make
from tests.servers import Stack, wait_until
from workflows.models import Channel, Event
from workflows.storage import channels

pytestmark = [pytest.mark.serial, pytest.mark.django_db(transaction=True)]


@pytest.mark.sqlite_alone  # a PostgreSQL server watches its own disk
def test_before_the_disk_is_full_events_are_refused(
    stack_environment: dict[str, str], tmp_path: Path
) -> None:
    stack = Stack(tmp_path, {**stack_environment, "EVENTFLOW_DISK_FLOOR": str(10**9)})
    try:
        stack.start(workers=0, timers=False)
        channels.create(make.workspace().pk, "orders")
        url = f"{stack.base_url}/api/v1/events?channel=orders"
        status, problem = make.post(url, {"type": "T"}, make.token(None, "events:write"))
    finally:
        stack.close()
    assert (status, problem["title"]) == (507, "No room")
    assert "free on the disk" in problem["detail"]
    assert not Event.objects.exists()


def test_a_shared_channel_blocks_only_when_it_is_told_to(web_alone: Stack) -> None:
    nodes = [("in", "producer.channel", {"channel": "orders"}), ("end", "consumer.log", {})]
    make.published(make.document("reader", nodes, ["in:out end"]))
    url = f"{web_alone.base_url}/api/v1/events?channel=orders"
    token = make.token(None, "events:write")
    Channel.objects.update(lag_limit=5)
    for n in range(10):
        assert make.post(url, {"type": "T", "id": str(n)}, token)[0] == 202
    Channel.objects.update(lag_policy="block")
    wait_until(lambda: make.post(url, {"type": "T"}, token)[0] == 429, 10)
