"""References from the tables that every event touches."""

from typing import Any

from django.db import models


def hot_key(model: type[models.Model]) -> Any:
    """A foreign key without a constraint or an index of its own: a check per row would cost more
    than the row. Storage deletes such rows itself, before what they refer to."""
    return models.ForeignKey(
        model, on_delete=models.DO_NOTHING, db_constraint=False, db_index=False, related_name="+"
    )
