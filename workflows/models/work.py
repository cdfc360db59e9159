"""Work that waits: effects, held arrivals, timers; and work that nobody could do."""

from django.db import models

from workflows.models.dead import Redrive
from workflows.models.flow import Flow, FlowVersion, Subscription
from workflows.models.hot import hot_key


class Effect(models.Model):
    """One thing that a flow asked of the world: ledger, retry queue and lane in one.

    `due_at` is when it may be taken: the retry's due time, or the end of the lease of the process
    that is performing it. A crash therefore makes it due again by itself. In a flow that keeps
    order, `lane` is the event's key: only the row of a (node, lane) with the lowest number comes
    due, the others lie behind it (`storage.lanes.BEHIND`).
    """

    pk = models.CompositePrimaryKey("flow", "number")
    flow = hot_key(Flow)
    number = models.BigIntegerField()
    version = hot_key(FlowVersion)
    node = models.CharField(max_length=60)
    subscription_id = models.BigIntegerField()
    partition = models.PositiveSmallIntegerField()
    offset = models.BigIntegerField()
    run = models.PositiveIntegerField(default=0)
    path = models.BigIntegerField()
    lane = models.CharField(max_length=255, null=True)
    destination = models.CharField(max_length=200, db_default="")  # whom it goes to
    gate = models.CharField(max_length=255, db_default="")  # that it waits at for a slot
    since = models.FloatField(db_default=0)  # when the first call was due
    key = models.CharField(max_length=32)  # idempotency key
    request = models.BinaryField()
    event = models.BinaryField(null=True)  # as it reached the node; null: as it lies in the log
    timeout_seconds = models.FloatField()
    attempt = models.PositiveIntegerField(default=0)  # calls begun
    failure = models.BinaryField(null=True)  # what the last attempt answered
    owner = models.CharField(max_length=80, default="")
    due_at = models.FloatField()

    class Meta:
        indexes = (
            models.Index(fields=["due_at"], name="effect_due"),
            models.Index(
                fields=["flow", "node", "lane", "number"],
                name="effect_lane",
                condition=models.Q(lane__isnull=False),
            ),
            models.Index(
                fields=["gate", "due_at"], name="effect_at_gate", condition=~models.Q(gate="")
            ),
        )


class Held(models.Model):
    """An arrival that waits for a moment. `due_at` and `lane` work as in `Effect`."""

    pk = models.CompositePrimaryKey("flow", "number")
    flow = hot_key(Flow)
    number = models.BigIntegerField()
    version = hot_key(FlowVersion)
    node = models.CharField(max_length=60)
    subscription_id = models.BigIntegerField()
    partition = models.PositiveSmallIntegerField()
    offset = models.BigIntegerField()
    run = models.PositiveIntegerField(default=0)
    path = models.BigIntegerField()
    lane = models.CharField(max_length=255, null=True)
    event = models.BinaryField(null=True)
    reason = models.CharField(max_length=200)
    since = models.FloatField()
    until = models.FloatField()
    attempt = models.PositiveIntegerField(default=0)  # times taken
    owner = models.CharField(max_length=80, default="")
    due_at = models.FloatField()

    class Meta:
        indexes = (
            models.Index(fields=["due_at"], name="held_due"),
            models.Index(
                fields=["flow", "node", "lane", "number"],
                name="held_lane",
                condition=models.Q(lane__isnull=False),
            ),
        )


class Timer(models.Model):
    """When a producer node makes events by itself: schedules and simulators."""

    subscription = models.OneToOneField(Subscription, on_delete=models.CASCADE, primary_key=True)
    due_at = models.FloatField()  # the next moment
    fired_at = models.FloatField(null=True)  # the last moment that it made events for
    error = models.CharField(max_length=300, default="")  # of the last moment; empty: it went well

    class Meta:
        indexes = (models.Index(fields=["due_at"], name="timer_due"),)


class DeadLetter(models.Model):
    """An arrival that ended in a failure nobody took, with all that is needed to run it again.

    One that was redriven names the run that took it up (`redrive`), the run of its trace that came
    of it (`rerun`), and how that ended (`outcome`: running until it has, then the trace's state).
    """

    class State(models.TextChoices):
        OPEN = "open", "Open"
        REDRIVEN = "redriven", "Redriven"
        DISCARDED = "discarded", "Discarded"

    flow = models.ForeignKey(Flow, on_delete=models.CASCADE)
    version = models.ForeignKey(FlowVersion, on_delete=models.CASCADE)
    node = models.CharField(max_length=60)
    subscription_id = models.BigIntegerField()
    partition = models.PositiveSmallIntegerField()
    offset = models.BigIntegerField()
    run = models.PositiveIntegerField(default=0)
    path = models.BigIntegerField()
    event = models.BinaryField()
    event_id = models.CharField(max_length=255)
    failure = models.JSONField()
    fingerprint = models.CharField(max_length=16)
    attempts = models.PositiveIntegerField(default=1)
    dead_at = models.FloatField()
    state = models.CharField(max_length=10, choices=State.choices, default=State.OPEN)
    closed_at = models.FloatField(null=True)
    closed_by = models.CharField(max_length=150, db_default="")
    redrive = models.ForeignKey(Redrive, null=True, on_delete=models.SET_NULL, db_index=False)
    rerun = models.PositiveIntegerField(null=True)
    outcome = models.CharField(max_length=8, db_default="")

    class Meta:
        indexes = (
            models.Index(fields=["flow", "state", "id"], name="dead_by_flow"),
            models.Index(
                fields=["flow", "state", "fingerprint", "id", "dead_at"], name="dead_by_group"
            ),
            models.Index(fields=["subscription_id", "partition", "offset"], name="dead_by_trace"),
            models.Index(
                fields=["redrive", "id"],
                name="dead_by_redrive",
                condition=models.Q(redrive__isnull=False),
            ),
            models.Index(
                fields=["redrive", "outcome", "id"],
                name="dead_under_way",
                condition=models.Q(outcome="running"),
            ),
            models.Index(
                fields=["closed_at"],
                name="dead_closed",
                condition=models.Q(closed_at__isnull=False),
            ),
        )


class Rejected(models.Model):
    """A request that a webhook address refused, kept so that somebody can find out why."""

    flow = models.ForeignKey(Flow, on_delete=models.CASCADE)
    node = models.CharField(max_length=60)
    reason = models.CharField(max_length=300)
    headers = models.JSONField()
    body = models.BinaryField()  # the first 4 KiB
    rejected_at = models.FloatField()
