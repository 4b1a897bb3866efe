"""A job is rows in the database: what it froze when it was submitted, its shards, its row scores, its results."""

from django.db import models
from django.utils import timezone

from assay.filesets.models import Blob, Fileset
from assay.platform.ids import new_id
from assay.platform.sight import InSight
from assay.secrets.models import Secret
from assay.workspaces.models import Workspace


def job_id() -> str:
    return new_id("platform-job")


class State(models.TextChoices):
    """The states of a job; `states.py` holds the legal moves, docs/job-life.md the diagram."""

    CREATED = "created"
    PENDING = "pending"
    ACTIVE = "active"
    PAUSING = "pausing"
    PAUSED = "paused"
    CANCELLING = "cancelling"
    CANCELLED = "cancelled"
    ERROR = "error"
    COMPLETED = "completed"


class Dialect(models.TextChoices):
    """The form of the spec a job was submitted in; its results go out in the same form (platform-v2 section 8.5)."""

    SINGLE = "single", "one raw metric (clients 0.1.0, 0.1.1)"
    BUNDLES = "bundles", "metric bundles (clients 0.1.2 to 0.3.0)"
    PUBLICATION = "publication", "metric bundles and publication (clients from 0.6.0)"
    CUSTOM = "custom", "a custom evaluation of the v1 API"


class Job(models.Model):
    uid = models.CharField(max_length=64, unique=True, default=job_id, editable=False)
    workspace = models.ForeignKey(Workspace, on_delete=models.PROTECT, related_name="jobs")
    name = models.CharField(max_length=255)
    project = models.CharField(max_length=255, null=True, blank=True)
    description = models.TextField(null=True, blank=True)
    source = models.CharField(max_length=63, default="nemo-evaluator", editable=False)
    dialect = models.CharField(max_length=16, choices=Dialect.choices, editable=False)
    spec = models.JSONField(editable=False)
    """As submitted; clients validate what comes back with their own models. A v1 job's, in the words of v2."""
    submitted = models.JSONField(default=dict, editable=False)
    """A v1 job's config and target as they were then, with a secret's name in the place of each key."""
    ownership = models.JSONField(null=True, blank=True)
    custom_fields = models.JSONField(default=dict)
    output_location = models.CharField(max_length=1024, null=True, blank=True)
    uses_cache = models.BooleanField(default=True)
    """Whether replies that other jobs of the workspace were given to the same questions may stand in for calls."""
    budget_tokens = models.PositiveBigIntegerField(null=True, blank=True)
    """So many tokens, in and out, the job may use before it pauses."""
    budget_cost = models.DecimalField(max_digits=18, decimal_places=6, null=True, blank=True)
    """In US dollars, by the prices of its endpoints' terms."""

    # What was frozen at submission.
    metrics = models.JSONField(editable=False)
    """The metrics' own definitions, stored metrics resolved."""
    dataset_fileset = models.ForeignKey(Fileset, null=True, blank=True, on_delete=models.PROTECT, related_name="jobs")
    """None when the rows are in the spec."""
    dataset_fragment = models.CharField(max_length=1024, blank=True, default="")
    dataset_revision = models.CharField(max_length=64, blank=True, default="")
    parallelism = models.PositiveIntegerField(default=8)
    limit_samples = models.PositiveIntegerField(null=True, blank=True)
    result_fileset = models.OneToOneField(Fileset, on_delete=models.PROTECT, related_name="result_of")

    # Where it stands.
    state = models.CharField(max_length=16, choices=State.choices, default=State.CREATED)
    message = models.TextField(blank=True, default="")
    """One line for people: what it does now, or why it waits or ended."""
    pause_reason = models.CharField(max_length=255, blank=True, default="")
    """Why it pauses, where nobody asked it to."""
    error = models.TextField(blank=True, default="")
    rows_total = models.PositiveBigIntegerField(null=True, blank=True)
    rows_done = models.PositiveBigIntegerField(default=0)
    rows_failed = models.PositiveBigIntegerField(default=0)
    reruns = models.PositiveIntegerField(default=0)
    """How often its failed rows were run again."""
    forms = models.JSONField(default=dict)
    """The structured-output form each judge takes, so that every shard sends the same prompts."""
    created_by = models.CharField(max_length=150, blank=True, default="", editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    updated_at = models.DateTimeField(default=timezone.now, editable=False)
    pending_at = models.DateTimeField(null=True, blank=True)
    active_at = models.DateTimeField(null=True, blank=True)
    paused_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    rung_at = models.DateTimeField(null=True, blank=True)
    """When workers were last woken for it; the sweep rings again when nothing came of it."""
    lease_until = models.DateTimeField(null=True, blank=True)
    """Until then one worker plans or finishes it."""
    barren_claims = models.PositiveIntegerField(default=0)
    """How often in a row a worker ended while it planned or finished the job."""

    objects = InSight()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["workspace", "name"], name="one_job_a_name")]
        indexes = [
            models.Index(fields=["workspace", "created_at"], name="job_by_age"),
            models.Index(fields=["created_at"], name="job_by_age_anywhere"),
            models.Index(fields=["state", "workspace", "created_at"], name="job_by_state"),
            models.Index(fields=["dialect", "created_at"], name="job_by_dialect"),
        ]

    def __str__(self) -> str:
        return f"{self.workspace}/{self.name}"

    @property
    def tail(self) -> str:
        """The random part of ``uid``, which the ids of its attempt, step and task share."""
        return self.uid.removeprefix("platform-job-")

    @property
    def attempt_id(self) -> str:
        return f"platform-job-attempt-{self.tail}"


class JobSecret(models.Model):
    """A job refers to a secret by id, so that neither can lose the other in a race."""

    job = models.ForeignKey(Job, on_delete=models.CASCADE, related_name="job_secrets")
    secret = models.ForeignKey(Secret, on_delete=models.PROTECT, related_name="job_secrets")
    reference = models.CharField(max_length=127)
    """As the metric names it: ``name`` or ``workspace/name``."""

    class Meta:
        constraints = [models.UniqueConstraint(fields=["job", "reference"], name="one_use_of_a_secret_a_job")]

    def __str__(self) -> str:
        return f"{self.job}: {self.reference}"


class JobPart(models.Model):
    """One task of a v1 job: rows of its own, and metrics that judge these rows only. Other jobs have no parts."""

    job = models.ForeignKey(Job, on_delete=models.CASCADE, related_name="parts")
    index = models.PositiveIntegerField()
    name = models.CharField(max_length=255)
    """The task's key, under which its results stand."""
    metrics = models.JSONField(default=list)
    """The keys of its metrics among the job's."""
    prompt_template = models.JSONField(null=True)
    """What the target is asked; None where the rows hold the answers."""
    params = models.JSONField(default=dict)
    """How the target is called: members of ``RunConfigOnlineModel``."""
    rows = models.JSONField(null=True)
    """The rows themselves, where the target brought them."""
    dataset = models.JSONField(default=dict)
    """How the rows are read: files_url, hf_endpoint, format, split, offset, limit; where the rows are not given."""
    fileset = models.ForeignKey(Fileset, null=True, blank=True, on_delete=models.PROTECT, related_name="job_parts")
    revision = models.CharField(max_length=64, blank=True, default="")
    """The commit that the rows are read at."""

    class Meta:
        constraints = [models.UniqueConstraint(fields=["job", "index"], name="one_part_an_index")]

    def __str__(self) -> str:
        return f"{self.job}: {self.name}"


class JobInput(models.Model):
    """A file that the job reads, pinned when it was planned: an upload over it does not change the job."""

    job = models.ForeignKey(Job, on_delete=models.CASCADE, related_name="inputs")
    part = models.PositiveIntegerField(default=0)
    """The index of the part that it belongs to."""
    position = models.PositiveIntegerField()
    path = models.CharField(max_length=1024)
    blob = models.ForeignKey(Blob, null=True, on_delete=models.PROTECT, related_name="inputs")
    """None for a hub's file, which the job's revision pins."""
    rows = models.PositiveBigIntegerField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["job", "position"], name="one_input_a_position")]

    def __str__(self) -> str:
        return f"{self.job}: {self.path}"


class ShardState(models.TextChoices):
    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"


class Shard(models.Model):
    """A range of a job's rows that one worker judges at a time, for as long as it renews its lease."""

    job = models.ForeignKey(Job, on_delete=models.CASCADE, related_name="shards")
    index = models.PositiveIntegerField()
    part = models.PositiveIntegerField(default=0)
    """The index of the part that its rows belong to; a shard never spans two."""
    start = models.PositiveBigIntegerField()
    stop = models.PositiveBigIntegerField()
    """The row after the last one."""
    state = models.CharField(max_length=8, choices=ShardState.choices, default=ShardState.WAITING)
    token = models.PositiveIntegerField(default=0)
    """Grows with every claim; whoever writes with an older one is refused (a fencing token)."""
    lease_until = models.DateTimeField(null=True, blank=True)
    worker = models.CharField(max_length=255, blank=True, default="")
    barren_claims = models.PositiveIntegerField(default=0)
    """Claims in a row that stored nothing: rows that end whoever judges them are not tried for ever."""

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["job", "index"], name="one_shard_an_index"),
            models.CheckConstraint(condition=models.Q(stop__gte=models.F("start")), name="shard_goes_forward"),
        ]
        indexes = [models.Index(fields=["state", "lease_until"], name="shard_by_lease")]

    def __str__(self) -> str:
        return f"{self.job} rows {self.start} to {self.stop}"


class RowBatch(models.Model):
    """Whole rows that landed together, as the wire has them, until their shard is packed."""

    job = models.ForeignKey(Job, on_delete=models.CASCADE, related_name="row_batches")
    shard = models.ForeignKey(Shard, on_delete=models.CASCADE, related_name="row_batches")
    rows = models.JSONField()
    """Their indexes, in the order of the lines."""
    content = models.BinaryField()
    """JSON lines, compressed with zlib."""

    def __str__(self) -> str:
        return f"{self.job}: {len(self.rows)} rows"


class RowPack(models.Model):
    """All rows of a finished shard in one compressed file, and their scores folded."""

    job = models.ForeignKey(Job, on_delete=models.CASCADE, related_name="row_packs")
    shard = models.OneToOneField(Shard, on_delete=models.CASCADE, related_name="row_pack")
    blob = models.ForeignKey(Blob, on_delete=models.PROTECT, related_name="row_packs")
    """JSON lines in row order, as gzip members of some rows each: any tool reads it, and each member alone is read."""
    frames = models.JSONField()
    """``[[first row, offset of its member in the file, rows in it], …]``"""
    folded = models.BinaryField()
    """The shard's scores, column by column; see ``packs.py``."""

    def __str__(self) -> str:
        return f"{self.job}: rows of shard {self.shard_id}"


class RowScore(models.Model):
    """What became of one row; stored as it lands, at most once."""

    job = models.ForeignKey(Job, on_delete=models.CASCADE, related_name="row_scores", db_index=False)
    """Found by the constraint's index."""
    row_index = models.PositiveBigIntegerField()
    scored = models.BooleanField()
    """Every score of the row has a value."""
    scores = models.JSONField()
    """``{metric key: [[name, value or null, label or null, state, reason or null], …]}``"""
    error = models.TextField(blank=True, default="")
    batch = models.ForeignKey(
        RowBatch, null=True, on_delete=models.DO_NOTHING, db_constraint=False, db_index=False, related_name="+"
    )
    """Where the whole row is; None once its shard is packed."""
    doubtful = models.BinaryField(default=b"")
    """The keys, of 32 bytes each, of the replies that gave no score: a rerun does without them."""
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["job", "row_index"], name="one_score_a_row")]

    def __str__(self) -> str:
        return f"{self.job} row {self.row_index}"


class Result(models.Model):
    """A named outcome of a job: a file in its result fileset."""

    job = models.ForeignKey(Job, on_delete=models.CASCADE, related_name="results")
    name = models.CharField(max_length=63)
    created_at = models.DateTimeField(default=timezone.now)

    objects = InSight("job__workspace_id")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["job", "name"], name="one_result_a_name")]

    def __str__(self) -> str:
        return f"{self.job}: {self.name}"


class LogLine(models.Model):
    job = models.ForeignKey(Job, on_delete=models.CASCADE, related_name="log_lines")
    at = models.DateTimeField(default=timezone.now)
    step = models.CharField(max_length=63)
    message = models.TextField()

    class Meta:
        indexes = [models.Index(fields=["job", "id"], name="log_in_order")]

    def __str__(self) -> str:
        return f"{self.at:%H:%M:%S} {self.message}"


class Reply(models.Model):
    """What a model sent back, by what it was asked: the record of what was paid for, and the judge cache."""

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="replies", db_index=False)
    """A question is only answered from its own workspace: prompts hold data that others may not see."""
    key = models.BinaryField(max_length=32)
    """SHA-256 over what was asked; see ``assay_sdk.engine.replies``."""
    job_uid = models.CharField(max_length=64, blank=True, default="")
    """Whose call it was; the job may be gone since. Empty for an imported reply."""
    row_index = models.PositiveBigIntegerField(default=0)
    """Rows that ask the same are given replies of their own, as independent draws."""
    private = models.BooleanField(default=False)
    """Kept for its own job only, which does not share a cache."""
    model = models.CharField(max_length=255)
    address = models.CharField(max_length=1024)
    status = models.PositiveSmallIntegerField(default=200)
    body = models.BinaryField()
    """As it came, compressed with zlib."""
    created_at = models.DateTimeField(default=timezone.now)

    objects = InSight()

    class Meta:
        verbose_name_plural = "replies"
        constraints = [
            models.UniqueConstraint(fields=["workspace", "key", "job_uid", "row_index"], name="one_reply_a_question")
        ]
        indexes = [
            models.Index(fields=["created_at"], name="reply_by_age"),
            models.Index(fields=["job_uid"], name="reply_by_job"),
            models.Index(fields=["job_uid"], name="private_reply_by_job", condition=models.Q(private=True)),
        ]

    def __str__(self) -> str:
        return f"{self.model}: {bytes(self.key).hex()[:12]}"


class Usage(models.Model):
    """The ledger of a job: what one model has done for it, by the server's own count."""

    job = models.ForeignKey(Job, on_delete=models.CASCADE, related_name="usage")
    model = models.CharField(max_length=255)
    address = models.CharField(max_length=1024)
    calls = models.PositiveBigIntegerField(default=0)
    """Replies that were paid for."""
    kept = models.PositiveBigIntegerField(default=0)
    """Replies that came from the cache instead."""
    uncounted = models.PositiveBigIntegerField(default=0)
    """Paid replies that do not say how many tokens they took."""
    tokens_in = models.PositiveBigIntegerField(default=0)
    tokens_out = models.PositiveBigIntegerField(default=0)
    cost = models.DecimalField(max_digits=18, decimal_places=6, default=0)
    """In US dollars, by the prices at the time of each call; 0 where none are known."""

    class Meta:
        verbose_name_plural = "usage"
        constraints = [models.UniqueConstraint(fields=["job", "model", "address"], name="one_ledger_line_a_model")]

    def __str__(self) -> str:
        return f"{self.job}: {self.calls} calls of {self.model}"


class Terms(models.Model):
    """What an endpoint allows, and what it costs: set by people, observed by every job that calls it."""

    address = models.CharField(max_length=1024)
    """As models name it, without the path of the API call and without a query."""
    model = models.CharField(max_length=255, blank=True, default="")
    """Empty: any model at that address."""
    requests_per_minute = models.PositiveIntegerField(null=True, blank=True)
    tokens_per_minute = models.PositiveBigIntegerField(null=True, blank=True)
    calls_in_flight = models.PositiveIntegerField(null=True, blank=True)
    price_in = models.DecimalField(max_digits=12, decimal_places=6, null=True, blank=True)
    """US dollars for a million tokens."""
    price_out = models.DecimalField(max_digits=12, decimal_places=6, null=True, blank=True)

    class Meta:
        verbose_name_plural = "terms"
        constraints = [models.UniqueConstraint(fields=["address", "model"], name="one_set_of_terms_an_endpoint")]

    def __str__(self) -> str:
        return f"{self.address} {self.model}".strip()


class Worker(models.Model):
    """A worker process that was seen lately: whether anybody is there to work."""

    name = models.CharField(max_length=255, unique=True)
    """host:pid"""
    started_at = models.DateTimeField(default=timezone.now)
    seen_at = models.DateTimeField(default=timezone.now)
    threads = models.PositiveIntegerField(default=1)
    """Shards that it judges at once."""

    def __str__(self) -> str:
        return self.name
