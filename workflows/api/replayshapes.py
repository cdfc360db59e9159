"""How do replays look, and what are they asked for with?"""

from typing import Any

from rest_framework import serializers

from workflows.models import Replay
from workflows.storage import comparisons, replaycounts, runs
from workflows.storage.replays import FASTEST, MOST_PLACES
from workflows.traces.rows import moment

_MOMENT = "RFC 3339, UTC."
_LARGEST = 2**63 - 1


class RangeShape(serializers.Serializer[Any]):
    partition = serializers.IntegerField(min_value=0, max_value=1_000)
    start = serializers.IntegerField(min_value=0, max_value=_LARGEST, help_text="First offset.")
    end = serializers.IntegerField(
        min_value=0, max_value=_LARGEST, help_text="The offset before which it ends."
    )


class NewReplay(serializers.Serializer[Any]):
    flow = serializers.CharField(max_length=60)
    mode = serializers.ChoiceField(
        Replay.Mode.choices,
        help_text="run: effects happen again, under new idempotency keys; skip_done: only those"
        " that weren't made with success before; shadow: nothing leaves, recorded replies answer.",
    )
    draft = serializers.BooleanField(
        default=False, help_text="Into the draft as it is now, not the published version."
    )
    node = serializers.CharField(
        max_length=60, default="", allow_blank=True, help_text="The producer to enter by."
    )
    channel = serializers.CharField(
        max_length=140,
        default="",
        allow_blank=True,
        help_text="The channel to read; by default the one that the producer reads.",
    )
    since = serializers.DateTimeField(default=None, allow_null=True, help_text="Accepted then, on.")
    until = serializers.DateTimeField(default=None, allow_null=True, help_text="Accepted before.")
    type = serializers.CharField(max_length=255, default="", allow_blank=True)
    key = serializers.CharField(max_length=255, default="", allow_blank=True)
    ranges = serializers.ListField(child=RangeShape(), default=list, max_length=MOST_PLACES)
    traces = serializers.ListField(
        child=serializers.CharField(max_length=100),
        default=list,
        max_length=MOST_PLACES,
        help_text="The events of these traces.",
    )
    events = serializers.ListField(
        child=serializers.CharField(max_length=100),
        default=list,
        max_length=MOST_PLACES,
        help_text="The events at these positions.",
    )
    rate = serializers.FloatField(
        default=None,
        allow_null=True,
        min_value=0.01,
        max_value=FASTEST,
        help_text="Events a second; null: as fast as live traffic lets it.",
    )
    dry_run = serializers.BooleanField(default=False, help_text="Only count.")


class ReplayShape(serializers.Serializer[Any]):
    id = serializers.IntegerField(allow_null=True, help_text="Null in a dry run.")
    flow = serializers.CharField()
    version = serializers.IntegerField(allow_null=True, help_text="Null for a draft.")
    draft = serializers.BooleanField()
    node = serializers.CharField(help_text="The producer at which the events enter.")
    channel = serializers.CharField()
    mode = serializers.CharField(help_text="run, skip_done or shadow.")
    state = serializers.CharField(
        help_text="counted (a dry run), counting, running, done, cancelled or failed."
    )
    selection = serializers.DictField()
    rate = serializers.FloatField(allow_null=True)
    total = serializers.IntegerField(help_text="Events that are meant.")
    exact = serializers.BooleanField(help_text="False while a worker still counts: there are more.")
    done = serializers.IntegerField(help_text="Events that it has taken.")
    outcomes = serializers.DictField(
        help_text="Of a shadow run: same, content, different, new (without a live run), open, and"
        " assumed (an effect had no recorded reply). Otherwise traces by state."
    )
    remembers = serializers.ListField(
        child=serializers.CharField(),
        help_text="Of a dry run: nodes with a memory. Outside of a shadow run they see these"
        " events as later ones, so one that drops repeats may drop them.",
    )
    error = serializers.CharField(allow_null=True)
    created_at = serializers.CharField(allow_null=True, help_text=_MOMENT)
    ended_at = serializers.CharField(allow_null=True, help_text=_MOMENT)
    created_by = serializers.CharField(allow_null=True, help_text="Null for a token.")


class DifferenceShape(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    kind = serializers.CharField(
        help_text="different: it ends otherwise; content: the same end, but a node made something"
        " else on the way."
    )
    node = serializers.CharField(help_text="Where the two first differ.")
    live = serializers.CharField()
    shadow = serializers.CharField()
    detail = serializers.CharField()
    trace = serializers.CharField()
    live_trace = serializers.CharField()
    event_id = serializers.CharField()
    type = serializers.CharField()
    key = serializers.CharField()
    assumed = serializers.BooleanField(help_text="An effect had no recorded reply.")


class AlikeShape(serializers.Serializer[Any]):
    kind = serializers.CharField()
    node = serializers.CharField()
    live = serializers.CharField()
    shadow = serializers.CharField()
    events = serializers.IntegerField()
    detail = serializers.CharField(help_text="Of one of them.")
    trace = serializers.CharField(help_text="Of one of them.")


class ComparisonShape(serializers.Serializer[Any]):
    events = serializers.IntegerField()
    same = serializers.IntegerField()
    content = serializers.IntegerField(help_text="The same end, other content on the way.")
    different = serializers.IntegerField()
    new = serializers.IntegerField(help_text="Without a live run to compare with.")
    open = serializers.IntegerField(help_text="Not ended yet, here or live.")
    assumed = serializers.IntegerField(help_text="An effect had no recorded reply.")
    groups = AlikeShape(many=True)


def replay_row(replay: Replay) -> dict[str, Any]:
    """A replay as its shape has it."""
    is_draft = replay.version.number >= runs.FIRST_TRIAL
    is_shadow = replay.mode == Replay.Mode.SHADOW
    return {
        "id": replay.pk,
        "flow": replay.flow.slug,
        "version": None if is_draft else replay.version.number,
        "draft": is_draft,
        "node": replay.subscription.node,
        "channel": replay.subscription.channel.slug,
        "mode": replay.mode,
        "state": replay.state,
        "selection": _selection(replay.selection),
        "rate": replay.rate,
        "total": replay.total,
        "exact": not replay.uncounted,
        "done": replay.done,
        "outcomes": comparisons.counts(replay) if is_shadow else replaycounts.states(replay),
        "remembers": [],
        "error": replay.error or None,
        "created_at": moment(replay.created_at),
        "ended_at": None if replay.ended_at is None else moment(replay.ended_at),
        "created_by": replay.created_by and replay.created_by.get_username(),
    }


def _selection(told: dict[str, Any]) -> dict[str, Any]:
    """What was asked for, its moments as programs read them."""
    moments: dict[str, Any] = {
        name: moment(told[name]) for name in ("since", "until") if name in told
    }
    return {**told, **moments}
