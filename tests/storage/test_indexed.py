"""Indexed fields: kept with the append, added afterwards for older events, gone with them."""

import time
from typing import Any

import pytest

from tests import make
from tests.explain import plan_of, reads_all_of
from tests.sending import send
from workflows.models import Channel, Event, IndexedField, IndexedValue
from workflows.storage import channeledits, channels, indexed, retention, sought, whereabouts
from workflows.storage.sought import Question

pytestmark = pytest.mark.django_db(transaction=True)

DAY = 86_400.0


def _channel(*paths: str, slug: str = "shared", partitions: int = 2) -> Channel:
    space = make.workspace()
    return channeledits.make(space.pk, slug, partitions=partitions, indexed_fields=paths)


def _event(event_id: str, order: Any, **more: Any) -> dict[str, Any]:
    return make.event(event_id, data={"order": order}, **more)


def _found(text: str) -> list[str]:
    answer = whereabouts.answer(make.workspace().pk, sought.read_question(text))
    return [event.event_id for event in answer.events]


def _settled() -> None:
    """As if the last change had been made a while ago."""
    IndexedField.objects.update(added_at=time.time() - 60)
    IndexedField.objects.exclude(removed_at=None).update(removed_at=time.time() - 60)


def _catch_up() -> None:
    indexed.catch_up(10.0)


def test_an_event_is_found_by_its_indexed_fields_and_its_key() -> None:
    _channel("data.order", "key")
    send("shared", [_event("a", 4711), _event("b", "4711"), _event("c", 4711.0, subject="k")])
    send("shared", [_event("d", 4712), _event("e", None), make.event("f", data="4711")])
    assert sorted(_found("data.order=4711")) == ["a", "b", "c"]
    assert _found("data.order=4711 source=/other") == []
    assert _found("key=k") == ["c"]
    assert _found("data.order=471") == []


def test_without_indexed_fields_an_append_keeps_nothing_more() -> None:
    _channel()
    send("shared", [_event("a", 4711)])
    assert not IndexedValue.objects.exists()


def test_a_repeat_is_indexed_once() -> None:
    _channel("data.order")
    send("shared", [_event("a", 1), _event("a", 1)])
    send("shared", [_event("a", 1)])
    assert IndexedValue.objects.count() == 1


def test_who_asks_for_a_field_that_is_not_indexed_hears_which_are() -> None:
    _channel("data.order")
    with pytest.raises(whereabouts.Unanswerable, match=r"data\.order \(in shared\)"):
        _found("data.customer=7")
    with pytest.raises(whereabouts.Unanswerable, match="settings of its channel"):
        whereabouts.answer(make.workspace("empty").pk, Question(field="subject", value="7"))


def test_texts_of_any_kind_are_found() -> None:
    _channel("data.order")
    for number, text in enumerate(["a\x00b", "Ünïcode 🦉", "x" * 1_000, "a = b", "true"]):
        send("shared", [_event(str(number), text)])
        space = make.workspace().pk
        answer = whereabouts.answer(space, Question(field="data.order", value=text))
        assert [event.event_id for event in answer.events] == [str(number)]


def test_two_values_with_one_digest_are_told_apart() -> None:
    _channel("data.order", partitions=1)
    send("shared", [_event("a", "one"), _event("b", "two")])
    one, two = IndexedValue.objects.order_by("offset").values_list("digest", flat=True)
    IndexedValue.objects.filter(digest=two).update(digest=one)
    assert _found("data.order=one") == ["a"]


def test_older_events_are_added_the_newest_first_and_the_answer_says_how_far() -> None:
    channel = _channel(partitions=1)
    send("shared", [_event(str(n), n) for n in range(450)])
    Event.objects.update(accepted_at=time.time() - DAY)
    channeledits.change(channel, indexed_fields=["data.order"])
    send("shared", [_event("new", 1_000)])
    _catch_up()  # too early: another process may not know of the field yet
    assert (_found("data.order=449"), _found("data.order=1000")) == ([], ["new"])
    (field,) = indexed.of_workspace(channel.workspace_id)
    assert field.since is not None and field.since > time.time()
    _settled()
    indexed.catch_up(1e-9)
    assert not indexed.of_workspace(channel.workspace_id)[0].is_whole
    _catch_up()
    (field,) = indexed.of_workspace(channel.workspace_id)
    assert (field.is_whole, field.since) == (True, None)
    assert [_found(f"data.order={n}") for n in (0, 449, 1_000)] == [["0"], ["449"], ["new"]]
    assert IndexedValue.objects.count() == 451


def test_halfway_the_answer_says_from_when_on_events_are_found() -> None:
    channel = _channel("data.order", partitions=1)
    send("shared", [_event(str(n), n) for n in range(10)])
    for event in Event.objects.all():
        Event.objects.filter(offset=event.offset).update(accepted_at=1_000.0 + event.offset)
    IndexedField.objects.update(missing="[[0,0,7]]")
    (field,) = indexed.of_workspace(channel.workspace_id)
    assert field.since == 1_006.0


def test_a_key_is_looked_for_in_the_log_as_long_as_its_index_is_not_whole() -> None:
    channel = _channel(partitions=1)
    send("shared", [_event("old", 1, subject="k")])
    channeledits.change(channel, indexed_fields=["key"])
    send("shared", [_event("new", 1, subject="k")])
    assert _found("key=k") == ["new", "old"]
    _settled()
    _catch_up()
    assert _found("key=k") == ["new", "old"]
    answer = whereabouts.answer(make.workspace().pk, Question(key="k"))
    assert answer.beyond is None


def test_retention_leaves_no_value_of_what_it_deletes() -> None:
    channel = _channel("data.order", "key")
    send("shared", [_event(str(n), n) for n in range(50)])
    Event.objects.update(accepted_at=time.time() - 30 * DAY)
    send("shared", [_event("new", 7)])
    assert retention.prune() == 50
    assert _found("data.order=7") == ["new"]
    assert IndexedValue.objects.count() == 2
    _settled()
    _catch_up()
    assert IndexedValue.objects.count() == 2
    channeledits.remove(channel)
    assert not IndexedValue.objects.exists()
    assert not IndexedField.objects.exists()


def test_what_retention_takes_meanwhile_is_not_added_any_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    channel = _channel(partitions=1)
    send("shared", [_event(str(n), n) for n in range(20)])
    channeledits.change(channel, indexed_fields=["data.order"])
    _settled()
    read = indexed.stored.read

    def read_and_prune(*args: Any) -> Any:
        found = read(*args)
        Event.objects.update(accepted_at=time.time() - 30 * DAY)
        retention.prune()
        return found

    monkeypatch.setattr(indexed.stored, "read", read_and_prune)
    _catch_up()
    assert not IndexedValue.objects.exists()


def test_a_removed_field_is_not_found_any_more_and_its_values_go() -> None:
    channel = _channel("data.order", "key")
    send("shared", [_event(str(n), n) for n in range(10)])
    channeledits.change(channel, indexed_fields=["key"])
    with pytest.raises(whereabouts.Unanswerable):
        _found("data.order=7")
    _settled()
    _catch_up()
    assert (IndexedField.objects.count(), IndexedValue.objects.count()) == (1, 10)
    channeledits.change(channel, indexed_fields=["data.order", "key"])
    _settled()
    _catch_up()
    assert _found("data.order=7") == ["7"]


def test_the_inbox_of_a_flow_takes_its_values_along() -> None:
    flow = make.published(make.order_document())
    channel = channels.get(flow.workspace_id, "orders.in")
    assert channel is not None
    channeledits.change(channel, indexed_fields=["key"])
    make.append(flow, [make.event("a")])
    assert IndexedValue.objects.count() == 1
    from workflows.storage import flows

    flows.delete(flow)
    assert not IndexedValue.objects.exists()


def test_a_value_is_looked_up_in_the_index() -> None:
    channel = _channel("data.order", "key")
    send("shared", [_event(str(n), n) for n in range(10)])
    fields = indexed.of_workspace(channel.workspace_id)
    plan = plan_of(lambda: indexed.find(fields, "7", 5))
    assert not any(reads_all_of(table, plan) for table in ("v", "e", "workflows_event"))
