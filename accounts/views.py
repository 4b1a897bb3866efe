"""The doors to the identity provider and back."""

from dataclasses import asdict

from django.conf import settings
from django.contrib.auth import login
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET

from assay.accounts import oidc
from assay.platform.errors import Forbidden, NotFound, Refusal

ATTEMPT = "oidc_attempt"
HOME = "/admin/"


@never_cache
@require_GET
def leave(request: HttpRequest) -> HttpResponse:
    """Send the browser to the identity provider."""
    try:
        _need_provider()
        attempt = oidc.Attempt.new()
        way_out = oidc.way_out(attempt, _back(request))
    except Refusal as refusal:
        return _refused(request, refusal)
    wanted = request.GET.get("next", "")
    ours = url_has_allowed_host_and_scheme(wanted, {request.get_host()}, require_https=request.is_secure())
    request.session[ATTEMPT] = {**asdict(attempt), "next": wanted if ours else HOME}
    return HttpResponseRedirect(way_out)


@never_cache
@require_GET
def come_back(request: HttpRequest) -> HttpResponse:
    """Sign in whom the identity provider sends back."""
    kept = request.session.pop(ATTEMPT, None) or {}
    wanted = kept.pop("next", HOME)
    try:
        _need_provider()
        if not kept or "code" not in request.GET:
            raise Forbidden("This sign-in was not begun here, or was broken off. Begin again.")
        state, code = request.GET.get("state", ""), request.GET["code"]
        user = oidc.account_of(oidc.Attempt(**kept), state, code, _back(request))
    except Refusal as refusal:
        return _refused(request, refusal)
    login(request, user, backend="django.contrib.auth.backends.ModelBackend")
    return redirect(wanted)


def _need_provider() -> None:
    if not (settings.AUTH and oidc.configured()):
        raise NotFound("No identity provider is set up here.")


def _back(request: HttpRequest) -> str:
    return request.build_absolute_uri(reverse("sign-in-back"))


def _refused(request: HttpRequest, refusal: Refusal) -> HttpResponse:
    return render(request, "ui/sign_in_refused.html", {"message": refusal.detail}, status=refusal.status)
