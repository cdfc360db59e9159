"""Where is my event? Every place where it is, or where it ended."""

from typing import Any
from urllib.parse import quote

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from workflows.api.auth import READ_TRACES
from workflows.api.base import ApiView, shown
from workflows.api.paging import onward, place_of
from workflows.api.problems import Problem
from workflows.api.schema import operation
from workflows.storage import whereabouts
from workflows.storage.fates import Place
from workflows.storage.sought import Question, read_question
from workflows.storage.whereabouts import Answer, Found
from workflows.traces.rows import moment

_MOMENT = "RFC 3339, UTC."
_ADDRESSES = {"event": "events", "trace": "traces", "dead_letter": "dead-letters"}


class PlaceShape(serializers.Serializer[Any]):
    what = serializers.CharField(
        help_text="accepted, unread, passed_by, queued, taken, held, waiting, retrying, dead, lost,"
        " filtered, deduplicated, batched, expired, delivered, caused, gone or more."
    )
    state = serializers.CharField(help_text="ok, filtered, failed, running, queued or held.")
    says = serializers.CharField()
    flow = serializers.CharField(allow_null=True)
    node = serializers.CharField(allow_null=True)
    at = serializers.CharField(allow_null=True, help_text=_MOMENT)
    until = serializers.CharField(
        allow_null=True, help_text=f"When it goes on, or how long it is remembered. {_MOMENT}"
    )
    url = serializers.CharField(allow_null=True, help_text="Where there is more of it.")


class WhereEventShape(serializers.Serializer[Any]):
    id = serializers.CharField()
    type = serializers.CharField()
    key = serializers.CharField()
    source = serializers.CharField()  # type: ignore[assignment]  # a field like the others
    channel = serializers.CharField()
    position = serializers.CharField()
    accepted_at = serializers.CharField(help_text=_MOMENT)
    places = PlaceShape(many=True)


class IndexShape(serializers.Serializer[Any]):
    channel = serializers.CharField()
    field = serializers.CharField()
    since = serializers.CharField(
        allow_null=True,
        help_text="Only events accepted after this moment are sure to be found, since older ones"
        f" are being added; null: all are. {_MOMENT}",
    )


class WhereShape(serializers.Serializer[Any]):
    events = WhereEventShape(many=True)
    more = serializers.BooleanField(
        help_text=f"Whether more than these {whereabouts.MOST_EVENTS} events fit."
    )
    gone = PlaceShape(many=True)
    indexes = IndexShape(many=True, help_text="The indexed fields that were asked.")
    searched_since = serializers.CharField(
        allow_null=True,
        help_text="A key that its channel doesn't index was looked for among the events accepted"
        f" after this moment; null: among all. {_MOMENT}",
    )
    next = serializers.CharField(
        allow_null=True, help_text="Follow it to look further back; null when there is no more."
    )


class Where(ApiView):
    @operation(
        "find_event",
        "Tell every place where an event is, or where it ended",
        READ_TRACES,
        WhereShape,
        params={
            "q": "An id or a key; or parts with names: `id=… key=… source=…`,"
            " or an indexed field: `data.order_id=…`.",
            "id": "An event's id, whole.",
            "key": "A key, whole: the newest events of it.",
            "source": "The event's source, with an id or a key. It also finds what was accepted"
            " earlier and isn't stored any more.",
            "field": "A field that a channel indexes, such as data.order_id.",
            "value": "What the field has: a text or a number, whole.",
            "cursor": "Where an earlier answer's `next` goes on.",
        },
        also={400: "No channel indexes the field."},
    )
    def get(self, request: Request) -> Response:
        asked = read_question(self.asked("q"))
        question = Question(
            asked.any,
            self.asked("id") or asked.id,
            self.asked("key") or asked.key,
            self.asked("source") or asked.source,
            self.asked("field"),
            self.asked("value"),
        )
        try:
            before = place_of(request).bounds or None
            answer = whereabouts.answer(self.caller.workspace_id, question, before)
        except whereabouts.Unanswerable as refused:
            raise Problem(400, str(refused), field="field") from None
        beyond = answer.beyond and onward(request, answer.beyond)
        return Response(shown(WhereShape, {**_body(answer), "next": beyond}))


def _body(answer: Answer) -> dict[str, Any]:
    return {
        "events": [_event(found) for found in answer.events],
        "more": answer.is_cut,
        "gone": [_place(place) for place in answer.gone],
        "indexes": [
            {
                "channel": index.channel,
                "field": index.path,
                "since": None if index.since is None else moment(index.since),
            }
            for index in answer.indexes
        ],
        "searched_since": None if answer.since is None else moment(answer.since),
    }


def _event(found: Found) -> dict[str, Any]:
    return {
        **found._asdict(),
        "id": found.event_id,
        "accepted_at": moment(found.accepted_at),
        "places": [_place(place) for place in found.places],
    }


def _place(place: Place) -> dict[str, Any]:
    url = f"/api/v1/{_ADDRESSES[place.link]}/{place.ref}" if place.link else None
    if place.follow:
        url = f"/api/v1/where?id={quote(place.follow, safe='')}"
    return {
        "what": place.what,
        "state": place.state,
        "says": place.says,
        "flow": place.flow or None,
        "node": place.node or None,
        "at": None if place.at is None else moment(place.at),
        "until": None if place.until is None else moment(place.until),
        "url": url,
    }
