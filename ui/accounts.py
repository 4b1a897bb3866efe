"""People: the accounts of the platform, for its administrators. Their names, their rights, their tokens."""

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from secrets import token_urlsafe

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.models import User
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse

from assay.accounts import oidc
from assay.accounts.people import (
    accounts,
    find_account,
    give_password,
    has_to_change_password,
    make_account,
    set_active,
    set_administrator,
)
from assay.accounts.tokens import revoke_token
from assay.platform.caller import caller
from assay.platform.errors import NotFound, Refusal
from assay.ui.asked import Wrong, portion, posted, text
from assay.ui.door import Crumb, show
from assay.ui.tokens import lines_of
from assay.workspaces.models import Member

PASSWORD_BYTES = 12
"""Of a password that is made here."""
NAMED = 3
"""Workspaces that a line of the list names."""
FIELDS = ("name", "email", "password")
VERBS: dict[str, tuple[Callable[[User], None], str]] = {
    "activate": (lambda user: set_active(user, True), "may sign in again"),
    "deactivate": (lambda user: set_active(user, False), "can no longer sign in, and no token of theirs holds"),
    "promote": (lambda user: set_administrator(user, True), "is a platform administrator now"),
    "demote": (lambda user: set_administrator(user, False), "is no platform administrator any more"),
}


@dataclass(frozen=True)
class Line:
    account: User
    memberships: list[Member]

    @property
    def named(self) -> list[Member]:
        return self.memberships[:NAMED]

    @property
    def more(self) -> int:
        return len(self.memberships) - len(self.named)


def home() -> Crumb:
    return ("People", reverse("ui:accounts"))


def people(request: HttpRequest) -> HttpResponse:
    """Show the accounts by name, or make one. A password that is made here is on this one reply and nowhere else."""
    given = {name: posted(request, name) for name in FIELDS if name != "password"}
    wrong, made, password = Wrong(), None, ""
    if request.method == "POST":
        typed = request.POST.get("password", "")  # as it was typed
        password = "" if typed or "provider" in request.POST else token_urlsafe(PASSWORD_BYTES)
        options = {"administrator": "administrator" in request.POST, "to_change": "to_change" in request.POST}
        try:
            made = make_account(given["name"], given["email"], typed or password or None, **options)
        except Refusal as refusal:
            wrong = Wrong.of(refusal, FIELDS)
        else:
            given = {}
    search = text(request, "q")
    rows = accounts()
    if search:
        rows = rows.filter(Q(username__icontains=search) | Q(email__icontains=search))
    found = portion(request, rows.order_by("username"), rows.count())
    return show(
        request,
        "ui/accounts.html",
        "People",
        status=422 if wrong != Wrong() else 200,
        lines=_lines(found.rows),
        portion=found,
        search=search,
        given=given,
        wrong=wrong,
        again=request.method == "POST" and made is None,
        made=made,
        password=password if made else "",
        sign_in=settings.AUTH,
        provider=oidc.configured(),
    )


def person(request: HttpRequest, account: str) -> HttpResponse:
    """Show one account."""
    return _shown(request, find_account(account))


def change(request: HttpRequest, account: str, verb: str) -> HttpResponse:
    """Do one of ``VERBS`` to the account."""
    if verb not in VERBS:
        raise NotFound(f"Nothing that can be done to an account is called '{verb}'.")
    user = find_account(account)
    do, said = VERBS[verb]
    try:
        do(user)
        messages.success(request, f"{account} {said}.")
    except Refusal as refusal:
        messages.error(request, str(refusal.detail))
    return redirect("ui:account", account)


def password(request: HttpRequest, account: str) -> HttpResponse:
    """Give the account another password; one that is made here is on this one reply and nowhere else."""
    user = find_account(account)
    typed = request.POST.get("password", "")
    given = typed or token_urlsafe(PASSWORD_BYTES)
    try:
        give_password(user, given, to_change="to_change" in request.POST)
    except Refusal as refusal:
        return _shown(request, user, wrong=Wrong.of(refusal, FIELDS))
    if typed:
        messages.success(request, f"{account} has that password now.")
        return redirect("ui:account", account)
    return _shown(request, user, password=given)


def revoke(request: HttpRequest, account: str) -> HttpResponse:
    """Let one of the account's tokens hold no longer."""
    token = revoke_token(find_account(account), posted(request, "name"))
    messages.success(request, f"Token '{token.name}' of {account} holds no longer.")
    return redirect("ui:account", account)


def _shown(request: HttpRequest, user: User, *, wrong: Wrong | None = None, password: str = "") -> HttpResponse:
    return show(
        request,
        "ui/account.html",
        user.username,
        crumbs=[home()],
        status=422 if wrong else 200,
        account=user,
        to_change=has_to_change_password(user),
        memberships=_memberships([user.username])[user.username],
        lines=lines_of(user),
        oneself=user.username == caller().name,
        wrong=wrong or Wrong(),
        password=password,
    )


def _lines(page: Iterable[User]) -> list[Line]:
    found = list(page)
    memberships = _memberships([each.username for each in found])
    return [Line(each, memberships[each.username]) for each in found]


def _memberships(names: list[str]) -> dict[str, list[Member]]:
    """Return where they are members by their own names."""
    found: dict[str, list[Member]] = defaultdict(list)
    rows = Member.objects.filter(principal__in=names).select_related("workspace").order_by("workspace__name")
    for member in rows:
        found[member.principal].append(member)
    return found
