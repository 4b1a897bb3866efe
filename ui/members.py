"""The members of a workspace on its page: who they are, what their roles allow, and changing that."""

from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from assay.platform.caller import EVERYBODY, Role, caller
from assay.platform.errors import Invalid
from assay.ui.asked import posted
from assay.workspaces.lookup import get_workspace
from assay.workspaces.members import grant, last_admin, remove
from assay.workspaces.models import Member, Workspace

SHOWN = 200
MEANINGS = {
    Role.VIEWER: "sees everything in it: evaluations, rows, files, and that there are secrets, never their values",
    Role.EDITOR: "also makes, changes and deletes evaluations, filesets and secrets",
    Role.ADMIN: "also chooses the members, describes and deletes the workspace, and may read values of secrets (API)",
}


@dataclass(frozen=True)
class Line:
    member: Member
    last_admin: bool
    """Whether nobody else is an Admin of the workspace."""
    oneself: bool

    @property
    def everybody(self) -> bool:
        return self.member.principal == EVERYBODY

    @property
    def role(self) -> str:
        """The most that they have; each role includes those before it."""
        return next((role for role in reversed(Role) if role in self.member.roles), "")


def about_members(workspace: Workspace) -> dict[str, Any]:
    """Return what the part of a workspace's page that is about its members is made of."""
    members = list(workspace.members.order_by("principal"))
    only = last_admin(members)
    lines = [Line(each, each.principal == only, each.principal == caller().name) for each in members[:SHOWN]]
    return {
        "members": lines,
        "more_members": max(0, len(members) - SHOWN),
        "roles": [(role.value, MEANINGS[role]) for role in Role],
        "sign_in": settings.AUTH,
    }


def give_role(request: HttpRequest, name: str) -> HttpResponse:
    """Make somebody a member, or change what one may do."""
    workspace = get_workspace(name)
    principal, role = posted(request, "principal"), posted(request, "role")
    if role not in [*Role]:
        raise Invalid("Choose a role.")
    known = workspace.members.filter(principal=principal).exists()
    if not known and principal != EVERYBODY and not User.objects.filter(username=principal, is_active=True).exists():
        raise Invalid(f"There is no account named '{principal}' that can sign in. An administrator makes accounts.")
    grant(workspace, principal, [role], last_admin_too="last" in request.POST)
    who = "Everybody who signs in" if principal == EVERYBODY else principal
    messages.success(request, f"{who} is {'an' if role[0] in 'AE' else 'a'} {role} of {workspace} now.")
    return _back(workspace, principal)


def take_out(request: HttpRequest, name: str) -> HttpResponse:
    """Take a member out of the workspace."""
    workspace, principal = get_workspace(name), posted(request, "principal")
    remove(workspace, principal, last_admin_too="last" in request.POST)
    messages.success(request, f"{principal} is no member of {workspace} any more.")
    return _back(workspace, principal)


def _back(workspace: Workspace, principal: str) -> HttpResponse:
    """Return to the workspace's page, which may be there no more for who has changed what they may do themselves."""
    if principal in {caller().name, EVERYBODY} and not caller().administers:
        return redirect("ui:workspaces")
    return redirect("ui:workspace", workspace.name)
