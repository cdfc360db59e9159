from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("workflows", "0012_waiting_for_slots"),
    ]

    operations = [
        migrations.AddField(
            model_name="cursor",
            name="is_acting",
            field=models.BooleanField(db_default=False, default=False),
        ),
    ]
