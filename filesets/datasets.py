"""A dataset of the v1 API is a fileset and what was said of it there (microservices-v1 section 3.1).

A fileset that nobody registered, of a Hub client or of v2, is a dataset too: its rows are its own files.
"""

from collections.abc import Mapping
from typing import Any

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from assay.filesets.models import DatasetEntry, Fileset, Purpose, Storage, fileset_id
from assay.platform.audit import record
from assay.platform.errors import Conflict, NotFound
from assay.workspaces import deletion
from assay.workspaces.lookup import inserting
from assay.workspaces.models import Workspace

OF_THE_FILESET = ("description", "project", "custom_fields")
"""What v2 knows of it as well; the rest stands in its entry."""


def datasets() -> QuerySet[Fileset]:
    """Return what the v1 API shows: not what jobs made, and no model that was not registered as a dataset."""
    shown = Q(made_by_job=False, unlisted=False) & (~Q(purpose=Purpose.MODEL) | Q(dataset_entry__isnull=False))
    return Fileset.objects.filter(shown).select_related("workspace", "dataset_entry")


def get_dataset(namespace: str, name: str) -> Fileset:
    """Return the fileset, with its entry at hand; raises ``NotFound``."""
    found = datasets().filter(workspace__name=namespace, name=name).first()
    if found is None:
        raise NotFound(f"Dataset {namespace}/{name} not found")
    return found


def entry_of(fileset: Fileset) -> DatasetEntry:
    """Return what was said of it; where nobody did, an entry that is not saved, which names its own files."""
    entry = getattr(fileset, "dataset_entry", None)
    return (
        entry
        if entry is not None
        else DatasetEntry(
            fileset=fileset,
            uid=dataset_uid(fileset),
            files_url=f"hf://datasets/{fileset}",
            created_at=fileset.created_at,
            updated_at=fileset.updated_at,
        )
    )


def dataset_uid(fileset: Fileset) -> str:
    """Return the id as a dataset: the fileset's own, so that registering it changes nothing."""
    return fileset.uid.replace("fileset-", "dataset-", 1)


def register(workspace: Workspace, name: str | None, fields: Mapping[str, Any]) -> Fileset:
    """Register a dataset: on the fileset of that name, or else on a new one, which waits for files.

    Raises ``Conflict`` where there is an entry already, or the name belongs to a model or to a job's results.
    """
    uid = fileset_id()
    name = name or uid.replace("fileset-", "dataset-", 1)
    with inserting(workspace, f"Dataset {workspace.name}/{name} already exists"):
        fileset = Fileset.objects.select_for_update().filter(workspace=workspace, name=name).first()
        if fileset is None:
            fileset = Fileset.objects.create(workspace=workspace, uid=uid, name=name, purpose=Purpose.DATASET)
        elif fileset.purpose == Purpose.MODEL or fileset.made_by_job:
            raise Conflict(
                f"The name {workspace.name}/{name} belongs to {'a job' if fileset.made_by_job else 'a model'}"
            )
        DatasetEntry.objects.create(fileset=fileset, uid=dataset_uid(fileset), files_url=fields["files_url"])
        _change(fileset, {**fields, "unlisted": False})
        record("dataset.register", fileset, after=fields)
    return get_dataset(workspace.name, name)


def change(fileset: Fileset, fields: Mapping[str, Any]) -> Fileset:
    """Change what is given, and return it as it is then; a fileset that nobody registered is registered by that."""
    if fields:
        with transaction.atomic():
            entry = entry_of(fileset)
            own = {"files_url": entry.files_url, "uid": entry.uid, "created_at": entry.created_at}
            DatasetEntry.objects.get_or_create(fileset=fileset, defaults=own)
            _change(fileset, fields)
            record("dataset.update", fileset, after=fields)
    return get_dataset(fileset.workspace.name, fileset.name)


def forget(fileset: Fileset) -> None:
    """Delete the dataset. A fileset that holds files, or whose files something refers to, stays for v2 and the Hub."""
    with transaction.atomic():
        # The lock holds off an upload until we know that there was nothing to lose.
        if not Fileset.objects.select_for_update().filter(pk=fileset.pk).exists():
            raise NotFound(f"Dataset {fileset} not found")
        empty = fileset.storage_type == Storage.LOCAL and not fileset.files.exists() and not fileset.commits.exists()
        if empty and not deletion.blockers(fileset):
            deletion.delete(fileset)
            return
        DatasetEntry.objects.filter(fileset=fileset).delete()
        Fileset.objects.filter(pk=fileset.pk).update(unlisted=True, updated_at=timezone.now())
        record("dataset.forget", fileset)


def _change(fileset: Fileset, fields: Mapping[str, Any]) -> None:
    now = timezone.now()
    ours = {name: value for name, value in fields.items() if name in (*OF_THE_FILESET, "unlisted")}
    # v2 has no null here.
    ours |= {name: ours[name] or "" for name in ("description", "project") if name in ours}
    theirs = {name: value for name, value in fields.items() if name not in ours}
    Fileset.objects.filter(pk=fileset.pk).update(**ours, updated_at=now)
    DatasetEntry.objects.filter(fileset=fileset).update(**theirs, updated_at=now)
