"""What the ground itself keeps in the database: how many rows the large tables have."""

from django.db import models


class RowCount(models.Model):
    """One term of a sum: so many rows came to a table, or went from it. `counts.py` writes and reads it."""

    table = models.CharField(max_length=63)
    workspace = models.BigIntegerField()
    """The key of the workspace that the rows belong to."""
    kind = models.CharField(max_length=16, blank=True, default="")
    rows = models.BigIntegerField()
    """Below zero: so many went."""

    class Meta:
        indexes = [models.Index(fields=["table", "workspace"], name="row_count_place")]

    def __str__(self) -> str:
        return f"{self.table}: {self.rows:+}"
