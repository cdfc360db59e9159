"""Flows, their drafts and versions, and where each one stands in the channels it reads."""

from django.conf import settings
from django.db import models

from workflows.models.log import Channel
from workflows.models.people import Workspace


class Flow(models.Model):
    """What people draw. It runs when it has a published version and isn't paused."""

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE)
    slug = models.SlugField(max_length=60)
    name = models.CharField(max_length=120)
    description = models.TextField(blank=True)
    published = models.ForeignKey(
        "workflows.FlowVersion", null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    paused = models.BooleanField(default=False)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=["workspace", "slug"], name="one_flow_a_slug"),
        )


class Draft(models.Model):
    """The document being edited. `revision` guards against two people saving over each other."""

    flow = models.OneToOneField(Flow, on_delete=models.CASCADE, primary_key=True)
    document = models.JSONField()
    revision = models.PositiveIntegerField(default=1)
    updated_at = models.DateTimeField(auto_now=True)
    updated_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL
    )


class FlowVersion(models.Model):
    """A published document. Never changed: what it took is finished by it."""

    flow = models.ForeignKey(Flow, on_delete=models.CASCADE, related_name="versions")
    number = models.PositiveIntegerField()
    document = models.JSONField()
    note = models.CharField(max_length=200, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL
    )

    class Meta:
        constraints = (models.UniqueConstraint(fields=["flow", "number"], name="one_number"),)


class FlowClock(models.Model):
    """The flow's change number: everything that a commit writes takes its numbers from here, so
    that a reader who has seen `change` has seen all that was committed before it."""

    flow = models.OneToOneField(Flow, on_delete=models.CASCADE, primary_key=True)
    change = models.BigIntegerField(default=0)


class Subscription(models.Model):
    """A flow's producer node reading a channel, by the version that does the reading."""

    class State(models.TextChoices):
        ACTIVE = "active", "Active"
        CLOSING = "closing", "Finishing on an older version"
        CLOSED = "closed", "Closed"

    flow = models.ForeignKey(Flow, on_delete=models.CASCADE)
    node = models.CharField(max_length=60)
    channel = models.ForeignKey(Channel, on_delete=models.CASCADE)
    version = models.ForeignKey(FlowVersion, on_delete=models.CASCADE)
    state = models.CharField(max_length=8, choices=State.choices, default=State.ACTIVE)
    expired = models.BigIntegerField(default=0)  # events it was moved past, being too far behind

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=["flow", "node", "channel"], name="one_subscription"),
        )


class Cursor(models.Model):
    """How far a subscription has read one partition, and who is reading it now."""

    pk = models.CompositePrimaryKey("subscription", "partition")
    subscription = models.ForeignKey(Subscription, on_delete=models.CASCADE)
    partition = models.PositiveSmallIntegerField()
    position = models.BigIntegerField(default=0)  # the next offset to read
    stop = models.BigIntegerField(null=True, blank=True)  # closing: read up to here
    epoch = models.BigIntegerField(default=0)  # grows with every lease; fences older holders
    owner = models.CharField(max_length=80, blank=True)
    lease_until = models.FloatField(default=0)
    # Who has the lease makes effects before he commits: what he reads counts as taken.
    is_acting = models.BooleanField(default=False, db_default=False)
    # Leases that ran out since the position last moved: of workers that died or were stopped.
    attempts = models.PositiveSmallIntegerField(default=0, db_default=0)


class Removal(models.Model):
    """What becomes of the arrivals that a node held when a version without it was published; until
    the node comes back."""

    class How(models.TextChoices):
        DEAD_LETTER = "dead_letter", "Make dead letters of them"
        DROP = "drop", "Drop them"

    flow = models.ForeignKey(Flow, on_delete=models.CASCADE)
    node = models.CharField(max_length=60)
    how = models.CharField(max_length=11, choices=How.choices)

    class Meta:
        constraints = (models.UniqueConstraint(fields=["flow", "node"], name="one_removal_a_node"),)


class Hook(models.Model):
    """The unguessable address of an HTTP producer: `/hooks/{key}`."""

    key = models.CharField(max_length=43, primary_key=True)
    flow = models.ForeignKey(Flow, on_delete=models.CASCADE)
    node = models.CharField(max_length=60)

    class Meta:
        constraints = (models.UniqueConstraint(fields=["flow", "node"], name="one_hook_a_node"),)
