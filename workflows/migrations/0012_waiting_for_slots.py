from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("workflows", "0011_fired"),
    ]

    operations = [
        migrations.AddField(
            model_name="effect",
            name="gate",
            field=models.CharField(db_default="", max_length=255),
        ),
        migrations.AddIndex(
            model_name="effect",
            index=models.Index(
                fields=["gate", "due_at"],
                name="effect_at_gate",
                condition=~models.Q(gate=""),
            ),
        ),
    ]
