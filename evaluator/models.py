"""What outlives a job: stored metrics, and the results of evaluations."""

from django.db import models
from django.utils import timezone

from assay.platform.ids import new_id
from assay.platform.sight import InSight
from assay.secrets.models import Secret
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

    objects = InSight()

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

    objects = InSight()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["workspace", "name"], name="one_result_a_job")]
        indexes = [models.Index(fields=["workspace", "created_at"], name="eval_result_by_age")]

    def __str__(self) -> str:
        return f"{self.workspace}/{self.name}"


class DefinitionKind(models.TextChoices):
    MODEL = "model"
    TARGET = "eval-target"
    CONFIG = "eval-config"


class Definition(models.Model):
    """A model, target or config of the v1 API under a name (microservices-v1 sections 3.3 and 4)."""

    kind = models.CharField(max_length=16, choices=DefinitionKind.choices)
    workspace = models.ForeignKey(Workspace, on_delete=models.PROTECT, related_name="definitions")
    name = models.CharField(max_length=255)
    uid = models.CharField(max_length=64, unique=True, editable=False)
    """``<kind>-<base58>``."""
    description = models.TextField(null=True, blank=True)
    project = models.CharField(max_length=255, null=True, blank=True)
    body = models.JSONField()
    """What is particular to the kind, with a secret's name in the place of each key that came inside it."""
    custom_fields = models.JSONField(default=dict)
    ownership = models.JSONField(null=True, blank=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    updated_at = models.DateTimeField(default=timezone.now, editable=False)

    objects = InSight()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["workspace", "kind", "name"], name="one_definition_a_name")]
        indexes = [models.Index(fields=["kind", "created_at"], name="definition_by_age")]

    def __str__(self) -> str:
        return f"{self.workspace}/{self.name}"


class DefinitionSecret(models.Model):
    """A definition refers to a secret by id, so that neither can lose the other in a race."""

    definition = models.ForeignKey(Definition, on_delete=models.CASCADE, related_name="definition_secrets")
    secret = models.ForeignKey(Secret, on_delete=models.PROTECT, related_name="definition_secrets")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["definition", "secret"], name="one_use_of_a_secret_a_definition")
        ]

    def __str__(self) -> str:
        return f"{self.definition}: {self.secret}"


def posted_result_id() -> str:
    return new_id("evaluation_result")


class PostedResult(models.Model):
    """Scores that a user computed elsewhere and stored here (microservices-v1 section 8)."""

    uid = models.CharField(max_length=64, unique=True, default=posted_result_id, editable=False)
    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="posted_results")
    job = models.CharField(max_length=255)
    """As given; it need not be a job of this platform."""
    body = models.JSONField(default=dict)
    """Tasks, groups and files_url, as given."""
    description = models.TextField(null=True, blank=True)
    project = models.CharField(max_length=255, null=True, blank=True)
    custom_fields = models.JSONField(default=dict)
    ownership = models.JSONField(null=True, blank=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    updated_at = models.DateTimeField(default=timezone.now, editable=False)

    objects = InSight()

    def __str__(self) -> str:
        return f"{self.workspace}/{self.uid}"
