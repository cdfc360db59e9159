"""Replays: ranges of a channel that run again, or in the shadow, and what came of it."""

from django.conf import settings
from django.db import models

from workflows.models.flow import Flow, FlowVersion, Subscription


class Replay(models.Model):
    """A range of a channel on its way through one version of a flow, once more.

    `unread` are the offsets still to be read, as `[partition, from, until]`; it moves in the
    transaction that writes the traces. `uncounted` is the same for what is still to be counted.
    `due_at`, `owner`, `lease_until` and `epoch` work as they do for cursors and effects.
    """

    class Mode(models.TextChoices):
        RUN = "run", "Run"
        SKIP_DONE = "skip_done", "Skip what is done"
        SHADOW = "shadow", "Shadow"

    class State(models.TextChoices):
        COUNTING = "counting", "Counting"
        RUNNING = "running", "Running"
        DONE = "done", "Done"
        CANCELLED = "cancelled", "Cancelled"
        FAILED = "failed", "Failed"

    flow = models.ForeignKey(Flow, on_delete=models.CASCADE)
    version = models.ForeignKey(FlowVersion, on_delete=models.CASCADE)
    subscription = models.ForeignKey(Subscription, on_delete=models.CASCADE)
    mode = models.CharField(max_length=9, choices=Mode.choices)
    state = models.CharField(max_length=9, choices=State.choices)
    selection = models.JSONField()  # as it was asked for
    rate = models.FloatField(null=True)  # events a second; null: as fast as it goes
    unread = models.JSONField()
    uncounted = models.JSONField()
    total = models.BigIntegerField(default=0)
    done = models.BigIntegerField(default=0)
    outcomes = models.JSONField(default=dict)  # of a shadow run: verdict -> how many
    clock = models.FloatField(default=0)  # of a shadow run: the simulated moment
    error = models.CharField(max_length=300, default="")
    failures = models.PositiveSmallIntegerField(default=0)  # since it last got on
    due_at = models.FloatField()
    moved_at = models.FloatField()
    owner = models.CharField(max_length=80, default="")
    epoch = models.BigIntegerField(default=0)
    lease_until = models.FloatField(default=0)
    created_at = models.FloatField()
    ended_at = models.FloatField(null=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+"
    )

    class Meta:
        indexes = (
            models.Index(
                fields=["due_at"],
                name="replay_due",
                condition=models.Q(state__in=["counting", "running"]),
            ),
        )


class ShadowState(models.Model):
    """What a node remembers in a shadow run; the flow's own memory is left alone."""

    pk = models.CompositePrimaryKey("replay", "node", "key")
    replay = models.ForeignKey(Replay, on_delete=models.CASCADE)
    node = models.CharField(max_length=60)
    key = models.CharField(max_length=255)
    value = models.BinaryField()
    expires_at = models.FloatField(null=True)


class ShadowHeld(models.Model):
    """An arrival that waits in a shadow run for a simulated moment."""

    replay = models.ForeignKey(Replay, on_delete=models.CASCADE)
    due_at = models.FloatField()
    node = models.CharField(max_length=60)
    partition = models.PositiveSmallIntegerField()
    offset = models.BigIntegerField()
    path = models.BigIntegerField()
    event = models.BinaryField()
    accepted_at = models.FloatField()

    class Meta:
        indexes = (models.Index(fields=["replay", "due_at", "id"], name="shadow_held_due"),)


class Difference(models.Model):
    """An event that didn't end in a shadow run as it did live, and where they first differ."""

    class Kind(models.TextChoices):
        DIFFERENT = "different", "Ends differently"
        CONTENT = "content", "Same end, other content"

    replay = models.ForeignKey(Replay, on_delete=models.CASCADE)
    kind = models.CharField(max_length=9, choices=Kind.choices)
    node = models.CharField(max_length=60)
    live = models.CharField(max_length=200)  # what happened at the node, live
    shadow = models.CharField(max_length=200)
    detail = models.CharField(max_length=300, default="")
    trace = models.CharField(max_length=100)  # of the shadow run
    live_trace = models.CharField(max_length=100)
    event_id = models.CharField(max_length=255)
    type = models.CharField(max_length=255)
    key = models.CharField(max_length=255)
    assumed = models.BooleanField(default=False)  # an effect had no recorded reply

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=["replay", "trace"], name="one_difference_a_trace"),
        )
