"""Finding the workspace that an address names, with the contract's sentence when there is none."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeVar

from django.db import IntegrityError, transaction
from django.db.models import Model, QuerySet

from assay.platform.errors import Conflict, Invalid, NotFound
from assay.workspaces.models import Workspace

M = TypeVar("M", bound=Model)

ALL = "-"
"""In a list's address: every workspace."""


def get_workspace(name: str) -> Workspace:
    """Return the workspace; raises ``NotFound``."""
    workspace = Workspace.objects.filter(name=name).first()
    if workspace is None:
        raise NotFound(f"Workspace '{name}' not found")
    return workspace


def workspace_for_create(name: str) -> Workspace:
    """Return the workspace that something is to be made in; raises ``Invalid``."""
    workspace = Workspace.objects.filter(name=name).first()
    if workspace is None:
        raise Invalid(f"Workspace '{name}' does not exist. Please create the workspace first.")
    return workspace


def in_workspace(rows: QuerySet[M], name: str) -> QuerySet[M]:
    """Return the rows of one workspace, or all of them for ``-``, with their workspace at hand; raises ``NotFound``."""
    rows = rows.select_related("workspace")
    return rows if name == ALL else rows.filter(workspace=get_workspace(name))


@contextmanager
def inserting(workspace: Workspace, taken: str) -> Iterator[None]:
    """Run an insert into the workspace as one transaction; a name in use raises ``Conflict`` with ``taken``.

    The database decides, so two requests at once cannot both win. When it refuses because the workspace was deleted
    meanwhile, that is what is said.
    """
    try:
        with transaction.atomic():
            yield
    except IntegrityError:
        workspace_for_create(workspace.name)
        raise Conflict(taken) from None
