"""A selection of events, read in the order in which they were accepted, each one once."""

import itertools
import random
import time

import pytest

from tests import make
from tests.sending import send
from workflows.models import Event
from workflows.storage import channels, ranges
from workflows.storage.ranges import Selection

pytestmark = pytest.mark.django_db(transaction=True)


def _read_all(channel_id: int, selection: Selection, limit: int) -> list[tuple[int, int, float]]:
    """All batches of a selection, as a replay reads them."""
    left, out = ranges.spans(channel_id, selection), []
    for _ in range(1_000):
        if not left:
            return out
        batch = ranges.read(channel_id, selection, left, limit)
        rows = batch.rows[: batch.ready]
        out += [(row.partition, row.offset, row.accepted_at) for row in rows]
        left = batch.left(left, len(rows))
    raise AssertionError("it doesn't come to its end")


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(("searched", "limit"), [(20_000, 3), (2, 3), (3, 200), (20_000, 200)])
def test_partitions_are_woven_by_time_however_rare_the_events_are(
    seed: int, searched: int, limit: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    chance = random.Random(seed)
    channel_id = channels.create(make.workspace().pk, "shared", partitions=3)
    kinds = [chance.choice(["wanted", "other", "other", "other"]) for _ in range(60)]
    send("shared", [make.event(f"e{n}", type=kind) for n, kind in enumerate(kinds)])
    begun = time.time() - 1_000
    moments = itertools.count()
    for event in sorted(Event.objects.all(), key=lambda one: int(one.event_id[1:])):
        Event.objects.filter(pk=event.pk).update(accepted_at=begun + next(moments))
    monkeypatch.setattr(ranges, "_SEARCHED", searched)
    found = _read_all(channel_id, Selection(type="wanted"), limit)
    assert len(found) == kinds.count("wanted")
    assert [row[2] for row in found] == sorted(row[2] for row in found)
