"""Finding the workspace that an address names, with the contract's sentence when there is none."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from django.db import IntegrityError, transaction
from django.db.models import Model, QuerySet
from rest_framework.request import Request
from rest_framework.response import Response

from assay.platform.api import Listing, only
from assay.platform.caller import Action, caller
from assay.platform.counts import rows_of
from assay.platform.errors import Conflict, Invalid, NotFound
from assay.workspaces.models import Workspace

M = TypeVar("M", bound=Model)

ALL = "-"
"""In a list's address: every workspace."""


def get_workspace(name: str) -> Workspace:
    """Return the workspace; raises ``NotFound``."""
    workspace = only(Workspace.objects.filter(name=name))
    if workspace is None:
        raise NotFound(f"Workspace '{name}' not found")
    return workspace


def workspace_for_create(name: str) -> Workspace:
    """Return the workspace that something is to be made in; raises ``Invalid``, and ``Forbidden`` to mere readers."""
    workspace = only(Workspace.objects.filter(name=name))
    if workspace is None:
        raise Invalid(f"Workspace '{name}' does not exist. Please create the workspace first.")
    need(Action.WRITE, workspace)
    return workspace


def need(action: Action, workspace: Workspace) -> None:
    """Return if the caller may do this in the workspace; raises ``Forbidden``."""
    caller().need(action, workspace.pk, workspace.name)


def list_in(
    name: str,
    listing: Listing,
    request: Request,
    rows: QuerySet[M],
    wire: Callable[[M], dict[str, Any]],
    *,
    counted: bool = False,
) -> Response:
    """Return a page of those ``rows`` that are in one workspace, or of all for ``-``; raises ``NotFound``.

    Each has its workspace at hand for ``wire``. With ``counted``, ``rows`` are all of a table whose rows are counted.
    """
    if name == ALL:
        return listing.reply(
            request, rows.prefetch_related("workspace"), wire, (lambda: rows_of(rows.model)) if counted else None
        )
    home = get_workspace(name)

    def entry(row: M) -> dict[str, Any]:
        row.workspace = home  # type: ignore[attr-defined]
        return wire(row)

    total = (lambda: rows_of(rows.model, workspace=home)) if counted else None
    return listing.reply(request, rows.filter(workspace=home), entry, total)


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
