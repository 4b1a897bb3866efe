"""Who may do what in a workspace: giving somebody roles there, and taking them away."""

from collections.abc import Sequence

from django.contrib.auth import get_user_model
from django.db import transaction
from django.utils import timezone

from assay.platform.audit import record
from assay.platform.caller import EVERYBODY, Action, Role, caller
from assay.platform.errors import Conflict, Invalid, NotFound
from assay.workspaces.lookup import inserting, need
from assay.workspaces.models import Member, Workspace
from assay.workspaces.wire import LONGEST_PRINCIPAL


def grant(workspace: Workspace, to: str, roles: Sequence[str], *, last_admin_too: bool = True) -> Member:
    """Give ``to`` these roles and no others; none at all leaves them as they are, as the contract has it.

    Raises ``Invalid`` where that comes to no membership. Without ``last_admin_too`` it raises ``Conflict`` rather than
    leave the workspace without an Admin.
    """
    need(Action.MANAGE, workspace)
    if len(to) > LONGEST_PRINCIPAL:
        raise Invalid(f"A principal has at most {LONGEST_PRINCIPAL} characters.")
    if not roles:
        member = workspace.members.filter(principal=to).first()
        if member is None:
            raise Invalid(f"'{to}' is no member of workspace '{workspace}' yet; name at least one role.")
        return member
    given = {
        "roles": [str(role) for role in dict.fromkeys(roles)],
        "granted_at": timezone.now(),
        "granted_by": caller().name or "system",
    }
    with inserting(workspace, f"Member '{to}' is being changed by someone else."):
        if not last_admin_too and Role.ADMIN not in roles:
            _keep_an_admin(workspace, to)
        before = workspace.members.filter(principal=to).values_list("roles", flat=True).first()
        member, _ = Member.objects.update_or_create(workspace=workspace, principal=to, defaults=given)
        had = None if before is None else {"roles": before}
        record("member.grant", f"{workspace}: {to}", workspace=workspace, before=had, after={"roles": member.roles})
    return member


def remove(workspace: Workspace, principal: str, *, last_admin_too: bool = True) -> None:
    """Take all roles away; raises ``NotFound``, and ``Conflict`` as ``grant`` does."""
    need(Action.MANAGE, workspace)
    with transaction.atomic():
        if not last_admin_too:
            _keep_an_admin(workspace, principal)
        member = workspace.members.filter(principal=principal).first()
        if member is None:
            raise NotFound(f"Member '{principal}' not found in workspace '{workspace}'")
        member.delete()
        record("member.remove", f"{workspace}: {principal}", workspace=workspace, before={"roles": member.roles})


def last_admin(members: Sequence[Member]) -> str:
    """Return the one of a workspace's members who is its only Admin; empty where there are several, or none.

    Who may not sign in is no Admin to count on.
    """
    named = [member.principal for member in members if Role.ADMIN in member.roles]
    active = get_user_model()._default_manager.filter(username__in=named, is_active=True)
    there = {*active.values_list("username", flat=True)} | ({EVERYBODY} & {*named})
    return there.pop() if len(there) == 1 else ""


def _keep_an_admin(workspace: Workspace, principal: str) -> None:
    """Raise ``Conflict`` where this is the only Admin; whoever else changes the members waits until we commit."""
    if last_admin(list(workspace.members.select_for_update())) == principal:
        raise Conflict(
            f"'{principal}' is the only Admin of workspace '{workspace}'. Make somebody else one first, or say that it "
            "is to be left without."
        )
