"""What running leaves behind: traces, their segments, counters, and the nodes' memory."""

from django.db import models

from workflows.models.flow import Flow, Subscription
from workflows.models.hot import hot_key
from workflows.models.log import Channel


class Trace(models.Model):
    """One run of an event through one flow version: (subscription, partition, offset, run).

    The steps of the commit that took the event lie in the row itself; those that follow are
    `Segment`s. `open` counts its arrivals that are not done; the state follows from the counts.
    """

    class State(models.TextChoices):
        RUNNING = "running", "Running"
        OK = "ok", "Done"
        FILTERED = "filtered", "Filtered"
        FAILED = "failed", "Failed"

    pk = models.CompositePrimaryKey("subscription", "partition", "offset", "run")
    subscription = hot_key(Subscription)
    partition = models.PositiveSmallIntegerField()
    offset = models.BigIntegerField()
    run = models.PositiveIntegerField(default=0)  # 0 is live; others are replays and redrives
    flow = hot_key(Flow)
    version = models.PositiveIntegerField()
    number = models.BigIntegerField()  # the change number of its first commit
    state = models.CharField(max_length=8)
    open = models.IntegerField(default=0)
    delivered = models.IntegerField(default=0)
    dead = models.IntegerField(default=0)
    type = models.CharField(max_length=255)
    key = models.CharField(max_length=255)
    event_id = models.CharField(max_length=255)
    accepted_at = models.FloatField()
    taken_at = models.FloatField()
    ended_at = models.FloatField(null=True)
    error = models.CharField(max_length=300, default="")
    steps = models.BinaryField()

    class Meta:
        indexes = (
            models.Index(fields=["flow", "number"], name="trace_by_number"),
            models.Index(
                fields=["flow", "state", "number"],
                name="trace_unfinished",
                condition=models.Q(state__in=["running", "failed"]),
            ),
            models.Index(
                fields=["flow", "run", "number"],
                name="trace_again",
                condition=models.Q(run__gt=0),
            ),
        )


class Segment(models.Model):
    """The steps that one later commit added to a trace. Append-only."""

    pk = models.CompositePrimaryKey("flow", "change")
    flow = hot_key(Flow)
    change = models.BigIntegerField()
    subscription_id = models.BigIntegerField()
    partition = models.PositiveSmallIntegerField()
    offset = models.BigIntegerField()
    run = models.PositiveIntegerField(default=0)
    steps = models.BinaryField()

    class Meta:
        indexes = (
            models.Index(
                fields=["subscription_id", "partition", "offset", "run"], name="segment_by_trace"
            ),
        )


class Counter(models.Model):
    """How often something happened at a node, since the flow exists; written with the cursor.

    `name` is "arrived", an outcome, "out:<port>" for emissions by that port, or "in:…" for where
    arrivals came from: "wire", "again" (what repeated runs began with), "before" (uncounted).
    """

    pk = models.CompositePrimaryKey("flow", "node", "partition", "name")
    flow = hot_key(Flow)
    node = models.CharField(max_length=60)
    partition = models.PositiveSmallIntegerField()
    name = models.CharField(max_length=80)
    n = models.BigIntegerField(default=0)


class Minute(models.Model):
    """Events of a flow by minute, for rates and sparklines."""

    pk = models.CompositePrimaryKey("flow", "minute")
    flow = hot_key(Flow)
    minute = models.BigIntegerField()  # Unix seconds / 60
    events = models.BigIntegerField(default=0)
    dead = models.BigIntegerField(default=0)


class NodeState(models.Model):
    """A node's memory, one row a key."""

    pk = models.CompositePrimaryKey("flow", "node", "key")
    flow = hot_key(Flow)
    node = models.CharField(max_length=60)
    key = models.CharField(max_length=255)
    value = models.BinaryField()
    expires_at = models.FloatField(null=True)

    class Meta:
        indexes = (models.Index(fields=["expires_at"], name="state_expiry"),)


class Memory(models.Model):
    """How often a node's memory was changed: two walks can't both build on the same one."""

    pk = models.CompositePrimaryKey("flow", "node")
    flow = hot_key(Flow)
    node = models.CharField(max_length=60)
    version = models.BigIntegerField(default=0)


class Answer(models.Model):
    """What a flow replied to the caller that sent an event. The first one stands."""

    pk = models.CompositePrimaryKey("channel", "partition", "offset")
    channel = hot_key(Channel)
    partition = models.PositiveSmallIntegerField()
    offset = models.BigIntegerField()
    body = models.BinaryField()
    answered_at = models.FloatField()
