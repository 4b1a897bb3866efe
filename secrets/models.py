"""A secret's value is stored sealed; only `vault.py` opens it."""

from django.db import models
from django.utils import timezone

from assay.platform.ids import new_id
from assay.platform.sight import InSight
from assay.workspaces.models import Workspace


def secret_id() -> str:
    return new_id("secret")


class Secret(models.Model):
    uid = models.CharField(max_length=64, unique=True, default=secret_id, editable=False)
    workspace = models.ForeignKey(Workspace, on_delete=models.PROTECT, related_name="secrets")
    name = models.CharField(max_length=63)
    description = models.TextField(null=True, blank=True)
    sealed = models.BinaryField(editable=False)
    """Ciphertext bound to ``uid``: it opens in no other row."""
    inline = models.BooleanField(default=False, editable=False)
    """It came inside a v1 body: no list shows it, and it goes with the last thing that refers to it."""
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    updated_at = models.DateTimeField(default=timezone.now, editable=False)

    objects = InSight()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["workspace", "name"], name="one_secret_a_name")]

    def __str__(self) -> str:
        return f"{self.workspace}/{self.name}"
