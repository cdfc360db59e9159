from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("workflows", "0010_crashes"),
    ]

    operations = [
        migrations.AddField(
            model_name="timer",
            name="fired_at",
            field=models.FloatField(null=True),
        ),
    ]
