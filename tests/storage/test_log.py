"""The log: dense offsets, no duplicates, no skips, whoever appends at the same time."""

import threading
import time
from collections.abc import Callable
from importlib import import_module
from types import SimpleNamespace

import pytest
from django.apps import apps
from django.db import connection, transaction

from tests import make
from workflows.models import Event, Head, Seen
from workflows.storage import channels, log, sql, stored
from workflows.tasks.context import incoming

pytestmark = pytest.mark.django_db(transaction=True)


def _channel(slug: str = "orders", partitions: int = 4) -> channels.ChannelRow:
    space = make.workspace()
    channels.create(space.pk, slug, partitions=partitions)
    found = channels.find(space.pk, slug)
    assert found is not None
    return found


def _append(channel: channels.ChannelRow, *ids: str) -> list[log.Position]:
    return log.append([incoming(channel, make.event(one)) for one in ids], time.time())


def test_offsets_are_dense_and_in_the_order_of_arrival() -> None:
    channel = _channel(partitions=1)
    places = _append(channel, "a", "b") + _append(channel, "c")
    assert [place.offset for place in places] == [0, 1, 2]
    assert [row.event_id for row in stored.read(channel.id, [(0, 0, 10)])] == ["a", "b", "c"]


def test_who_wont_wait_appends_only_where_nobody_writes_and_all_is_new() -> None:
    channel = _channel()
    _append(channel, "a")

    def append_at_once(*ids: str) -> list[log.Position] | None:
        batch = [incoming(channel, make.event(one)) for one in ids]
        return log.append_at_once(batch, time.time())

    with transaction.atomic():
        sql.execute("UPDATE workflows_head SET head = head")
        assert append_at_once("b") is None
    assert append_at_once("b", "a") is None
    assert Event.objects.count() == 1
    places = append_at_once("b", "c")
    if sql.is_postgres():  # there each statement is waited for
        assert places is None
    else:
        assert _append(channel, "b", "c") == [
            place._replace(duplicate=True) for place in places or []
        ]


def test_the_same_key_lands_in_the_same_partition_as_ever() -> None:
    # Fixed values: a change here would tear the order of every key apart at an upgrade.
    assert [log.partition_of(key, 8) for key in ("a", "customer-7", "πέντε")] == [3, 0, 0]


def test_a_repeat_is_answered_with_the_place_of_the_original() -> None:
    channel = _channel()
    first = _append(channel, "a")[0]
    again = _append(channel, "b", "a")[1]
    assert (again.partition, again.offset, again.duplicate) == (
        first.partition,
        first.offset,
        True,
    )
    assert Event.objects.count() == 2


def test_a_repeat_within_one_batch_is_stored_once() -> None:
    channel = _channel()
    first, second = _append(channel, "a", "a")
    assert (first.duplicate, second.duplicate) == (False, True)
    assert first[:3] == second[:3]
    assert Event.objects.count() == 1


def test_the_same_id_from_another_source_is_another_event() -> None:
    channel = _channel()
    log.append(
        [
            incoming(channel, make.event("a")),
            incoming(channel, make.event("a", source="/elsewhere")),
        ],
        time.time(),
    )
    assert Event.objects.count() == 2


def test_a_repeat_is_recognised_after_its_event_was_pruned() -> None:
    channel = _channel()
    first = _append(channel, "a")[0]
    Event.objects.all().delete()
    assert _append(channel, "a")[0][1:] == (first.partition, first.offset, True)


def test_a_source_and_an_id_that_join_alike_are_told_apart() -> None:
    assert log.digest_of("a", "bc") != log.digest_of("ab", "c")


def test_names_of_ids_that_are_made_one_after_another_lie_side_by_side() -> None:
    ids = [f"01932f6e-{n:04x}-7abc-8def-0123456789ab" for n in range(50)]
    names = [log.digest_of("/orders", one) for one in ids]
    assert names == sorted(names)
    long = ["x" * 255, "x" * 254 + "y"]
    assert len({log.digest_of("/orders", one) for one in long}) == 2, "told apart all the same"
    assert {len(log.digest_of("/orders", one)) for one in [*ids, *long]} == {36}


def test_events_that_were_stored_under_their_old_names_are_recognised_after_the_update(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    migration = import_module("workflows.migrations.0014_sorted_names")
    channel = _channel()
    stored = _append(channel, *(f"e-{n}" for n in range(5)))
    _append(channel, "gone")
    Event.objects.filter(event_id="gone").delete()
    for (digest,) in Seen.objects.values_list("digest"):
        event_id = bytes(digest)[:-12].decode()
        old, new = migration.names_of(make.event(event_id)["source"], event_id)
        assert Seen.objects.filter(digest=new).update(digest=old) == 1
    monkeypatch.setattr(migration, "BATCH", 2)
    for _ in ("at once", "begun anew after a crash"):
        migration.rename(apps, SimpleNamespace(connection=connection))
    again = _append(channel, *(f"e-{n}" for n in range(5)))
    assert again == [one._replace(duplicate=True) for one in stored]
    assert not _append(channel, "gone")[0].duplicate, "without its event it keeps its old name"


def _together(jobs: list[Callable[[], None]]) -> None:
    failures: list[BaseException] = []

    def run(job: Callable[[], None]) -> None:
        try:
            job()
        except BaseException as failure:
            failures.append(failure)
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(job,)) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not failures, failures
    assert not any(thread.is_alive() for thread in threads), "deadlock"


def test_concurrent_appends_leave_no_gap_and_a_reader_skips_nothing() -> None:
    """Writers with overlapping batches over two channels, and a reader that follows by offset:
    it must see every event exactly once, in order, without ever waiting at a gap."""
    one, two = _channel("one", 2), _channel("two", 2)
    rounds, size = 30, 8
    done = threading.Event()
    seen: dict[tuple[int, int], list[int]] = {
        (channel.id, partition): [] for channel in (one, two) for partition in (0, 1)
    }

    def write(writer: int) -> None:
        for i in range(rounds):
            order = (one, two) if writer % 2 else (two, one)
            batch = [
                incoming(channel, make.event(f"{i}-{j if j % 2 else (writer, j)}"))
                for channel in order
                for j in range(size)
            ]
            log.append(batch, time.time())

    def follow() -> None:
        last = False
        while True:
            for (channel_id, partition), offsets in seen.items():
                start = offsets[-1] + 1 if offsets else 0
                rows = stored.read(channel_id, [(partition, start, start + 50)])
                offsets += [row.offset for row in rows]
            if last:
                return
            last = done.is_set()

    reader = threading.Thread(target=lambda: (follow(), connection.close()))
    reader.start()
    _together([lambda n=n: write(n) for n in range(4)])  # type: ignore[misc]
    done.set()
    reader.join(60)
    heads = {(head.channel_id, head.partition): head.head for head in Head.objects.all()}
    assert {where: list(range(head)) for where, head in heads.items()} == seen
    assert Event.objects.count() == Seen.objects.count() == sum(heads.values())
    # per round and channel: half of the ids are each writer's own, half are shared by all four
    assert Event.objects.count() == 2 * rounds * (4 * size // 2 + size // 2)
