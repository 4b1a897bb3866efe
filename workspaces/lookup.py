"""Finding the workspace that an address names, with the contract's sentence when there is none."""

from typing import TypeVar

from django.db.models import Model, QuerySet

from assay.platform.errors import Invalid, NotFound
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
