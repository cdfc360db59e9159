"""What stands between due effects and the world: limits, and breakers."""

from django.db import models

from workflows.models.hot import hot_key
from workflows.models.people import Workspace


class Gate(models.Model):
    """A limited node, a key at one, or a destination with a limit or a breaker.

    `name` is made in `storage.gates`. The limits of nodes and keys stand in their flow; those of
    destinations are set here. A destination that failed again and again is open: nothing goes out
    to it before `retry_at`, and then a single effect tries it.
    """

    name = models.CharField(max_length=255, primary_key=True)
    workspace = hot_key(Workspace)
    destination = models.CharField(max_length=200, default="")
    at_once = models.PositiveIntegerField(default=0)  # 0: no limit
    per_second = models.FloatField(default=0)
    next_at = models.FloatField(default=0)  # when the rate lets the next one through
    queued_until = models.FloatField(default=0)  # the last moment that was given to one that waits
    opened_at = models.FloatField(null=True)  # null: closed
    retry_at = models.FloatField(default=0)
    tried_until = models.FloatField(default=0)  # end of the lease of the effect that tries it
    pause_seconds = models.FloatField(default=0)
    error = models.CharField(max_length=300, default="")

    class Meta:
        indexes = (models.Index(fields=["workspace"], name="gate_by_workspace"),)


class Slot(models.Model):
    """That an effect has passed a limited gate and isn't settled. Its lease ends with the
    effect's, so a slot that nobody gives back frees itself."""

    pk = models.CompositePrimaryKey("gate", "flow_id", "number")
    gate = models.CharField(max_length=255)
    flow_id = models.BigIntegerField()
    number = models.BigIntegerField()
    until = models.FloatField()

    class Meta:
        indexes = (models.Index(fields=["flow_id", "number"], name="slot_by_effect"),)
