"""What the platform sends back, as frozen values, and the references and storages that callers hand in."""

from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

TERMINAL = frozenset({"completed", "error", "cancelled", "failed"})
"""The states a job does not leave."""

Moment = Annotated[datetime, AfterValidator(lambda time: time if time.tzinfo else time.replace(tzinfo=UTC))]
"""Times travel in UTC without saying so."""


class Value(BaseModel):
    """A frozen value; members that this client does not know are dropped, so that newer servers do not break it."""

    # Built when it is first read: a program that starts pays only for what it uses.
    model_config = ConfigDict(frozen=True, extra="ignore", defer_build=True)


class Health(Value):
    """Whether the platform is ready."""

    status: str


class Workspace(Value):
    """A room for secrets, filesets and jobs."""

    id: str
    name: str
    description: str | None = None
    created_at: Moment
    created_by: str | None = None
    updated_at: Moment
    updated_by: str | None = None


class Member(Value):
    """Somebody's roles in a workspace."""

    principal: str
    roles: tuple[str, ...]
    granted_at: Moment | None = None
    granted_by: str | None = None


class Project(Value):
    """A label that groups what a workspace holds."""

    id: str
    name: str
    workspace: str
    description: str | None = None
    created_at: Moment
    updated_at: Moment


class Secret(Value):
    """A sealed credential, without its value: that never comes back."""

    name: str
    workspace: str
    description: str | None = None
    created_at: Moment
    updated_at: Moment


class Storage(BaseModel):
    """Where a fileset's files lie. The members depend on ``type``."""

    model_config = ConfigDict(frozen=True, extra="allow", defer_build=True)

    type: str


class HuggingfaceStorage(Storage):
    """A repository on the Hugging Face Hub, or on a hub that speaks its language."""

    type: Literal["huggingface"] = "huggingface"
    repo_id: str
    repo_type: Literal["dataset", "model", "space"] = "dataset"
    revision: str | None = None
    """Branch, tag or commit; pinned to a commit when the fileset is made. The hub's main branch if absent."""
    endpoint: str | None = None
    """The hub's address; huggingface.co if absent."""
    token_secret: str | None = None
    """The secret that holds the hub token, for private repositories."""


class FilesetRef(Value):
    """A fileset, or a file in it: ``FilesetRef(root="workspace/name").with_fragment("data.jsonl")``."""

    root: str
    """``workspace/name``, or ``name`` for the client's own workspace; also ``workspace/name#file``."""

    def with_fragment(self, fragment: str) -> "FilesetRef":
        """Return the reference to a file, or to all files a pattern matches, in this fileset."""
        return FilesetRef(root=f"{self.root.partition('#')[0]}#{fragment}")

    @property
    def fragment(self) -> str | None:
        """The file's path or a pattern; None for the whole fileset."""
        return self.root.partition("#")[2] or None

    def place(self, workspace: str) -> tuple[str, str]:
        """Return workspace and name of the fileset; ``workspace`` is the one to assume."""
        first, slash, second = self.root.partition("#")[0].partition("/")
        return (first, second) if slash else (workspace, first)

    def __str__(self) -> str:
        return self.root


class Fileset(Value):
    """A named, pinned collection of files."""

    id: str
    name: str
    workspace: str
    description: str = ""
    purpose: str = "generic"
    storage: Storage
    metadata: dict[str, Any] = Field(default_factory=dict)
    custom_fields: dict[str, Any] = Field(default_factory=dict)
    project: str = ""
    created_at: Moment
    updated_at: Moment

    @property
    def ref(self) -> FilesetRef:
        """The reference to use as a dataset."""
        return FilesetRef(root=f"{self.workspace}/{self.name}")


class File(Value):
    """A file in a fileset."""

    path: str
    size: int
    file_ref: str
    """``workspace/fileset#path``: a dataset reference."""
    cache_status: str | None = None


class JobInfo(Value):
    """A job as it stood when it was read."""

    id: str
    name: str
    workspace: str
    status: str
    spec: dict[str, Any]
    description: str | None = None
    project: str | None = None
    source: str | None = None
    status_details: dict[str, Any] = Field(default_factory=dict)
    error_details: dict[str, Any] | None = None
    custom_fields: dict[str, Any] | None = None
    created_at: Moment
    updated_at: Moment


class JobStatus(Value):
    """Where a job stands."""

    name: str
    status: str
    """One of created, pending, active, pausing, paused, resuming, cancelling, cancelled, error, completed."""
    status_details: dict[str, Any] = Field(default_factory=dict)
    error_details: dict[str, Any] | None = None
    updated_at: Moment | None = None

    @property
    def done(self) -> bool:
        """Whether the job will not change any more."""
        return self.status in TERMINAL

    @property
    def message(self) -> str:
        """What the job is doing, or why it ended, in the server's words."""
        reason = (self.error_details or {}).get("message")
        return str(reason or self.status_details.get("message") or "")

    @property
    def rows_done(self) -> int | None:
        """How many rows are judged; None if the server does not tell."""
        count = self.status_details.get("samples_processed")
        return count if isinstance(count, int) else None

    @property
    def progress(self) -> float | None:
        """The part that is done, from 0 to 1; None if the server does not tell."""
        percent = self.status_details.get("progress")
        return max(0.0, min(1.0, percent / 100)) if isinstance(percent, int | float) else None

    @property
    def rows(self) -> int | None:
        """How many rows the job has; None while that is not known."""
        total = self.status_details.get("samples_total")
        if isinstance(total, int):
            return total
        # Servers that send no total: the share tells it, as soon as there is one.
        return round(self.rows_done / self.progress) if self.rows_done and self.progress else None


class LogLine(Value):
    """A line of a job's log."""

    timestamp: Moment
    message: str
    job_step: str | None = None
    job_task: str | None = None


class ResultInfo(Value):
    """A result that can be downloaded."""

    name: str
    created_at: Moment
    artifact_url: str | None = None


class StoredMetric(Value):
    """A metric kept under a name."""

    id: str
    name: str
    workspace: str
    metric_type: str
    project: str | None = None
    description: str | None = None
    outputs: tuple[dict[str, Any], ...] = ()
    secrets: dict[str, str] = Field(default_factory=dict)
    payload_digest: str | None = None
    created_at: Moment
    updated_at: Moment


class StoredResult(Value):
    """The summary of a finished job; it outlives the job."""

    id: str
    name: str
    workspace: str
    job_id: str
    scores: dict[str, Any]
    project: str | None = None
    dataset_ref: str | None = None
    metric_types: tuple[str, ...] = ()
    created_at: Moment
    updated_at: Moment
