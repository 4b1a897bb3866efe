"""A workspace holds everything else; members say who may use it, projects group what is in it."""

from django.db import models
from django.utils import timezone

from assay.platform.ids import new_id
from assay.platform.sight import InSight

DEFAULT = "default"
"""The workspace made at first start; it cannot be deleted."""


def workspace_id() -> str:
    return new_id("workspace")


def project_id() -> str:
    return new_id("project")


class Workspace(models.Model):
    uid = models.CharField(max_length=64, unique=True, default=workspace_id, editable=False)
    name = models.CharField(max_length=255, unique=True)
    description = models.TextField(null=True, blank=True)
    project = models.CharField(max_length=255, null=True, blank=True)
    custom_fields = models.JSONField(default=dict, blank=True)
    ownership = models.JSONField(null=True, blank=True)
    in_entity_store = models.BooleanField(default=True, editable=False)
    """Shown as a namespace of the v1 entity store; one that the data store made is not, until it is made there too."""
    in_data_store = models.BooleanField(default=True, editable=False)
    """The same for the v1 data store."""
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    created_by = models.CharField(max_length=150, blank=True, default="", editable=False)
    updated_at = models.DateTimeField(default=timezone.now, editable=False)
    updated_by = models.CharField(max_length=150, blank=True, default="", editable=False)

    objects = InSight("pk")

    class Meta:
        indexes = [
            models.Index(fields=["created_at"], name="workspace_created"),
            models.Index(fields=["updated_at"], name="workspace_updated"),
        ]

    def __str__(self) -> str:
        return self.name


class Member(models.Model):
    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="members")
    principal = models.CharField(max_length=255)
    roles = models.JSONField(default=list)
    granted_at = models.DateTimeField(default=timezone.now)
    granted_by = models.CharField(max_length=150, default="system")

    objects = InSight()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["workspace", "principal"], name="one_membership_a_principal")]

    def __str__(self) -> str:
        return f"{self.principal} in {self.workspace}"


class Project(models.Model):
    uid = models.CharField(max_length=64, unique=True, default=project_id, editable=False)
    workspace = models.ForeignKey(Workspace, on_delete=models.PROTECT, related_name="projects")
    name = models.CharField(max_length=255)
    description = models.TextField(null=True, blank=True)
    custom_fields = models.JSONField(default=dict, blank=True)
    ownership = models.JSONField(null=True, blank=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    updated_at = models.DateTimeField(default=timezone.now, editable=False)

    objects = InSight()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["workspace", "name"], name="one_project_a_name")]

    def __str__(self) -> str:
        return f"{self.workspace}/{self.name}"


class Quota(models.Model):
    """What one workspace may use, where that is not what all may (``ASSAY_QUOTA_…``); null: as all."""

    workspace = models.OneToOneField(Workspace, on_delete=models.CASCADE, related_name="quota")
    bytes = models.PositiveBigIntegerField(null=True, blank=True)
    """Of uploaded files, their history among them; each content counts once."""
    jobs = models.PositiveIntegerField(null=True, blank=True)
    """That have not ended."""
    rows = models.PositiveBigIntegerField(null=True, blank=True)
    """Of one job."""

    objects = InSight()

    def __str__(self) -> str:
        return f"quota of {self.workspace}"
