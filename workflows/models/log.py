"""The log: channels, their partitions' heads, the events, and what was seen before."""

from django.db import models

from workflows.models.hot import hot_key
from workflows.models.people import Workspace


class Channel(models.Model):
    """A named, partitioned, append-only log. One with a `flow` is that producer's private inbox.

    Past `lag_limit` unread events of one reader, `lag_policy` decides: `block` refuses new ones,
    `expire` moves that reader on.
    """

    class LagPolicy(models.TextChoices):
        BLOCK = "block", "Refuse new events"
        EXPIRE = "expire", "Expire the oldest unread events"

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE)
    slug = models.CharField(max_length=140)
    name = models.CharField(max_length=120, blank=True)
    flow = models.ForeignKey(
        "workflows.Flow", null=True, blank=True, on_delete=models.CASCADE, related_name="inboxes"
    )
    node = models.CharField(max_length=60, blank=True)
    partitions = models.PositiveSmallIntegerField(default=8)
    retention_days = models.PositiveIntegerField(default=7)
    lag_limit = models.PositiveBigIntegerField(default=1_000_000)
    lag_policy = models.CharField(max_length=6, choices=LagPolicy.choices, default=LagPolicy.EXPIRE)
    key_expression = models.CharField(max_length=1_000, blank=True)  # CEL; empty: the id
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=["workspace", "slug"], name="one_channel_a_slug"),
        )


class Head(models.Model):
    """The offset that the next event of a partition gets. Locked only while an append commits."""

    pk = models.CompositePrimaryKey("channel", "partition")
    channel = models.ForeignKey(Channel, on_delete=models.CASCADE)
    partition = models.PositiveSmallIntegerField()
    head = models.BigIntegerField(default=0)
    tail = models.BigIntegerField(default=0)  # the oldest offset that retention has left


class Event(models.Model):
    """One accepted event. Never updated."""

    pk = models.CompositePrimaryKey("channel", "partition", "offset")
    channel = hot_key(Channel)
    partition = models.PositiveSmallIntegerField()
    offset = models.BigIntegerField()
    event_id = models.CharField(max_length=255)
    type = models.CharField(max_length=255)
    key = models.CharField(max_length=255)
    accepted_at = models.FloatField()
    body = models.BinaryField()  # the CloudEvents object

    class Meta:
        indexes = (models.Index(fields=["event_id"], name="event_by_id"),)


class Seen(models.Model):
    """That (source, id) came in before, and where it lies. Outlives the event itself."""

    pk = models.CompositePrimaryKey("channel", "digest")
    channel = hot_key(Channel)
    digest = models.BinaryField(max_length=36)
    partition = models.PositiveSmallIntegerField()
    offset = models.BigIntegerField()
    expires_at = models.FloatField()

    class Meta:
        indexes = (models.Index(fields=["expires_at"], name="seen_expiry"),)
