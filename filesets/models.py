"""A fileset is data that jobs read: a pinned Hugging Face revision, or files kept in our own storage."""

from django.db import models
from django.utils import timezone

from assay.platform.ids import new_id
from assay.platform.sight import InSight
from assay.secrets.models import Secret
from assay.workspaces.models import Workspace


def fileset_id() -> str:
    return new_id("fileset")


def dataset_id() -> str:
    return new_id("dataset")


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
    description = models.TextField(blank=True, default="")
    project = models.CharField(max_length=255, blank=True, default="")
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
    uncommitted = models.BooleanField(default=False, editable=False)
    """Its files changed since the last commit on ``main``; the next look at its history makes a commit of that."""
    unlisted = models.BooleanField(default=False, editable=False)
    """It was deleted as a v1 dataset while it held files: they stay, and the v1 list shows it no more."""
    private = models.BooleanField(default=False)
    """As the Hub's clients set and show it; access is decided by the workspace."""
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    updated_at = models.DateTimeField(default=timezone.now, editable=False)

    objects = InSight()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["workspace", "name"], name="one_fileset_a_name")]
        indexes = [
            models.Index(fields=["workspace", "created_at"], name="fileset_by_age"),
            # Every job makes one; who asks for datasets means the others.
            models.Index(fields=["created_at"], name="fileset_not_of_a_job", condition=models.Q(made_by_job=False)),
        ]

    def __str__(self) -> str:
        return f"{self.workspace}/{self.name}"


class Blob(models.Model):
    """Content that is stored once, under its SHA-256, whoever refers to it."""

    sha256 = models.CharField(max_length=64, primary_key=True)
    size = models.PositiveBigIntegerField()
    git_oid = models.CharField(max_length=40, blank=True, default="")
    """The content's id as a git blob (SHA-1), as the Hub names small files; empty until it is asked for."""
    created_at = models.DateTimeField(default=timezone.now)
    """When it was last put: the sweep spares the younger than a day: an upload may be about to refer to it."""

    def __str__(self) -> str:
        return self.sha256


class File(models.Model):
    fileset = models.ForeignKey(Fileset, on_delete=models.CASCADE, related_name="files")
    path = models.CharField(max_length=1024)
    blob = models.ForeignKey(Blob, on_delete=models.PROTECT, related_name="files")
    lfs = models.BooleanField(default=False, editable=False)
    """Whether the Hub's clients see it as a large file, named by its SHA-256."""
    created_at = models.DateTimeField(default=timezone.now)
    updated_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["fileset", "path"], name="one_file_a_path")]

    def __str__(self) -> str:
        return f"{self.fileset}#{self.path}"


class Commit(models.Model):
    """The files of a fileset at one moment, under an id that never changes (huggingface-hub contract, section 1)."""

    fileset = models.ForeignKey(Fileset, on_delete=models.CASCADE, related_name="commits")
    oid = models.CharField(max_length=40)
    """40 hexadecimal digits, which clients know a commit by."""
    parent = models.CharField(max_length=40, blank=True, default="")
    """The oid of the commit before it; empty for the first."""
    title = models.CharField(max_length=1000)
    message = models.TextField(blank=True, default="")
    author = models.CharField(max_length=150)
    created_at = models.DateTimeField(default=timezone.now)
    tree = models.BinaryField()
    """Every path with its content's ids and size, in order of path, as compressed JSON (`history.py`)."""

    class Meta:
        constraints = [models.UniqueConstraint(fields=["fileset", "oid"], name="one_commit_an_oid")]

    def __str__(self) -> str:
        return f"{self.fileset}@{self.oid[:8]}"


class RefKind(models.TextChoices):
    BRANCH = "branch"
    TAG = "tag"


class Ref(models.Model):
    """A name for a commit: a branch moves with each commit on it, a tag stays."""

    fileset = models.ForeignKey(Fileset, on_delete=models.CASCADE, related_name="refs")
    kind = models.CharField(max_length=8, choices=RefKind.choices)
    name = models.CharField(max_length=255)
    commit = models.ForeignKey(Commit, on_delete=models.CASCADE, related_name="refs")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["fileset", "kind", "name"], name="one_ref_a_name")]

    def __str__(self) -> str:
        return f"{self.fileset}@{self.name}"


class HeldBlob(models.Model):
    """Content that a fileset's history holds, or that was uploaded to it and waits for its commit.

    It keeps the sweep away from the content, and tells what may be committed here by its hash alone.
    """

    fileset = models.ForeignKey(Fileset, on_delete=models.CASCADE, related_name="held_blobs")
    blob = models.ForeignKey(Blob, on_delete=models.PROTECT, related_name="held_in")
    committed = models.BooleanField(default=False)
    """One that no commit came for is let go after a day."""
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["fileset", "blob"], name="one_hold_of_a_blob")]

    def __str__(self) -> str:
        return f"{self.fileset}: {self.blob_id[:8]}"


class DatasetEntry(models.Model):
    """What the v1 API was told of a fileset when it was registered as a dataset (microservices-v1 section 3.1)."""

    fileset = models.OneToOneField(Fileset, on_delete=models.CASCADE, related_name="dataset_entry")
    uid = models.CharField(max_length=64, unique=True, default=dataset_id, editable=False)
    files_url = models.CharField(max_length=2048)
    """Verbatim: where the rows are, which may be elsewhere than in the fileset of this name."""
    hf_endpoint = models.CharField(max_length=2048, null=True, blank=True)
    format = models.CharField(max_length=255, null=True, blank=True)
    split = models.CharField(max_length=255, null=True, blank=True)
    limit = models.PositiveIntegerField(null=True, blank=True)
    ownership = models.JSONField(null=True, blank=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    updated_at = models.DateTimeField(default=timezone.now, editable=False)

    def __str__(self) -> str:
        return f"{self.fileset}"
