"""People of a platform with sign-in on, and how they call it."""

import base64
from typing import Any

from django.contrib.auth.models import User
from rest_framework.test import APIClient

from assay.accounts.tokens import make_token
from assay.platform.caller import Scope
from assay.workspaces.models import Member, Workspace

PASSWORD = "correct-horse-battery"


def person(name: str, workspace: str = "", role: str = "", **fields: Any) -> User:
    """Return an account, a member of ``workspace`` if one is named; both come to be where they are not there."""
    user = User.objects.filter(username=name).first() or User.objects.create_user(name, password=PASSWORD, **fields)
    if workspace:
        home, _ = Workspace.objects.get_or_create(name=workspace)
        Member.objects.create(workspace=home, principal=name, roles=[role])
    return user


def with_token(user: User, scope: Scope = Scope.ADMIN, **limits: Any) -> APIClient:
    """Return a client that sends a new token of the user's."""
    _, text = make_token(user, f"t{user.access_tokens.count()}", scope, **limits)
    return bearing(text)


def bearing(text: str) -> APIClient:
    client = APIClient(raise_request_exception=False)
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {text}")
    return client


def basic(name: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()
