"""Making, finding and changing secrets, for the API and the admin alike."""

from collections.abc import Iterable

from django.db.models import Q, QuerySet
from django.utils import timezone

from assay.platform.errors import NotFound
from assay.secrets.models import Secret
from assay.secrets.vault import seal
from assay.workspaces.lookup import inserting
from assay.workspaces.models import Workspace


def secrets_at_hand() -> QuerySet[Secret]:
    return Secret.objects.select_related("workspace")


def get_secret(workspace: str, name: str) -> Secret:
    """Return the secret that somebody made under this name; raises ``NotFound``."""
    secret = secrets_at_hand().filter(workspace__name=workspace, name=name, inline=False).first()
    if secret is None:
        raise NotFound(f"Secret {workspace}/{name} not found")
    return secret


def find_secrets(references: Iterable[str]) -> dict[str, Secret]:
    """Return the secrets by their references, ``workspace/name``; one that leads nowhere is left out."""
    wanted = Q(pk__in=())
    for reference in references:
        workspace, _, name = reference.rpartition("/")
        wanted |= Q(workspace__name=workspace, name=name)
    return {str(secret): secret for secret in secrets_at_hand().filter(wanted)}


def create_secret(
    workspace: Workspace, name: str, value: str, description: str | None, *, inline: bool = False
) -> Secret:
    """Return a new secret, sealed before it is saved; raises ``Conflict`` when the name is in use."""
    secret = Secret(workspace=workspace, name=name, description=description, inline=inline)
    secret.sealed = seal(secret.uid, value)
    with inserting(workspace, f"Secret '{secret}' already exists"):
        secret.save(force_insert=True)
    return secret


def change_secret(secret: Secret, *, value: str | None = None, description: str | None = None) -> None:
    """Change what is given; a new value holds for every request that is sent from now on."""
    changes: dict[str, object] = {}
    if value is not None:
        changes["sealed"] = seal(secret.uid, value)
    if description is not None:
        changes["description"] = description
    if changes and not Secret.objects.filter(pk=secret.pk).update(**changes, updated_at=timezone.now()):
        raise NotFound(f"Secret {secret} not found")
