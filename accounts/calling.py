"""Finds out who calls: a token, a password, a session, or nobody. `assay.platform.caller` says what they may do."""

import base64
import binascii
from collections.abc import Callable, Iterator
from typing import Any

from django.conf import settings
from django.contrib.auth import authenticate, get_user_model
from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse

from assay.accounts import tokens
from assay.platform.auth import client_address, same_origin
from assay.platform.caller import EVERYBODY, LOCAL, OF_SCOPE, PLATFORM, Caller, Rooms, acting
from assay.workspaces.models import Member

LOCAL_USER = "local"
RESERVED = frozenset({LOCAL_USER, EVERYBODY, PLATFORM.name})
"""Names that stand for nobody in particular: no person's account may have them, whoever vouches for it."""
PAGES = "/admin/"
"""Below it are pages for people: they come with a session and with nothing else."""
WRONG = "Invalid credentials."
GetResponse = Callable[[HttpRequest], HttpResponse]


class CallerMiddleware:
    """Lets everything that a request does be done by its caller."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse | StreamingHttpResponse:
        who = who_calls(request)
        request.__dict__["caller_name"] = who.name  # for the access log
        response: HttpResponse | StreamingHttpResponse
        with acting(who):
            response = self.get_response(request)
        if isinstance(response, StreamingHttpResponse):
            response.streaming_content = _made_by(who, iter(response))
        return response


def _made_by(who: Caller, pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Yield the pieces of a reply, each made as its caller: the request is over by then, and the platform sees all."""
    while True:
        with acting(who):
            piece = next(pieces, None)
        if piece is None:
            return
        yield piece


def who_calls(request: HttpRequest) -> Caller:
    address = client_address(request)
    pages = request.path.startswith(PAGES)
    if not settings.AUTH:
        if pages:
            request.user = local_user()  # type: ignore[assignment]
        return LOCAL
    if not pages:
        scheme, _, credentials = request.headers.get("Authorization", "").partition(" ")
        credentials = credentials.strip()
        # An empty token is how clients say that they have none (microservices-v1 section 1).
        if credentials:
            return _with_credentials(request, scheme.lower(), credentials, address)
    user = request.user
    if user.is_authenticated and (pages or _ours(request)):
        return _account(user, "session", address)
    return _nobody(address)


def _ours(request: HttpRequest) -> bool:
    """Return whether a session may count: it rides along with any page's request, so one of our own must have sent it.

    A person who follows a link from elsewhere is let in too: a page that is looked at changes nothing.
    """
    walked = request.method == "GET" and request.headers.get("Sec-Fetch-Mode") == "navigate"
    return walked or same_origin(request)


def _with_credentials(request: HttpRequest, scheme: str, credentials: str, address: str) -> Caller:
    if scheme == "bearer":
        return _with_token(credentials, address)
    if scheme != "basic":
        return _nobody(address, "Use a bearer token, or a user name and password.")
    try:
        name, _, password = base64.b64decode(credentials, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return _nobody(address, WRONG)
    if password.startswith(tokens.PREFIX):  # as git and its like send one
        return _with_token(password, address)
    if "\x00" in name + password:  # Postgres takes none
        return _nobody(address, WRONG)
    user = authenticate(request=request, username=name, password=password)
    return _nobody(address, WRONG) if user is None else _account(user, "password", address)


def _with_token(text: str, address: str) -> Caller:
    token = tokens.find_token(text)
    if token is None:
        return _nobody(address, "The token is unknown, expired or revoked.")
    return _account(token.owner, f"token {token.pk}", address, scope=OF_SCOPE[token.scope], only=token.workspace_id)


def _account(user: AbstractBaseUser, via: str, address: str, **limits: Any) -> Caller:
    name = user.get_username()
    administers = bool(getattr(user, "is_superuser", False))
    rooms = Rooms()
    if not administers:
        grants = Member.objects.filter(principal__in=[name, EVERYBODY])
        for grant in grants.values_list("workspace_id", "workspace__name", "roles"):
            rooms.add(*grant)
    return Caller(name, via, user=user, address=address, administers=administers, rooms=rooms, **limits)


def _nobody(address: str, refused: str = "") -> Caller:
    return Caller("", "nobody", known=False, refused=refused, address=address, scope=frozenset())


def local_user() -> AbstractBaseUser | AnonymousUser:
    """Return the account of the one local user; it has no password, so it can never sign in elsewhere."""
    accounts = get_user_model()._default_manager
    user = accounts.filter(username=LOCAL_USER).first()
    if user is None:
        user, _ = accounts.get_or_create(
            username=LOCAL_USER, defaults={"is_staff": True, "is_superuser": True, "password": "!"}
        )
    return user
