"""One's own access tokens.

A token is shown on the one reply that made it, which no browser keeps; it is in no address, session or message.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.contrib import messages
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone

from assay.accounts.models import AccessToken
from assay.accounts.tokens import make_token, revoke_token, tokens_of
from assay.platform.caller import Scope, caller
from assay.platform.errors import Invalid, Refusal
from assay.ui.asked import Wrong, posted, workspaces
from assay.ui.door import show
from assay.workspaces.lookup import get_workspace

MEANINGS = {
    Scope.READ: "looks at what you may see, and changes nothing",
    Scope.WRITE: "also makes, changes and deletes what you may: evaluations, filesets, secrets",
    Scope.ADMIN: "everything that you may do, members and the values of secrets included",
    Scope.METRICS: "the platform's own metrics and nothing else, for a monitoring system",
}
EXPIRIES = {"7": "in 7 days", "30": "in 30 days", "90": "in 90 days", "365": "in a year", "never": "never"}
START = {"name": "", "scope": Scope.WRITE.value, "workspace": "", "expires": "90"}


@dataclass(frozen=True)
class Line:
    token: AccessToken

    @property
    def ended(self) -> str:
        """Why it holds no longer; empty where it does."""
        if self.token.revoked_at is not None:
            return "revoked"
        expires = self.token.expires_at
        return "expired" if expires is not None and expires <= timezone.now() else ""


def lines_of(owner: User) -> list[Line]:
    return [Line(token) for token in tokens_of(owner)]


def tokens(request: HttpRequest) -> HttpResponse:
    """Show the caller's tokens, or make one and show it."""
    owner = caller().user
    if not isinstance(owner, User):
        return show(request, "ui/tokens.html", "Access tokens", needless=True)
    given, wrong, made, text = dict(START), Wrong(), None, ""
    if request.method == "POST":
        given = {name: posted(request, name) for name in START}
        try:
            made, text = _make(owner, given)
        except Refusal as refusal:
            wrong = Wrong.of(refusal, given)
        else:
            given = dict(START)
    return show(
        request,
        "ui/tokens.html",
        "Access tokens",
        status=422 if wrong != Wrong() else 200,
        lines=lines_of(owner),
        made=made,
        text=text,
        given=given,
        wrong=wrong,
        scopes=[(scope.value, MEANINGS[scope]) for scope in _scopes()],
        expiries=EXPIRIES.items(),
        workspaces=workspaces(),
        here=request.build_absolute_uri("/").rstrip("/"),
    )


def revoke(request: HttpRequest) -> HttpResponse:
    """Let one of the caller's tokens hold no longer."""
    owner = caller().user
    if isinstance(owner, User):
        token = revoke_token(owner, posted(request, "name"))
        messages.success(request, f"Token '{token.name}' holds no longer.")
    return redirect("ui:tokens")


def _scopes() -> list[Scope]:
    """Return the scopes that the caller can have a token of; what is in the metrics is the platform's."""
    return [scope for scope in Scope if scope is not Scope.METRICS or caller().administers]


def _make(owner: User, given: dict[str, str]) -> tuple[AccessToken, str]:
    wrong: list[dict[str, Any]] = []
    if given["scope"] not in _scopes():
        wrong.append({"type": "value_error", "loc": ["body", "scope"], "msg": "Choose what it is for."})
    if given["expires"] not in EXPIRIES:
        wrong.append({"type": "value_error", "loc": ["body", "expires"], "msg": "Choose when it ends."})
    if wrong:
        raise Invalid(wrong)
    days = None if given["expires"] == "never" else timedelta(days=int(given["expires"]))
    return make_token(
        owner,
        given["name"],
        Scope(given["scope"]),
        workspace=get_workspace(given["workspace"]) if given["workspace"] else None,
        expires_at=None if days is None else timezone.now() + days,
    )
