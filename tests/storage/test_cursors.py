"""Cursors that several workers change at once: nobody waits for somebody who waits for him."""

import contextlib
import random
import threading
from collections.abc import Callable

import pytest
from django.db import connections, transaction

from tests import make
from workflows.models import Cursor, Subscription
from workflows.storage import cursors
from workflows.storage.parts import CursorMove, Fenced

pytestmark = pytest.mark.django_db(transaction=True)
ROUNDS = 150
PARTITIONS = range(8)


def _lease(subscription_id: int, chance: random.Random) -> None:
    some = chance.sample(PARTITIONS, 6)
    cursors.lease(subscription_id, some, f"w{chance.random()}", 0.0)


def _fence(subscription_id: int, _: random.Random) -> None:
    with transaction.atomic():
        cursors.fence([subscription_id])


def _move(subscription_id: int, chance: random.Random) -> None:
    epochs = dict(Cursor.objects.values_list("partition", "epoch"))
    moves = [CursorMove(n, epochs[n], 0, 0, 0.0) for n in chance.sample(PARTITIONS, 6)]
    with contextlib.suppress(Fenced), transaction.atomic():  # others give new epochs meanwhile
        cursors.move(subscription_id, moves)


def test_whoever_changes_many_cursors_locks_them_in_one_order() -> None:
    nodes = [("in", "producer.http", {}), ("end", "consumer.log", {})]
    make.published(make.document("busy", nodes, ["in:out end"]))
    subscription_id = Subscription.objects.get().pk
    failures: list[BaseException] = []

    def go(job: Callable[[int, random.Random], None], seed: int) -> None:
        chance = random.Random(seed)
        try:
            for _ in range(ROUNDS):
                job(subscription_id, chance)
        except BaseException as problem:
            failures.append(problem)
        finally:
            connections.close_all()

    jobs = [_lease, _fence, _move, _move]
    threads = [threading.Thread(target=go, args=one) for one in zip(jobs, range(4), strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert failures == []
