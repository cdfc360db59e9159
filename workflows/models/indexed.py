"""Which fields of a channel's events can be looked up, and where is each value?"""

from django.db import models

from workflows.models.hot import hot_key
from workflows.models.log import Channel


class IndexedField(models.Model):
    """A field that a channel indexes. `missing` is JSON text: the [partition, low, high] spans of
    older events that aren't in the index yet, null before that is known, empty when none is left.

    A removed one stays until its values are gone: a process may write some for a moment.
    """

    channel = models.ForeignKey(Channel, on_delete=models.CASCADE)
    path = models.CharField(max_length=120)
    added_at = models.FloatField()
    removed_at = models.FloatField(null=True)
    missing = models.TextField(null=True)

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=["channel", "path"],
                condition=models.Q(removed_at__isnull=True),
                name="one_index_a_field",
            ),
        )


class IndexedValue(models.Model):
    """That the event at this place of the field's channel has a value of this digest."""

    pk = models.CompositePrimaryKey("field", "digest", "partition", "offset")
    field = hot_key(IndexedField)
    digest = models.BigIntegerField()
    partition = models.PositiveSmallIntegerField()
    offset = models.BigIntegerField()

    class Meta:
        indexes = (models.Index(fields=["field", "partition", "offset"], name="indexed_by_place"),)
