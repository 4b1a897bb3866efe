"""How the doors ask who calls: DRF's two questions, the origin of a request, and the name beside what is made."""

from collections.abc import Callable
from contextlib import suppress
from functools import wraps
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse, JsonResponse
from rest_framework.authentication import BaseAuthentication
from rest_framework.permissions import SAFE_METHODS, BasePermission
from rest_framework.request import Request

from assay.platform.caller import NOT_KNOWN, Action, admit, caller

if TYPE_CHECKING:  # while it loads, DRF's views module looks up this very module
    from rest_framework.views import APIView

GetResponse = Callable[[HttpRequest], HttpResponse]
CHALLENGE = 'Basic realm="assay"'
"""Bearer tokens are taken as well; a browser can ask for this one."""
PLACES = ("workspace", "namespace")
"""The parts of an address that name a workspace, unless a view says another (``place``)."""


class KnownCaller(BaseAuthentication):
    """Hands DRF the account that the middleware found."""

    def authenticate(self, request: Request) -> tuple[Any, None] | None:
        user = caller().user
        return None if user is None else (user, None)

    def authenticate_header(self, request: Request) -> str:
        return CHALLENGE


class Admitted(BasePermission):
    """Asks the one check for a view's request.

    A view says what is needed for a method in ``needs``, where it is not reading for GET and writing for the others,
    and in ``place`` which part of its address names the workspace, where that has another name. ``asked`` tells it what
    was asked, for a workspace that turns up later.
    """

    def has_permission(self, request: Request, view: "APIView") -> bool:
        method = request.method or ""
        usual = Action.READ if method in SAFE_METHODS else Action.WRITE
        action: Action | None = getattr(view, "needs", {}).get(method, usual)
        admit(action, place(view.kwargs, getattr(view, "place", "")))
        view.asked = action  # type: ignore[attr-defined]
        return True


def place(parts: dict[str, Any], name: str = "") -> str | None:
    """Return the workspace that an address names, or None."""
    for each in (name,) if name else PLACES:
        if parts.get(each):
            return str(parts[each])
    return None


def known_only(view: GetResponse) -> GetResponse:
    """Return the view of a page or document that is for whoever is signed in; a browser is led to the sign-in."""

    @wraps(view)
    def shown(request: HttpRequest) -> HttpResponse:
        if caller().known:
            return view(request)
        if "text/html" in request.headers.get("Accept", ""):
            return redirect_to_login(request.get_full_path())
        return JsonResponse({"detail": NOT_KNOWN}, status=401, headers={"WWW-Authenticate": CHALLENGE})

    return shown


def principal(request: Request) -> str:
    """Return the caller's name as it is written beside what they make; empty with auth off, as the contract has it."""
    return caller().name


def client_address(request: HttpRequest) -> str:
    """Return where the request comes from, as far as it can be known.

    Behind ``ASSAY_PROXIES`` proxies, each of which adds the address that it saw, it is the entry of the outermost one:
    what stands before it anybody can write there.
    """
    seen = request.headers.get("X-Forwarded-For", "").split(",") if settings.PROXIES else []
    told = seen[-settings.PROXIES].strip() if seen and len(seen) >= settings.PROXIES else ""
    for address in (told, str(request.META.get("REMOTE_ADDR", ""))):
        with suppress(ValueError):
            return str(ip_address(address))
    return ""


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
