"""A dead letter is taken up again when workers can be reached."""

import json
from pathlib import Path

import pytest

from tests import make
from tests.servers import Stack, wait_until
from workflows.models import DeadLetter, Subscription

pytestmark = pytest.mark.serial


def test_without_redis_a_redrive_is_kept_and_done_when_it_is_back(
    stack_environment: dict[str, str], tmp_path: Path
) -> None:
    flow = make.published(make.order_document())
    version = flow.published
    assert version is not None
    reading = Subscription.objects.get(flow=flow)
    letter = DeadLetter.objects.create(
        flow=flow,
        version=version,
        node="big",
        subscription_id=reading.pk,
        partition=0,
        offset=0,
        path=0,
        event=json.dumps(make.event("e")).encode(),
        event_id="e",
        failure={},
        fingerprint="f",
        dead_at=0.0,
    )
    nowhere = {**stack_environment, "REDIS_URL": f"unix://{tmp_path}/none.sock"}
    without, again = Stack(tmp_path, nowhere), Stack(tmp_path, stack_environment)
    try:
        without.start(workers=0, timers=False)
        url = f"{without.base_url}/api/v1/dead-letters/{letter.pk}/redrive"
        status, answer = make.post(url, {}, make.token())
        assert (status, answer["state"]) == (202, "open")
        again.start(web=False)
        make.wait_for_worker()
        wait_until(lambda: DeadLetter.objects.get().state == "redriven")
    finally:
        without.close()
        again.close()
