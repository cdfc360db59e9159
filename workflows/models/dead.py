"""Many dead letters at once: groups of the same failure, and runs that take letters up."""

from django.db import models

from workflows.models.flow import Flow
from workflows.models.hot import hot_key
from workflows.models.people import Workspace


class DeadGroup(models.Model):
    """How many letters of a flow died in the same way and are open, written with the letters.

    Lists read these rows, so they are as quick with a million letters as with ten. `kind` and
    `message` are those of the newest letter.
    """

    workspace = hot_key(Workspace)
    flow = models.ForeignKey(Flow, on_delete=models.CASCADE, db_index=False)
    fingerprint = models.CharField(max_length=16)
    node = models.CharField(max_length=60)
    kind = models.CharField(max_length=120)
    message = models.CharField(max_length=300)
    open = models.BigIntegerField(default=0)
    first_at = models.FloatField()
    newest_at = models.FloatField()  # whole microseconds, for pages go by it

    class Meta:
        constraints = (models.UniqueConstraint(fields=["flow", "fingerprint"], name="one_group"),)
        indexes = (
            models.Index(
                fields=["workspace", "newest_at", "id"],
                name="group_newest",
                condition=models.Q(open__gt=0),
            ),
        )


class Redrive(models.Model):
    """A run over open dead letters that runs each one again, or discards it.

    It works through `targets` ([flow id, fingerprint] each), or `letters` (ids), and remembers
    how far it is in the transaction that takes letters up. `due_at` is when its next slice may be
    taken, or the end of the lease of the process that works on it; `taken` counts the takings and
    fences older ones. It has ended when nothing that it began is under way any more.
    """

    class Act(models.TextChoices):
        REDRIVE = "redrive", "Redrive"
        DISCARD = "discard", "Discard"

    class State(models.TextChoices):
        RUNNING = "running", "Running"
        DONE = "done", "Done"
        STOPPED = "stopped", "Stopped"
        CANCELLED = "cancelled", "Cancelled"

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE)
    act = models.CharField(max_length=7, choices=Act.choices, default=Act.REDRIVE)
    by = models.CharField(max_length=150)  # a person's or a token's name, as it was then
    wanted = models.JSONField()  # the filter as it was asked for
    targets = models.JSONField(default=list)
    letters = models.JSONField(default=list)
    edit = models.BinaryField(null=True)  # the event to run instead of the one letter's own
    as_failed = models.BooleanField(default=False)  # on the version it failed on
    rate = models.FloatField(default=0)  # letters a second; 0: as fast as possible
    stop_after = models.PositiveIntegerField(default=0)  # new dead letters; 0: never
    total = models.BigIntegerField()
    done = models.BigIntegerField(default=0)
    ok = models.BigIntegerField(default=0)
    failed = models.BigIntegerField(default=0)  # died again
    skipped = models.BigIntegerField(default=0)  # couldn't be run, and stay open
    state = models.CharField(max_length=9, choices=State.choices, default=State.RUNNING)
    says = models.CharField(max_length=300, default="")
    target = models.PositiveIntegerField(default=0)  # index of the target that it is at
    position = models.BigIntegerField(default=0)  # the letter that it took up last
    bound = models.BigIntegerField()  # the newest letter when it began
    since = models.FloatField(default=0)
    looked = models.BigIntegerField(default=0)  # the letter whose outcome it looked for last
    owner = models.CharField(max_length=80, default="")
    taken = models.BigIntegerField(default=0)
    due_at = models.FloatField()
    begun_at = models.FloatField()
    ended_at = models.FloatField(null=True)

    class Meta:
        indexes = (
            models.Index(
                fields=["due_at"], name="redrive_due", condition=models.Q(ended_at__isnull=True)
            ),
        )
