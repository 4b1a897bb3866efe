"""Making, finding, changing and refreshing filesets, for the API and the admin alike."""

from urllib.parse import urlsplit

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from assay.filesets.hub_errors import HubError, HubLacks
from assay.filesets.models import Fileset, Storage
from assay.filesets.storage_wire import HuggingfaceStorageConfig, LocalStorageConfig
from assay.filesets.wire import FilesetCreate, FilesetUpdate
from assay.platform import egress
from assay.platform.audit import record
from assay.platform.egress import EgressRefused
from assay.platform.errors import BadRequest, Conflict, NotFound
from assay.secrets.models import Secret
from assay.secrets.store import SecretsMissing, look_up
from assay.secrets.vault import SecretUnreadable
from assay.workspaces.lookup import inserting
from assay.workspaces.models import Workspace


def filesets_at_hand() -> QuerySet[Fileset]:
    return Fileset.objects.select_related("workspace", "token_secret__workspace")


def get_fileset(workspace: str, name: str) -> Fileset:
    """Return the fileset with its workspace and secret; raises ``NotFound``."""
    fileset = filesets_at_hand().filter(workspace__name=workspace, name=name).first()
    if fileset is None:
        raise _gone(workspace, name)
    return fileset


def create_fileset(workspace: Workspace, asked: FilesetCreate) -> Fileset:
    """Return a new fileset; one on a hub is pinned to the commit that its revision names now.

    Raises ``Conflict`` when the name is in use and ``BadRequest`` when the storage is not to be had.
    """
    fileset = Fileset(
        workspace=workspace,
        name=asked.name,
        description=asked.description or "",
        project=asked.project or "",
        purpose=asked.purpose,
        metadata=asked.metadata.stored() if asked.metadata else {},
        custom_fields=asked.custom_fields or {},
    )
    taken = f"Fileset '{fileset}' already exists"
    if Fileset.objects.filter(workspace=workspace, name=asked.name).exists():
        raise Conflict(taken)
    match asked.storage:
        case None:
            pass
        case HuggingfaceStorageConfig():
            put_on_hub(fileset, asked.storage)
        case LocalStorageConfig():
            raise BadRequest(
                "Creating filesets with local storage is not allowed. Leave out storage and upload the files."
            )
        case _:
            raise BadRequest(
                f"Storage of type '{asked.storage.type}' is not supported yet. Use huggingface, or leave out storage "
                "and upload the files."
            )
    with inserting(workspace, taken):
        fileset.save(force_insert=True)
        record("fileset.create", fileset, after=_about(fileset))
    return fileset


def change_fileset(fileset: Fileset, asked: FilesetUpdate) -> None:
    """Change what is given; name and storage stay."""
    changes: dict[str, object] = asked.model_dump(exclude_none=True, exclude={"metadata"})
    if asked.metadata is not None:
        changes["metadata"] = asked.metadata.stored()
    if changes:
        _update(fileset, changes)


def refresh_fileset(fileset: Fileset) -> None:
    """Pin the fileset to the commit that its revision names now; submitted jobs keep the one they were given.

    Raises ``Conflict`` for storage without revisions, ``NotFound`` when the hub has it no more, ``BadRequest`` when the
    token cannot be opened, and ``HubError``.
    """
    if fileset.storage_type != Storage.HUGGINGFACE:
        raise Conflict(f"Fileset '{fileset}' does not track a revision that can be refreshed")
    from assay.filesets import huggingface

    try:
        commit = huggingface.resolve(huggingface.Repository.of(fileset, fileset.original_revision))
    except HubLacks as error:
        raise NotFound(str(error)) from None
    except SecretUnreadable as error:
        raise BadRequest(f"Secret unavailable: {error}") from None
    if commit != fileset.revision:
        _update(fileset, {"revision": commit})


def put_on_hub(fileset: Fileset, asked: HuggingfaceStorageConfig) -> None:
    """Give a fileset that is not saved yet its place on a hub; raises ``BadRequest``."""
    from assay.filesets import huggingface

    endpoint = _endpoint(asked.endpoint)
    fileset.storage_type = Storage.HUGGINGFACE
    fileset.storage = asked.model_dump(include={"read_chunk_size", "repo_id", "repo_type", "token_secret"})
    fileset.storage["endpoint"] = endpoint
    fileset.original_revision = asked.revision
    if asked.token_secret is not None:
        fileset.token_secret = _token_secret(fileset.workspace, asked.token_secret)
    try:
        fileset.revision = huggingface.resolve(huggingface.Repository.of(fileset, asked.revision))
    except HubLacks as error:
        raise BadRequest(f"Invalid storage configuration: Not found for {error.url}") from None
    except EgressRefused as error:
        raise _not_allowed(error) from None
    except (HubError, BadRequest) as error:
        raise BadRequest(f"Invalid storage configuration: {error}") from None
    except SecretUnreadable as error:
        raise BadRequest(f"Secret unavailable: {error}") from None


def _endpoint(url: str) -> str:
    try:
        egress.check(url)
    except EgressRefused as error:
        raise _not_allowed(error) from None
    parts = urlsplit(url)
    if "@" in parts.netloc or parts.query or parts.fragment:
        raise BadRequest("Invalid storage configuration: The endpoint must be a plain URL; a token goes in a secret.")
    return url.rstrip("/")


def _not_allowed(error: EgressRefused) -> BadRequest:
    return BadRequest(f"Storage host or endpoint not in allowed list: {error.reason}")


def _token_secret(workspace: Workspace, reference: str) -> Secret:
    try:
        return look_up([reference], workspace.name)[reference]
    except SecretsMissing as error:
        raise BadRequest(f"Secret not found: {error}") from None


def _update(fileset: Fileset, changes: dict[str, object]) -> None:
    before = {name: getattr(fileset, name) for name in changes}
    now = timezone.now()
    with transaction.atomic():
        if not Fileset.objects.filter(pk=fileset.pk).update(**changes, updated_at=now):
            raise _gone(fileset.workspace.name, fileset.name)
        record("fileset.update", fileset, before=before, after=changes)
    for name, value in {**changes, "updated_at": now}.items():
        setattr(fileset, name, value)


def _about(fileset: Fileset) -> dict[str, object]:
    """Return what the audit says of a new fileset."""
    token = {"token_secret": str(fileset.token_secret)} if fileset.token_secret else {}
    return {"purpose": fileset.purpose, "storage": fileset.storage_type, "revision": fileset.revision, **token}


def _gone(workspace: str, name: str) -> NotFound:
    return NotFound(f"Fileset '{name}' not found in workspace '{workspace}'")
