"""A fileset is data that jobs read: a pinned Hugging Face revision, or files kept in our own storage."""

from django.db import models
from django.utils import timezone

from assay.platform.ids import new_id
from assay.secrets.models import Secret
from assay.workspaces.models import Workspace


def fileset_id() -> str:
    return new_id("fileset")


class Storage(models.TextChoices):
    LOCAL = "local"
    HUGGINGFACE = "huggingface"


class Purpose(models.TextChoices):
    DATASET = "dataset"
    ENVIRONMENT = "environment"
    GENERIC = "generic"
    MODEL = "model"


class Fileset(models.Model):
    uid = models.CharField(max_length=64, unique=True, default=fileset_id, editable=False)
    workspace = models.ForeignKey(Workspace, on_delete=models.PROTECT, related_name="filesets")
    name = models.CharField(max_length=255)
    description = models.CharField(max_length=255, blank=True, default="")
    project = models.CharField(max_length=63, blank=True, default="")
    purpose = models.CharField(max_length=16, choices=Purpose.choices, default=Purpose.GENERIC)
    storage_type = models.CharField(max_length=16, choices=Storage.choices, default=Storage.LOCAL)
    storage = models.JSONField(default=dict)
    """The storage's own settings as the wire has them, without ``type``; for the hub: repo_id, repo_type, endpoint."""
    revision = models.CharField(max_length=64, blank=True, default="")
    """The commit that the hub resolved ``original_revision`` to; empty for our own storage."""
    original_revision = models.CharField(max_length=255, blank=True, default="")
    token_secret = models.ForeignKey(Secret, null=True, blank=True, on_delete=models.PROTECT, related_name="filesets")
    metadata = models.JSONField(default=dict)
    custom_fields = models.JSONField(default=dict)
    made_by_job = models.BooleanField(default=False, editable=False)
    """The platform made it for a job's results: it goes with the job and blocks nothing."""
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    updated_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["workspace", "name"], name="one_fileset_a_name")]
        indexes = [models.Index(fields=["workspace", "created_at"], name="fileset_by_age")]

    def __str__(self) -> str:
        return f"{self.workspace}/{self.name}"


class Blob(models.Model):
    """Content that is stored once, under its SHA-256, whoever refers to it."""

    sha256 = models.CharField(max_length=64, primary_key=True)
    size = models.PositiveBigIntegerField()
    created_at = models.DateTimeField(default=timezone.now)
    """When it was last put: the sweep spares the younger than a day: an upload may be about to refer to it."""

    def __str__(self) -> str:
        return self.sha256


class File(models.Model):
    fileset = models.ForeignKey(Fileset, on_delete=models.CASCADE, related_name="files")
    path = models.CharField(max_length=1024)
    blob = models.ForeignKey(Blob, on_delete=models.PROTECT, related_name="files")
    created_at = models.DateTimeField(default=timezone.now)
    updated_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["fileset", "path"], name="one_file_a_path")]

    def __str__(self) -> str:
        return f"{self.fileset}#{self.path}"
