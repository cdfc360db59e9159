"""How do dead letters, their groups and runs over them look, on their way in and out?"""

from typing import Any

from rest_framework import serializers

from workflows.storage.redrives import FASTEST, MOST_LETTERS

_MOMENT = "RFC 3339, UTC."
_VERSIONS = ("published", "failed")


class DeadLetterShape(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    flow = serializers.CharField()
    version = serializers.IntegerField(help_text="The one that it died on.")
    node = serializers.CharField()
    state = serializers.CharField(help_text="open, redriven or discarded.")
    kind = serializers.CharField()
    message = serializers.CharField()
    fingerprint = serializers.CharField(help_text="The same for failures that look the same.")
    attempts = serializers.IntegerField()
    event_id = serializers.CharField()
    trace = serializers.CharField()
    at = serializers.CharField(help_text=_MOMENT)
    closed_at = serializers.CharField(allow_null=True, help_text=_MOMENT)
    closed_by = serializers.CharField(allow_null=True)
    redrive = serializers.IntegerField(allow_null=True, help_text="The run that took it up.")
    redriven_as = serializers.CharField(allow_null=True, help_text="The trace that came of it.")
    outcome = serializers.CharField(
        allow_null=True, help_text="Of that trace: running, ok, filtered or failed."
    )


class AttemptShape(serializers.Serializer[Any]):
    number = serializers.IntegerField()
    at = serializers.CharField(help_text=_MOMENT)
    kind = serializers.CharField()
    message = serializers.CharField()
    took_ms = serializers.FloatField(allow_null=True, help_text="Spent waiting for the world.")
    detail = serializers.JSONField(allow_null=True, help_text="The beginning of the answer.")


class WholeDeadLetterShape(DeadLetterShape):
    event = serializers.DictField(help_text="As it reached the node.")
    edited_event = serializers.DictField(
        allow_null=True, help_text="What ran instead, when it was redriven with other data."
    )
    failure = serializers.DictField()
    answers = AttemptShape(many=True, help_text="What each attempt was answered.")


class DeadGroupShape(serializers.Serializer[Any]):
    flow = serializers.CharField()
    node = serializers.CharField()
    fingerprint = serializers.CharField()
    kind = serializers.CharField()
    message = serializers.CharField(help_text="Of the newest letter.")
    open = serializers.IntegerField(help_text="How many letters are open.")
    first_at = serializers.CharField(help_text=f"When it happened first. {_MOMENT}")
    newest_at = serializers.CharField(help_text=f"When it happened last. {_MOMENT}")
    newest = serializers.IntegerField(allow_null=True, help_text="Id of the newest open letter.")


class RedriveOne(serializers.Serializer[Any]):
    data = serializers.JSONField(  # type: ignore[assignment]  # a field like the others
        required=False, help_text="Other data for the event; what lies in the log isn't changed."
    )
    version = serializers.ChoiceField(
        _VERSIONS,
        required=False,
        help_text="published (the default; where the node is gone, the one it failed on) or"
        " failed: the one it failed on.",
    )


class Choice(serializers.Serializer[Any]):
    """Which open letters: by their ids, by a filter, or all."""

    ids = serializers.ListField(
        child=serializers.IntegerField(min_value=1, max_value=2**63 - 1),
        required=False,
        max_length=MOST_LETTERS,
    )
    flow = serializers.CharField(required=False)
    node = serializers.CharField(required=False)
    kind = serializers.CharField(required=False)
    fingerprint = serializers.CharField(required=False)
    since = serializers.DateTimeField(required=False, help_text="Those that died since then.")
    text = serializers.CharField(
        required=False, help_text="Those whose group's message has it in it."
    )
    all = serializers.BooleanField(required=False, help_text="Every open letter.")
    dry_run = serializers.BooleanField(required=False, help_text="Only count them.")


class RedriveChoice(Choice):
    version = RedriveOne().fields["version"]
    rate = serializers.FloatField(
        required=False, min_value=0.01, max_value=FASTEST, help_text="Letters a second, at most."
    )
    stop_on_error = serializers.IntegerField(
        required=False,
        min_value=1,
        max_value=1_000_000,
        help_text="Stop when so many have died again; up to ten more may be under way then.",
    )


class CountShape(serializers.Serializer[Any]):
    letters = serializers.IntegerField(help_text="Open letters that would be taken up.")
    groups = serializers.IntegerField(help_text="Groups of the same failure that they are in.")


class RedriveShape(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    act = serializers.CharField(help_text="redrive or discard.")
    by = serializers.CharField()
    filter = serializers.DictField()
    version = serializers.CharField(help_text="published or failed.")
    rate = serializers.FloatField(allow_null=True)
    stop_on_error = serializers.IntegerField(allow_null=True)
    state = serializers.CharField(help_text="running, done, stopped or cancelled.")
    says = serializers.CharField(help_text="Why it waits or has stopped.")
    total = serializers.IntegerField(help_text="Open letters when it began.")
    done = serializers.IntegerField(help_text="Letters that it has taken up.")
    ok = serializers.IntegerField(help_text="Those that ended well.")
    failed = serializers.IntegerField(help_text="Those that died again.")
    skipped = serializers.IntegerField(help_text="Those that couldn't be run, and stay open.")
    begun_at = serializers.CharField(help_text=_MOMENT)
    ended_at = serializers.CharField(
        allow_null=True, help_text=f"When the last one that was taken up had ended. {_MOMENT}"
    )
