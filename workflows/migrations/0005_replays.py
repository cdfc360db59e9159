import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

CASCADE = django.db.models.deletion.CASCADE
SET_NULL = django.db.models.deletion.SET_NULL


def _id() -> models.BigAutoField:
    return models.BigAutoField(
        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
    )


class Migration(migrations.Migration):
    dependencies = [
        ("workflows", "0004_doors"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Replay",
            fields=[
                ("id", _id()),
                ("flow", models.ForeignKey(on_delete=CASCADE, to="workflows.flow")),
                ("version", models.ForeignKey(on_delete=CASCADE, to="workflows.flowversion")),
                ("subscription", models.ForeignKey(on_delete=CASCADE, to="workflows.subscription")),
                (
                    "mode",
                    models.CharField(
                        choices=[
                            ("run", "Run"),
                            ("skip_done", "Skip what is done"),
                            ("shadow", "Shadow"),
                        ],
                        max_length=9,
                    ),
                ),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("counting", "Counting"),
                            ("running", "Running"),
                            ("done", "Done"),
                            ("cancelled", "Cancelled"),
                            ("failed", "Failed"),
                        ],
                        max_length=9,
                    ),
                ),
                ("selection", models.JSONField()),
                ("rate", models.FloatField(null=True)),
                ("unread", models.JSONField()),
                ("uncounted", models.JSONField()),
                ("total", models.BigIntegerField(default=0)),
                ("done", models.BigIntegerField(default=0)),
                ("outcomes", models.JSONField(default=dict)),
                ("clock", models.FloatField(default=0)),
                ("error", models.CharField(default="", max_length=300)),
                ("failures", models.PositiveSmallIntegerField(default=0)),
                ("due_at", models.FloatField()),
                ("moved_at", models.FloatField()),
                ("owner", models.CharField(default="", max_length=80)),
                ("epoch", models.BigIntegerField(default=0)),
                ("lease_until", models.FloatField(default=0)),
                ("created_at", models.FloatField()),
                ("ended_at", models.FloatField(null=True)),
                (
                    "created_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(
                        condition=models.Q(("state__in", ["counting", "running"])),
                        fields=["due_at"],
                        name="replay_due",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="Difference",
            fields=[
                ("id", _id()),
                ("replay", models.ForeignKey(on_delete=CASCADE, to="workflows.replay")),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("different", "Ends differently"),
                            ("content", "Same end, other content"),
                        ],
                        max_length=9,
                    ),
                ),
                ("node", models.CharField(max_length=60)),
                ("live", models.CharField(max_length=200)),
                ("shadow", models.CharField(max_length=200)),
                ("detail", models.CharField(default="", max_length=300)),
                ("trace", models.CharField(max_length=100)),
                ("live_trace", models.CharField(max_length=100)),
                ("event_id", models.CharField(max_length=255)),
                ("type", models.CharField(max_length=255)),
                ("key", models.CharField(max_length=255)),
                ("assumed", models.BooleanField(default=False)),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=("replay", "trace"), name="one_difference_a_trace"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="ShadowHeld",
            fields=[
                ("id", _id()),
                ("replay", models.ForeignKey(on_delete=CASCADE, to="workflows.replay")),
                ("due_at", models.FloatField()),
                ("node", models.CharField(max_length=60)),
                ("partition", models.PositiveSmallIntegerField()),
                ("offset", models.BigIntegerField()),
                ("path", models.BigIntegerField()),
                ("event", models.BinaryField()),
                ("accepted_at", models.FloatField()),
            ],
            options={
                "indexes": [
                    models.Index(fields=["replay", "due_at", "id"], name="shadow_held_due")
                ],
            },
        ),
        migrations.CreateModel(
            name="ShadowState",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "replay",
                        "node",
                        "key",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("replay", models.ForeignKey(on_delete=CASCADE, to="workflows.replay")),
                ("node", models.CharField(max_length=60)),
                ("key", models.CharField(max_length=255)),
                ("value", models.BinaryField()),
                ("expires_at", models.FloatField(null=True)),
            ],
        ),
        migrations.AddIndex(
            model_name="trace",
            index=models.Index(
                condition=models.Q(("run__gt", 0)),
                fields=["flow", "run", "number"],
                name="trace_again",
            ),
        ),
    ]
