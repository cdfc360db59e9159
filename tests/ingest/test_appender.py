"""The appender answers each request: with places, or with what went wrong."""

import asyncio
import time
from collections.abc import Sequence

import msgspec
import pytest

from tests import make
from workflows.ingest.appender import Appender
from workflows.models import Event
from workflows.storage import channels, log
from workflows.storage.log import Incoming, Position
from workflows.tasks.context import incoming

# On PostgreSQL the thread does it all, as the tests of the doors show.
pytestmark = [pytest.mark.sqlite_alone, pytest.mark.django_db(transaction=True)]

_PATIENCE = 10.0  # seconds; a request that nobody answers would wait for ever


@pytest.fixture
def appender() -> Appender:
    return Appender()


def _batch(*ids: str) -> list[Incoming]:
    space = make.workspace()
    channels.create(space.pk, "orders")
    channel = channels.find(space.pk, "orders")
    assert channel is not None
    return [incoming(channel, make.event(one)) for one in ids]


def _append(
    appender: Appender, *batches: Sequence[Incoming]
) -> list[list[Position] | BaseException]:
    """What each of these requests, which come in together, is answered."""

    async def together() -> list[list[Position] | BaseException]:
        waiting = (asyncio.wait_for(appender.append(one), _PATIENCE) for one in batches)
        return await asyncio.gather(*waiting, return_exceptions=True)

    return asyncio.run(together())


def _stored() -> set[str]:
    return set(Event.objects.values_list("event_id", flat=True))


def test_requests_that_come_together_are_answered_each_with_its_own(appender: Appender) -> None:
    one, two, three = _batch("a", "b", "c")
    answers = _append(appender, [one, two], [three])
    again = log.append([one, two, three], time.time())
    assert [place for answer in answers if isinstance(answer, list) for place in answer] == [
        place._replace(duplicate=False) for place in again
    ]


def test_what_the_loop_cannot_do_for_any_reason_the_thread_does(
    appender: Appender, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lose_the_lock(batch: Sequence[Incoming], now: float) -> list[Position] | None:
        raise OSError("No locks available")

    batch = _batch("a")
    monkeypatch.setattr(log, "append_at_once", lose_the_lock)
    (answer,) = _append(appender, batch)
    assert isinstance(answer, list), answer
    assert _stored() == {"a"}


def test_what_the_thread_cannot_do_either_fails_its_own_request_only(appender: Appender) -> None:
    good, bad = _batch("good", "bad")
    bad = msgspec.structs.replace(bad, channel_id=2**70)  # no database has room for that
    answers = _append(appender, [bad], [good])
    assert isinstance(answers[0], Exception)
    assert not isinstance(answers[0], TimeoutError)
    assert isinstance(answers[1], list), answers[1]
    assert _stored() == {"good"}
