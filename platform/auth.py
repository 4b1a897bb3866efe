"""Who calls. With ``ASSAY_AUTH=off`` (one person on loopback) everybody is the local user.

With it on, a caller signs in with a Django account: by session in the UI, by HTTP Basic on the wire.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib.auth import authenticate, get_user_model
from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.http import HttpRequest, HttpResponse, JsonResponse
from rest_framework.authentication import BasicAuthentication
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

if TYPE_CHECKING:  # while it loads, DRF's views module looks up this very module
    from rest_framework.views import APIView

LOCAL_USER = "local"
GetResponse = Callable[[HttpRequest], HttpResponse]


class Caller(BasicAuthentication):
    """Finds the caller of an API request: a Basic account, else the session's user, else nobody."""

    www_authenticate_realm = "assay"

    def authenticate(self, request: Request) -> tuple[Any, None] | None:
        if not settings.AUTH:
            return None
        user = getattr(request._request, "user", None)
        if user is not None and user.is_authenticated:
            # A session rides along with any page's request: only one of our own pages may use it.
            return (user, None) if same_origin(request._request) else None
        return super().authenticate(request)

    def authenticate_credentials(self, userid: str, password: str, request: Any = None) -> tuple[Any, None]:
        from rest_framework.exceptions import AuthenticationFailed

        user = authenticate(request=request, username=userid, password=password)
        if user is None or not user.is_active:
            raise AuthenticationFailed("Wrong user name or password.")
        return user, None


class KnownCaller(BasePermission):
    def has_permission(self, request: Request, view: "APIView") -> bool:
        return not settings.AUTH or bool(request.user and request.user.is_authenticated)


def principal(request: Request) -> str:
    """Return the caller's name as it is written beside what they make; empty with auth off, as the contract has it."""
    return request.user.get_username() if settings.AUTH and request.user else ""


def same_origin(request: HttpRequest) -> bool:
    """Return whether the request comes from one of our own pages, or from no page at all."""
    if request.headers.get("Sec-Fetch-Site", "none") not in {"none", "same-origin"}:
        return False
    origin = request.headers.get("Origin")
    return origin is None or urlsplit(origin).netloc == request.get_host()


class SameOriginMiddleware:
    """With auth off, refuses writes that another site's page sends: a browser would carry them to loopback."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if not settings.AUTH and request.method not in {"GET", "HEAD", "OPTIONS"} and not same_origin(request):
            return JsonResponse({"detail": "Requests from pages of other sites are refused."}, status=403)
        return self.get_response(request)


class LocalUserMiddleware:
    """With auth off, signs the local user in to the UI."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if not settings.AUTH and request.path.startswith("/admin"):
            request.user = local_user()  # type: ignore[assignment]
        return self.get_response(request)


def local_user() -> AbstractBaseUser | AnonymousUser:
    """Return the account of the one local user; it has no password, so it can never sign in elsewhere."""
    accounts = get_user_model()._default_manager
    user = accounts.filter(username=LOCAL_USER).first()
    if user is None:
        user, _ = accounts.get_or_create(
            username=LOCAL_USER, defaults={"is_staff": True, "is_superuser": True, "password": "!"}
        )
    return user
