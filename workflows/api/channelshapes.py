"""How do channels look, on their way in and out?"""

from typing import Any

from rest_framework import serializers

from workflows.api.shapes import refusing
from workflows.engine import names
from workflows.engine.eventkey import key_refusal
from workflows.engine.indexing import MOST_FIELDS, fields_refusal


def _check_fields(paths: list[str]) -> None:
    if says := fields_refusal(paths):
        raise serializers.ValidationError(says)


class ReaderShape(serializers.Serializer[Any]):
    flow = serializers.CharField()
    node = serializers.CharField()
    state = serializers.CharField()
    lag = serializers.IntegerField()
    oldest = serializers.FloatField(
        allow_null=True, help_text="When its first unread event was accepted, Unix seconds."
    )
    expired = serializers.IntegerField(help_text="Events it was moved past, being too far behind.")


class IndexedFieldShape(serializers.Serializer[Any]):
    field = serializers.CharField()
    whole = serializers.BooleanField(help_text="Whether all events of the channel are in it.")
    since = serializers.FloatField(
        allow_null=True,
        help_text="While it isn't whole: events accepted after this moment are, Unix seconds.",
    )


class ChannelShape(serializers.Serializer[Any]):
    slug = serializers.CharField()
    name = serializers.CharField()
    partitions = serializers.IntegerField()
    retention_days = serializers.IntegerField()
    lag_limit = serializers.IntegerField()
    lag_policy = serializers.CharField()
    key_expression = serializers.CharField()
    indexed_fields = serializers.ListField(child=serializers.CharField())
    indexes = IndexedFieldShape(many=True)
    inbox_of = serializers.CharField(
        allow_null=True, help_text="The flow whose private inbox it is; null for a shared one."
    )
    events = serializers.IntegerField(help_text="That retention has left.")
    lag = serializers.IntegerField(help_text="Events that its slowest reader is behind.")
    readers = ReaderShape(many=True)
    created_at = serializers.DateTimeField()


class ChannelChange(serializers.Serializer[Any]):
    name = serializers.CharField(max_length=120, required=False, allow_blank=True)
    retention_days = serializers.IntegerField(min_value=1, max_value=3650, required=False)
    lag_limit = serializers.IntegerField(
        min_value=1,
        max_value=10**12,
        required=False,
        help_text="Unread events of one reader, past which the lag policy decides.",
    )
    lag_policy = serializers.ChoiceField(
        [("block", "Refuse new events"), ("expire", "Expire the oldest unread events")],
        required=False,
        help_text="block: new events get a 429. expire: the reader is moved on, with an alarm.",
    )
    key_expression = serializers.CharField(
        max_length=1_000,
        required=False,
        allow_blank=True,
        validators=[refusing(key_refusal)],
        help_text="CEL: the key of events without partitionkey and subject; empty: their id.",
    )

    indexed_fields = serializers.ListField(
        child=serializers.CharField(max_length=200),
        max_length=20,
        required=False,
        validators=[_check_fields],
        help_text="What `where` finds events by: key, data.order_id, or an attribute. At most"
        f" {MOST_FIELDS}; these and no others.",
    )


class NewChannel(ChannelChange):
    slug = serializers.CharField(validators=[refusing(names.channel_refusal)])
    partitions = serializers.IntegerField(min_value=1, max_value=64, required=False)
