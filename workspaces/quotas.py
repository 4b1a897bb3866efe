"""What a workspace may use: its own quota, else that of all (``ASSAY_QUOTA_BYTES``, ``_JOBS``, ``_ROWS``)."""

from dataclasses import dataclass

from django.conf import settings
from django.db import transaction

from assay.platform.api import only
from assay.platform.audit import record
from assay.workspaces.models import Quota, Workspace

NAMES = ("bytes", "jobs", "rows")


@dataclass(frozen=True)
class Allowance:
    """None: no limit."""

    bytes: int | None = None
    jobs: int | None = None
    rows: int | None = None


def allowance_of(workspace: Workspace) -> Allowance:
    of_all = Allowance(settings.QUOTA_BYTES, settings.QUOTA_JOBS, settings.QUOTA_ROWS)
    own = only(Quota._base_manager.filter(workspace=workspace))
    if own is None:
        return of_all
    set_here = {name: getattr(own, name) for name in NAMES}
    return Allowance(**{name: getattr(of_all, name) if value is None else value for name, value in set_here.items()})


def set_quota(workspace: Workspace, **limits: int | None) -> Allowance:
    """Set these limits of the workspace, None for those of all; return what holds then."""
    with transaction.atomic():
        before = allowance_of(workspace)
        Quota._base_manager.update_or_create(workspace=workspace, defaults=limits)
        after = allowance_of(workspace)
        record("workspace.quota", workspace, workspace=workspace, before=vars(before), after=vars(after))
    return after
