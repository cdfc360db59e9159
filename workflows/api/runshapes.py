"""How do events and traces look, and what are the doors told and answer?"""

from typing import Any

from rest_framework import serializers

_MOMENT = "RFC 3339, UTC."


class TraceShape(serializers.Serializer[Any]):
    id = serializers.CharField()
    flow = serializers.CharField()
    version = serializers.IntegerField(
        allow_null=True, help_text="Null while it is queued, and for a draft."
    )
    state = serializers.CharField(help_text="queued, running, ok, filtered or failed.")
    type = serializers.CharField()
    key = serializers.CharField()
    event_id = serializers.CharField()
    at = serializers.CharField(help_text=f"When the event was accepted. {_MOMENT}")
    ms = serializers.FloatField(
        allow_null=True, help_text="From acceptance (a later run: from its begin) to its end."
    )
    path = serializers.ListField(child=serializers.CharField(), help_text="Nodes, in order.")
    error = serializers.CharField(allow_null=True)
    change = serializers.IntegerField(help_text="Grows whenever the trace changes.")
    run = serializers.CharField(help_text="live, redrive or replay.")
    replay = serializers.DictField(
        allow_null=True, help_text="The id and the mode of the replay that it belongs to."
    )


class StepShape(serializers.Serializer[Any]):
    node = serializers.CharField()
    outcome = serializers.CharField()
    ports = serializers.ListField(child=serializers.CharField())
    why = serializers.JSONField(allow_null=True)
    output = serializers.JSONField(allow_null=True, help_text="Only where it changed.")
    error = serializers.JSONField(allow_null=True)
    own_us = serializers.IntegerField(help_text="Microseconds of the node's own.")
    effect_ms = serializers.FloatField(allow_null=True, help_text="Spent waiting for the world.")
    attempt = serializers.IntegerField(allow_null=True)
    at = serializers.CharField(help_text=f"When it was committed. {_MOMENT}")


class WholeTraceShape(TraceShape):
    position = serializers.CharField(help_text="Of its event: channel, partition and offset.")
    event = serializers.DictField(
        allow_null=True, help_text="As it came in; null when retention has taken it."
    )
    redrive = serializers.DictField(
        allow_null=True,
        help_text="Of a redrive: its number, the dead letter, by whom, and whether it was edited.",
    )
    steps = StepShape(many=True)


class EventShape(serializers.Serializer[Any]):
    position = serializers.CharField(help_text="Channel number, partition and offset.")
    channel = serializers.CharField()
    id = serializers.CharField()
    type = serializers.CharField()
    key = serializers.CharField()
    accepted_at = serializers.CharField(help_text=_MOMENT)


class WholeEventShape(EventShape):
    event = serializers.DictField(help_text="The CloudEvents object.")
    traces = TraceShape(many=True)


class AcceptedEvent(serializers.Serializer[Any]):
    id = serializers.CharField(required=False)
    duplicate = serializers.BooleanField(required=False)
    trace_url = serializers.CharField(required=False)
    problem = serializers.DictField(required=False, help_text="Instead of the others: why not.")


class AcceptedShape(serializers.Serializer[Any]):
    accepted = serializers.IntegerField()
    duplicates = serializers.IntegerField()
    events = AcceptedEvent(many=True)


class ProblemShape(serializers.Serializer[Any]):
    type = serializers.CharField()
    title = serializers.CharField()
    status = serializers.IntegerField()
    detail = serializers.CharField(help_text="What is wrong and what to do about it.")
