"""How do flows, channels and the things of a workspace look, on their way in and out?"""

from collections.abc import Callable
from typing import Any

from rest_framework import serializers

from workflows.engine import names
from workflows.storage import people

_FLOW_FILE = "A flow as a file has it: format, name, nodes, wires, settings, layout."


def refusing(refusal: Callable[[str], str]) -> Callable[[str], None]:
    """A validator from a rule that says why a name is refused, or nothing."""

    def check(name: str) -> None:
        if says := refusal(name):
            raise serializers.ValidationError(says)

    return check


class FlowShape(serializers.Serializer[Any]):
    slug = serializers.CharField()
    name = serializers.CharField()
    description = serializers.CharField()
    paused = serializers.BooleanField()
    published = serializers.IntegerField(
        allow_null=True, help_text="Number of the version that runs; null before the first one."
    )
    lag = serializers.IntegerField(help_text="Events that the flow has still to take.")
    dead_letters = serializers.IntegerField(help_text="Open dead letters.")
    failing_timers = serializers.IntegerField(
        help_text="Producers that make events by themselves and couldn't at their last moment."
    )
    created_at = serializers.DateTimeField()


class NewFlow(serializers.Serializer[Any]):
    slug = serializers.CharField(validators=[refusing(names.flow_refusal)])
    name = serializers.CharField(max_length=120)
    description = serializers.CharField(max_length=10_000, required=False, allow_blank=True)


class FlowChange(serializers.Serializer[Any]):
    name = serializers.CharField(max_length=120, required=False)
    description = serializers.CharField(max_length=10_000, required=False, allow_blank=True)


class ProblemLine(serializers.Serializer[Any]):
    node = serializers.CharField(help_text="Node id; empty for the flow as a whole.")
    field = serializers.CharField(help_text="Configuration field; empty for the node as a whole.")
    says = serializers.CharField()
    level = serializers.CharField(help_text="error, or warning (which prevents nothing).")


class SavedShape(serializers.Serializer[Any]):
    revision = serializers.IntegerField()
    problems = ProblemLine(many=True)
    nodes = serializers.DictField(help_text="By node id: summary, ports, label, icon and role.")
    changes = serializers.IntegerField(help_text="Differences from what runs now.")


class DraftShape(serializers.Serializer[Any]):
    revision = serializers.IntegerField()
    document = serializers.DictField(help_text=_FLOW_FILE)
    problems = ProblemLine(many=True)
    nodes = serializers.DictField(help_text="By node id: summary, ports, label, icon and role.")
    changes = serializers.IntegerField(help_text="Differences from what runs now.")


class DraftBody(serializers.Serializer[Any]):
    document = serializers.DictField(help_text=_FLOW_FILE)


class PublishBody(serializers.Serializer[Any]):
    note = serializers.CharField(max_length=200, required=False, allow_blank=True)
    unread = serializers.ChoiceField(
        [("ask", "Ask"), ("finish", "Finish"), ("expire", "Expire")],
        default="ask",
        help_text="What becomes of unread events of producers that the new version doesn't have:"
        " finish them on the version that runs now, expire them, or ask (409 if there are any).",
    )
    on_removed = serializers.ChoiceField(
        [("ask", "Ask"), ("finish", "Finish"), ("dead_letter", "Dead letter"), ("drop", "Drop")],
        default="ask",
        help_text="What becomes of events held at nodes that the new version doesn't have: finish"
        " them on the version that took them, make dead letters of them, drop them, or ask.",
    )
    start = serializers.ChoiceField(
        [("latest", "Latest"), ("earliest", "Earliest")],
        default="latest",
        help_text="Where a producer that is new begins in a shared channel.",
    )


class PublishedShape(serializers.Serializer[Any]):
    number = serializers.IntegerField()


class ImportedShape(serializers.Serializer[Any]):
    slug = serializers.CharField()
    number = serializers.IntegerField(
        allow_null=True, help_text="The version that was published; null for a draft."
    )


class VersionShape(serializers.Serializer[Any]):
    number = serializers.IntegerField()
    note = serializers.CharField()
    created_at = serializers.DateTimeField()
    created_by = serializers.CharField(allow_null=True)
    running = serializers.BooleanField()


class WholeVersionShape(VersionShape):
    document = serializers.DictField(help_text=_FLOW_FILE)


class StateShape(serializers.Serializer[Any]):
    paused = serializers.BooleanField()


class TotalsShape(serializers.Serializer[Any]):
    nodes = serializers.DictField(
        child=serializers.DictField(child=serializers.IntegerField()),
        help_text="By node id: arrived, each outcome, and held for what is parked there.",
    )
    wires = serializers.DictField(
        child=serializers.IntegerField(), help_text="By `node:port`, what left by that port."
    )
    lag = serializers.IntegerField()


class NodeTypeShape(serializers.Serializer[Any]):
    type = serializers.CharField()
    role = serializers.CharField()
    label = serializers.CharField()  # type: ignore[assignment]
    icon = serializers.CharField()
    summary = serializers.CharField()
    help = serializers.CharField()
    version = serializers.IntegerField()
    has_input = serializers.BooleanField()
    outputs = serializers.ListField(child=serializers.DictField())
    can_fail = serializers.BooleanField()
    defaults = serializers.DictField()
    schema = serializers.DictField(help_text="JSON Schema of the configuration.")
    examples = serializers.ListField(child=serializers.DictField())


class TokenShape(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    name = serializers.CharField()
    prefix = serializers.CharField(help_text="The first characters of its text.")
    scopes = serializers.ListField(child=serializers.CharField())
    created_at = serializers.DateTimeField()
    last_used_at = serializers.DateTimeField(allow_null=True)


class CreatedTokenShape(TokenShape):
    token = serializers.CharField(help_text="Shown only in this answer.")


class NewToken(serializers.Serializer[Any]):
    name = serializers.CharField(max_length=120)
    scopes = serializers.ListField(
        child=serializers.ChoiceField(people.SCOPES), allow_empty=False, max_length=10
    )


class ConnectionShape(serializers.Serializer[Any]):
    name = serializers.CharField()
    note = serializers.CharField()
    updated_at = serializers.DateTimeField()


class ConnectionBody(serializers.Serializer[Any]):
    secret = serializers.CharField(
        max_length=10_000, trim_whitespace=False, help_text="Never returned."
    )
    note = serializers.CharField(max_length=200, required=False, allow_blank=True, default="")


class NewConnection(ConnectionBody):
    name = serializers.CharField(validators=[refusing(names.connection_refusal)])


class WorkspaceShape(serializers.Serializer[Any]):
    slug = serializers.CharField()
    name = serializers.CharField()
    role = serializers.CharField(allow_null=True, help_text="Yours; null for a token.")


class MeShape(serializers.Serializer[Any]):
    username = serializers.CharField(allow_null=True, help_text="Null for a token.")
    scopes = serializers.ListField(
        child=serializers.CharField(), allow_null=True, help_text="The token's; null for a person."
    )
    workspaces = WorkspaceShape(many=True)
