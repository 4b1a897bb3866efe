"""Making a workspace, and saying what it is for. Whoever makes one may do everything in it."""

from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone

from assay.platform.audit import record
from assay.platform.caller import Action, Role, caller
from assay.platform.errors import Conflict, Forbidden
from assay.workspaces.models import Member, Workspace


def create_workspace(name: str, **fields: Any) -> Workspace:
    """Return a new workspace, its maker an Admin of it; raises ``Conflict`` when the name is in use.

    With sign-in off it has no members. Raises ``Forbidden`` for a token that is for reading, or for one workspace.
    """
    who = caller()
    if not who.may_anywhere(Action.WRITE) or who.only is not None:
        raise Forbidden("The token does not allow to make workspaces.")
    try:
        with transaction.atomic():
            workspace = Workspace.objects.create(name=name, created_by=who.name, updated_by=who.name, **fields)
            if who.user is not None:
                grant = {"roles": [str(Role.ADMIN)], "granted_by": who.name}
                Member.objects.create(workspace=workspace, principal=who.name, **grant)
            record("workspace.create", workspace, workspace=workspace, after={"description": workspace.description})
    except IntegrityError:
        raise Conflict(f"Workspace '{name}' already exists") from None
    who.rooms.add(workspace.pk, name, [Role.ADMIN])  # it is there for its maker at once
    return workspace


def describe_workspace(workspace: Workspace, description: str) -> None:
    """Say something else of the workspace."""
    with transaction.atomic():
        Workspace.objects.filter(pk=workspace.pk).update(
            description=description, updated_at=timezone.now(), updated_by=caller().name
        )
        before, after = {"description": workspace.description}, {"description": description}
        record("workspace.update", workspace, workspace=workspace, before=before, after=after)
