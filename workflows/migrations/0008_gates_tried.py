"""Until when is a destination that is down being tried, and how long is the queue at a gate?"""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("workflows", "0007_gates"),
    ]

    operations = [
        migrations.AddField(
            model_name="gate",
            name="tried_until",
            field=models.FloatField(default=0),
        ),
        migrations.AddField(
            model_name="gate",
            name="queued_until",
            field=models.FloatField(default=0),
        ),
    ]
