"""What the ground itself keeps in the database: how many rows the large tables have, and who did what."""

from django.db import models
from django.utils import timezone

from assay.platform.sight import InSight


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


class AuditEvent(models.Model):
    """That somebody changed something, or saw a secret. `audit.py` writes them; the database refuses to change one."""

    at = models.DateTimeField(default=timezone.now)
    actor = models.CharField(max_length=150)
    """The account's name; ``local`` with sign-in off, ``platform`` for commands and the platform's own doings."""
    via = models.CharField(max_length=32)
    """How the actor was known: ``session``, ``password``, ``token 7``, ``local``, ``platform`` or ``nobody``."""
    address = models.CharField(max_length=64, blank=True, default="")
    request_id = models.CharField(max_length=64, blank=True, default="")
    action = models.CharField(max_length=63)
    """What was done: ``secret.update``."""
    workspace = models.BigIntegerField(null=True, blank=True)
    """The key of the workspace that it was done in, which may be gone since; none for the platform's own."""
    target = models.CharField(max_length=512)
    """Of what, by the name that it had: ``team/judge-key``."""
    before = models.JSONField(null=True, blank=True)
    after = models.JSONField(null=True, blank=True)
    number = models.PositiveBigIntegerField(null=True, unique=True)
    """Its place in the chain; none in the seconds before it is sealed."""
    seal = models.CharField(max_length=64, blank=True, default="")
    """SHA-256, in hexadecimal, over the seal before it and everything above."""

    objects = InSight("workspace")

    class Meta:
        indexes = [
            models.Index(fields=["workspace", "id"], name="audit_of_workspace"),
            models.Index(fields=["id"], name="audit_unsealed", condition=models.Q(number=None)),
        ]

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M:%S} {self.actor} {self.action} {self.target}"
