"""Making, moving and changing repositories: filesets in our own storage, in workspaces that come to be on the way."""

from django.db import transaction
from django.utils import timezone

from assay.filesets import history
from assay.filesets.hub import names
from assay.filesets.hub.errors import RepoExists
from assay.filesets.hub.names import Kind
from assay.filesets.models import Fileset, Purpose
from assay.platform.audit import record
from assay.platform.caller import Action
from assay.platform.errors import Conflict, Forbidden, NotFound
from assay.workspaces.lookup import inserting, need
from assay.workspaces.models import Workspace
from assay.workspaces.namespaces import Store, namespace_for

PURPOSES: dict[Kind, Purpose] = {"dataset": Purpose.DATASET, "model": Purpose.MODEL}


def create(kind: Kind, namespace: str, name: str, *, private: bool, by: str) -> Fileset:
    """Return a new repository; raises ``BadRequest`` for an id that cannot be and ``RepoExists``."""
    names.check(namespace, name)
    workspace = workspace_of(namespace, by)
    _refuse_taken(workspace, name, kind)
    fileset = Fileset(workspace=workspace, name=name, purpose=PURPOSES[kind], private=private)
    try:
        with inserting(workspace, f"'{fileset}' was made at this moment"):
            fileset.save(force_insert=True)
            record("fileset.create", fileset, after={"purpose": fileset.purpose, "private": private})
    except Conflict:
        _refuse_taken(workspace, name, kind)
        raise
    history.settle(fileset)  # it is born with a commit
    return fileset


def move(fileset: Fileset, namespace: str, name: str, *, by: str) -> None:
    """Give the repository another id; raises ``BadRequest`` for one that cannot be and ``Conflict``."""
    names.check(namespace, name)
    need(Action.WRITE, fileset.workspace)
    if fileset.made_by_job:
        raise Conflict(f"'{fileset}' belongs to a job and cannot be moved.")
    kind = names.kind_of(fileset)
    workspace = workspace_of(namespace, by)
    _refuse_taken(workspace, name, kind)
    with inserting(workspace, f"There is already a repository '{namespace}/{name}'."):
        Fileset.objects.filter(pk=fileset.pk).update(workspace=workspace, name=name, updated_at=timezone.now())
        record("fileset.move", fileset, after={"id": f"{namespace}/{name}"})


def set_visibility(fileset: Fileset, private: bool) -> None:
    """Have the Hub's clients see it as private, or not; who may read it is decided by the workspace."""
    with transaction.atomic():
        Fileset.objects.filter(pk=fileset.pk).update(private=private, updated_at=timezone.now())
        record("fileset.update", fileset, before={"private": fileset.private}, after={"private": private})
    fileset.private = private


def workspace_of(namespace: str, by: str) -> Workspace:
    """Return the workspace, made for the data store only if there was none."""
    try:
        return namespace_for(Store.DATA, namespace, by)
    except NotFound:  # it is somebody else's, as the Hub says it of theirs
        raise Forbidden(
            f"You don't have the rights to create a repository under the namespace '{namespace}'."
        ) from None


def _refuse_taken(workspace: Workspace, name: str, kind: Kind) -> None:
    taken = Fileset.objects.filter(workspace=workspace, name=name).first()
    if taken is None:
        return
    taken.workspace = workspace
    also = names.kind_of(taken)
    text = f"You already created this {kind} repo" if also == kind else f"'{taken}' is the id of a {also} already"
    raise RepoExists(text, names.repo_url(taken))
