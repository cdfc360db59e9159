from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("workflows", "0009_indexed_fields"),
    ]

    operations = [
        migrations.AddField(
            model_name="cursor",
            name="attempts",
            field=models.PositiveSmallIntegerField(db_default=0, default=0),
        ),
    ]
