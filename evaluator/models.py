"""What outlives a job: stored metrics, and the results of evaluations."""

from django.db import models
from django.utils import timezone

from assay.platform.ids import new_id
from assay.workspaces.models import Workspace


def metric_id() -> str:
    return new_id("metric-bundle")


def result_id() -> str:
    return new_id("evaluate-result")


class StoredMetric(models.Model):
    """A metric bundle under a name (platform-v2 section 8.6); it never changes."""

    uid = models.CharField(max_length=64, unique=True, default=metric_id, editable=False)
    workspace = models.ForeignKey(Workspace, on_delete=models.PROTECT, related_name="metrics")
    name = models.CharField(max_length=63)
    project = models.CharField(max_length=63, null=True, blank=True)
    metric_type = models.CharField(max_length=64)
    description = models.TextField(null=True, blank=True)
    bundle = models.JSONField()
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    updated_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["workspace", "name"], name="one_metric_a_name")]

    def __str__(self) -> str:
        return f"{self.workspace}/{self.name}"


class EvalResult(models.Model):
    """The aggregates of one finished job; it survives the job's deletion (platform-v2 section 8.6)."""

    uid = models.CharField(max_length=64, unique=True, default=result_id, editable=False)
    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="eval_results")
    name = models.CharField(max_length=255)
    """The job's name, which a later job of that name takes over."""
    project = models.CharField(max_length=63, null=True, blank=True)
    scores = models.JSONField()
    metric_types = models.JSONField(default=list)
    dataset_ref = models.CharField(max_length=1024, null=True, blank=True)
    bundle_ref = models.CharField(max_length=1024)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    updated_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["workspace", "name"], name="one_result_a_job")]

    def __str__(self) -> str:
        return f"{self.workspace}/{self.name}"
