from typing import Any

from django.apps import AppConfig
from django.apps import apps as installed
from django.db.models.signals import post_migrate


class WorkspacesConfig(AppConfig):
    name = "assay.workspaces"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        post_migrate.connect(make_default_workspace, sender=self)


def make_default_workspace(using: str, apps: Any = None, **kwargs: Any) -> None:
    """Make the workspace that is always there; not in a migration, so that a flushed database has it too."""
    from assay.workspaces.models import DEFAULT

    try:
        # A flush names no apps.
        workspaces = (apps or installed).get_model("workspaces", "Workspace")
    except LookupError:  # migrated back to before there were any
        return
    workspaces.objects.using(using).get_or_create(name=DEFAULT)
