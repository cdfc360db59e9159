"""How far the accounting has been checked, and where it didn't come out even."""

from django.conf import settings
from django.db import models

from workflows.models.flow import Flow, Subscription


class FlowCheck(models.Model):
    """When a flow's counters were last compared with what is really there, and when they are due
    again. `change` is the flow's change number that the comparison saw."""

    flow = models.OneToOneField(Flow, on_delete=models.CASCADE, primary_key=True)
    change = models.BigIntegerField(default=-1)
    checked_at = models.FloatField(default=0)
    due_at = models.FloatField(default=0)


class CursorCheck(models.Model):
    """How far the traces of one cursor have been found complete.

    The cursor has taken `position - origin` events since the subscription exists: setting it
    somewhere else (to `start`) moves the origin too. `missing` lists the gaps found below
    `checked`, as `[from, until]` offsets, until they are filled or forgotten. `again` goes round
    and round between start and checked, a little with every look.
    """

    pk = models.CompositePrimaryKey("subscription", "partition")
    subscription = models.ForeignKey(Subscription, on_delete=models.CASCADE)
    partition = models.PositiveSmallIntegerField()
    origin = models.BigIntegerField()
    start = models.BigIntegerField()
    checked = models.BigIntegerField()
    again = models.BigIntegerField(default=0)
    missing = models.JSONField(default=list)


class Alarm(models.Model):
    """That a node's accounting doesn't come out even, or that a producer's reader was too far
    behind, since when, and by how much."""

    class Kind(models.TextChoices):
        OUTCOMES = "outcomes", "Arrivals don't equal outcomes and what is held"
        ARRIVALS = "arrivals", "Arrivals don't equal what was sent here"
        TRACES = "traces", "Events were taken and have no trace"
        EXPIRED = "expired", "Events expired unread"

    class State(models.TextChoices):
        OPEN = "open", "Open"
        ACKNOWLEDGED = "acknowledged", "Acknowledged"
        RESOLVED = "resolved", "Resolved"

    flow = models.ForeignKey(Flow, on_delete=models.CASCADE)
    node = models.CharField(max_length=60)
    kind = models.CharField(max_length=8, choices=Kind.choices)
    says = models.CharField(max_length=600)
    difference = models.BigIntegerField()  # how many arrivals are unaccounted for
    state = models.CharField(max_length=12, choices=State.choices, default=State.OPEN)
    first_seen = models.FloatField()
    last_seen = models.FloatField()
    resolved_at = models.FloatField(null=True)
    acknowledged_at = models.FloatField(null=True)
    acknowledged_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL
    )

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=["flow", "node", "kind"],
                name="one_alarm",
                condition=models.Q(state__in=["open", "acknowledged"]),
            ),
        )
