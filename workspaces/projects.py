"""Making and changing projects, for both dialects."""

from typing import Any

from django.db import transaction
from django.utils import timezone

from assay.platform.audit import record
from assay.workspaces.lookup import inserting
from assay.workspaces.models import Project, Workspace


def create_project(workspace: Workspace, taken: str, **fields: Any) -> Project:
    """Return a new project; raises ``Conflict`` with ``taken`` when the name is in use."""
    with inserting(workspace, taken):
        project = Project.objects.create(workspace=workspace, **fields)
        record("project.create", project, after=fields)
    return project


def change_project(project: Project, changes: dict[str, Any]) -> None:
    """Change what is given."""
    before = {name: getattr(project, name) for name in changes}
    with transaction.atomic():
        Project.objects.filter(pk=project.pk).update(**changes, updated_at=timezone.now())
        record("project.update", project, before=before, after=changes)
