"""Names of events that were seen begin as their ids do (ADR 27); those of stored events are renamed.

Repeats of events that retention has already taken are not recognised by their old names.
"""

import hashlib
from typing import Any

import orjson
from django.db import migrations, models, transaction

BATCH = 2_000  # events a transaction; what a crash leaves undone the next start does


def names_of(source: str, event_id: str) -> tuple[bytes, bytes]:
    """Before and after."""
    text = f"{len(source)}:{source}{event_id}".encode()
    after = event_id.encode()[:24] + hashlib.blake2b(text, digest_size=12).digest()
    return hashlib.blake2b(text, digest_size=16).digest(), after


def rename(apps: Any, schema_editor: Any) -> None:
    events, last = apps.get_model("workflows", "Event").objects, (0, 0, -1)
    while True:
        with transaction.atomic(), schema_editor.connection.cursor() as cursor:
            rows = list(events.filter(pk__gt=last).order_by("pk").values_list("pk", "body")[:BATCH])
            changes = []
            for (channel_id, _, _), body in rows:
                event = orjson.loads(bytes(body))
                before, after = names_of(event["source"], event["id"])
                changes.append((after, channel_id, before))
            cursor.executemany(
                "UPDATE workflows_seen SET digest = %s WHERE channel_id = %s AND digest = %s",
                changes,
            )
        if not rows:
            return
        last = rows[-1][0]


class Migration(migrations.Migration):
    atomic = False

    dependencies = [
        ("workflows", "0013_acting"),
    ]

    operations = [
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.AlterField(
                    model_name="seen", name="digest", field=models.BinaryField(max_length=36)
                )
            ]
        ),
        migrations.RunPython(rename, migrations.RunPython.noop),
    ]
