"""Making, finding and changing secrets, for the API and the admin alike."""

from collections.abc import Iterable, Mapping

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from assay.platform.audit import record
from assay.platform.caller import Action, caller
from assay.platform.errors import Forbidden, NotFound
from assay.secrets.models import Secret
from assay.secrets.vault import seal
from assay.workspaces.lookup import inserting
from assay.workspaces.models import Workspace


class SecretsMissing(NotFound):
    """References that lead to no secret, or to none that the caller sees."""

    def __init__(self, places: Mapping[str, tuple[str, str]]) -> None:
        super().__init__("; ".join(f"Secret '{owner}/{name}' not found" for owner, name in places.values()))


def secrets_at_hand() -> QuerySet[Secret]:
    return Secret.objects.select_related("workspace")


def get_secret(workspace: str, name: str) -> Secret:
    """Return the secret that somebody made under this name; raises ``NotFound``."""
    secret = secrets_at_hand().filter(workspace__name=workspace, name=name, inline=False).first()
    if secret is None:
        raise NotFound(f"Secret {workspace}/{name} not found")
    return secret


def look_up(references: Iterable[str], home: str = "") -> dict[str, Secret]:
    """Return the secrets by reference, ``workspace/name`` or the bare ``name`` of one in workspace ``home``.

    Also those that came inside a v1 body. Nothing is opened, and what is sealed is read when it is. Raises
    ``SecretsMissing``, which each door tells in its own contract's words, and ``Forbidden`` for one of a workspace that
    the caller may only read: who uses a key can have it sent wherever they like.
    """
    places = {}
    for reference in references:
        owner, _, name = reference.rpartition("/")
        places[reference] = (owner or home, name)
    if not places:
        return {}
    owners, names = (set(part) for part in zip(*places.values(), strict=True))
    rows = secrets_at_hand().filter(workspace__name__in=owners, name__in=names).defer("sealed")
    found = {(secret.workspace.name, secret.name): secret for secret in rows}
    missing = {reference: place for reference, place in places.items() if place not in found}
    if missing:
        raise SecretsMissing(missing)
    asked = {reference: found[place] for reference, place in places.items()}
    for secret in asked.values():
        if not caller().may(Action.WRITE, secret.workspace_id):
            raise Forbidden(f"Secret '{secret}' is for those who may change workspace '{secret.workspace.name}'.")
    return asked


def create_secret(
    workspace: Workspace, name: str, value: str, description: str | None, *, inline: bool = False
) -> Secret:
    """Return a new secret, sealed before it is saved; raises ``Conflict`` when the name is in use."""
    secret = Secret(workspace=workspace, name=name, description=description, inline=inline)
    with inserting(workspace, f"Secret '{secret}' already exists"):
        secret.sealed = seal(secret.uid, value)
        secret.save(force_insert=True)
        record("secret.create", secret, after={"description": description, **({"inline": True} if inline else {})})
    return secret


def change_secret(secret: Secret, *, value: str | None = None, description: str | None = None) -> None:
    """Change what is given; a new value holds for every request that is sent from now on."""
    changes: dict[str, object] = {}
    if description is not None:
        changes["description"] = description
    if value is None and not changes:
        return
    with transaction.atomic():
        if value is not None:
            changes["sealed"] = seal(secret.uid, value)
        if not Secret.objects.filter(pk=secret.pk).update(**changes, updated_at=timezone.now()):
            raise NotFound(f"Secret {secret} not found")
        before = {"description": secret.description} if description is not None else {}
        told = {"description": description} if description is not None else {}
        record("secret.update", secret, before=before, after={**told, "new_value": value is not None})
