"""Personal access tokens: made and shown once, recognised by their digest, revoked by their owner."""

import hashlib
import secrets
from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.db.models import Q
from django.utils import timezone

from assay.accounts.models import AccessToken
from assay.platform.audit import record
from assay.platform.caller import Scope
from assay.platform.errors import Conflict, Invalid, NotFound
from assay.workspaces.models import Workspace

PREFIX = "assay_"
"""Tells a token from a password, to people and to scanners of leaked keys."""
RANDOM_BYTES = 32
LONGEST = 200
"""Characters that are looked at at all."""
HINT = 4
LONGEST_NAME = 63
SEEN_EVERY = timedelta(minutes=1)


def make_token(
    owner: User,
    name: str,
    scope: Scope,
    *,
    workspace: Workspace | None = None,
    expires_at: datetime | None = None,
) -> tuple[AccessToken, str]:
    """Return a new token's record and the token itself, which is nowhere else and cannot be had again.

    Raises ``Invalid`` for a time that is over or a name that is none, and ``Conflict`` for one that was used before.
    """
    if not 0 < len(name) <= LONGEST_NAME or not name.isprintable():
        raise Invalid(f"A token's name has 1 to {LONGEST_NAME} characters.")
    if expires_at is not None and expires_at <= timezone.now():
        raise Invalid("A token has to expire in the future.")
    text = PREFIX + secrets.token_urlsafe(RANDOM_BYTES)
    token = AccessToken(
        owner=owner, name=name, scope=scope, workspace=workspace, expires_at=expires_at,
        digest=digest_of(text), hint=text[-HINT:],
    )  # fmt: skip
    try:
        with transaction.atomic():
            token.save(force_insert=True)
            record("token.create", f"{owner.get_username()}: {name}", after=_about(token))
    except IntegrityError:
        raise Conflict(f"There is a token named '{name}' already; its name stays taken when it is revoked.") from None
    return token, text


def find_token(text: str) -> AccessToken | None:
    """Return the record of a token that holds now: neither expired nor revoked, its owner active."""
    if not text.startswith(PREFIX) or len(text) > LONGEST:
        return None
    now = timezone.now()
    holds = Q(revoked_at=None) & (Q(expires_at=None) | Q(expires_at__gt=now))
    found = AccessToken.objects.select_related("owner").filter(holds, digest=digest_of(text)).first()
    if found is None or not found.owner.is_active:
        return None
    if found.last_used_at is None or now - found.last_used_at > SEEN_EVERY:
        AccessToken.objects.filter(pk=found.pk).update(last_used_at=now)
    return found


def tokens_of(owner: User) -> list[AccessToken]:
    """Return the owner's tokens, newest first, those that no longer hold among them."""
    return list(AccessToken.objects.select_related("workspace").filter(owner=owner).order_by("-created_at", "-pk"))


def revoke_token(owner: User, name: str) -> AccessToken:
    """Let the token hold no longer, at once, and return its record; raises ``NotFound``."""
    found = AccessToken.objects.filter(owner=owner, name=name).first()
    if found is None:
        raise NotFound(f"You have no token named '{name}'.")
    if found.revoked_at is None:
        found.revoked_at = timezone.now()
        with transaction.atomic():
            found.save(update_fields=["revoked_at"])
            record("token.revoke", f"{owner.get_username()}: {name}", before=_about(found))
    return found


def _about(token: AccessToken) -> dict[str, Any]:
    """Return what the audit says of it."""
    return {
        "scope": token.scope,
        "workspace": token.workspace.name if token.workspace else None,
        "expires_at": token.expires_at,
    }


def digest_of(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
