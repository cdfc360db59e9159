from django.db import migrations, models

# Inboxes made so far refuse events when their flow is too far behind; they go on doing so.
BLOCK_INBOXES = "UPDATE workflows_channel SET lag_policy = 'block' WHERE flow_id IS NOT NULL"


class Migration(migrations.Migration):
    dependencies = [
        ("workflows", "0003_lanes"),
    ]

    operations = [
        migrations.AddField(
            model_name="channel",
            name="key_expression",
            field=models.CharField(blank=True, max_length=1000),
        ),
        migrations.AddField(
            model_name="channel",
            name="lag_policy",
            field=models.CharField(
                choices=[
                    ("block", "Refuse new events"),
                    ("expire", "Expire the oldest unread events"),
                ],
                default="expire",
                max_length=6,
            ),
        ),
        migrations.RunSQL(BLOCK_INBOXES, migrations.RunSQL.noop),
        migrations.AddField(
            model_name="subscription",
            name="expired",
            field=models.BigIntegerField(default=0),
        ),
        migrations.AlterField(
            model_name="alarm",
            name="kind",
            field=models.CharField(
                choices=[
                    ("outcomes", "Arrivals don't equal outcomes and what is held"),
                    ("arrivals", "Arrivals don't equal what was sent here"),
                    ("traces", "Events were taken and have no trace"),
                    ("expired", "Events expired unread"),
                ],
                max_length=8,
            ),
        ),
        migrations.CreateModel(
            name="Removal",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("node", models.CharField(max_length=60)),
                (
                    "how",
                    models.CharField(
                        choices=[
                            ("dead_letter", "Make dead letters of them"),
                            ("drop", "Drop them"),
                        ],
                        max_length=11,
                    ),
                ),
                (
                    "flow",
                    models.ForeignKey(on_delete=models.deletion.CASCADE, to="workflows.flow"),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("flow", "node"), name="one_removal_a_node")
                ],
            },
        ),
    ]
