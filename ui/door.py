"""The door of every page: who may come in, what all pages are given, and how a refusal is shown."""

from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any, Concatenate, ParamSpec
from urllib.parse import urlsplit

from django.contrib import admin
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_protect
from django.views.decorators.http import require_http_methods

from assay.platform.auth import place
from assay.platform.caller import OF_ROLE, Action, Role, admit, caller
from assay.platform.errors import Forbidden, NotFound, Refusal

P = ParamSpec("P")
Crumb = tuple[str, str]
"""What it is called, and its address."""
WORKSPACES = "/admin/workspaces/"
"""Below it, the name in an address is a workspace's."""
PASSWORD_DUE = "password_due"
"""In the session of somebody who has to choose a password of their own before anything else."""
HEADINGS = {Forbidden.status: "That is not for you to do", NotFound.status: "There is nothing here"}
STOP_POLLING = 286
"""htmx takes this status for a last answer (htmx, hx-trigger, Polling)."""


def page(
    view: Callable[Concatenate[HttpRequest, P], HttpResponse], *, writes: bool = False, needs: Action = Action.WRITE
) -> Callable[..., HttpResponse]:
    """Return the view as a page: for those who are signed in and may; what a verb refuses is shown.

    ``writes``: it takes POST, with the token against forged requests, and nothing else. ``needs``: what POST takes, in
    the workspace that the address names; looking takes ``Action.READ``, or ``needs`` where that is no matter of one.
    """

    @wraps(view)
    def shown(request: HttpRequest, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        try:
            if any(isinstance(part, str) and "\x00" in part for part in kwargs.values()):
                raise NotFound("Nothing has such a name.")  # and Postgres takes none
            looks = request.method != "POST" and needs in OF_ROLE[Role.ADMIN]
            admit(Action.READ if looks else needs, place(kwargs, "name" if request.path.startswith(WORKSPACES) else ""))
            return view(request, *args, **kwargs)
        except Refusal as refusal:
            return refused(request, refusal)

    allowed = require_http_methods(["POST"] if writes else ["GET", "HEAD", "POST"])
    return gate(allowed(shown))


def gate(view: Callable[..., Any], *, but_password: bool = False) -> Callable[..., HttpResponse]:
    """Return the view for whoever is signed in; others are led to the sign-in, and no reply of it is kept anywhere.

    Who has a password to change is led there; ``but_password``: not from this view.
    """

    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        who = caller()
        if not who.known:
            return _led_away(request, redirect_to_login(_here(request), "admin:login"))
        if who.via == "session" and PASSWORD_DUE in request.session and not but_password:
            return _led_away(request, redirect("admin:password_change"))
        return view(request, *args, **kwargs)

    return csrf_protect(never_cache(guarded))


def _here(request: HttpRequest) -> str:
    """Return the address of the page that the reader looks at, also where only a part of it was asked for."""
    page = urlsplit(request.headers.get("HX-Current-URL", ""))
    if "HX-Request" in request.headers and page.path:
        return f"{page.path}?{page.query}" if page.query else page.path
    return request.get_full_path()


def _led_away(request: HttpRequest, there: HttpResponse) -> HttpResponse:
    # htmx would follow a redirect and put what is there into the page.
    return HttpResponse(headers={"HX-Redirect": there["Location"]}) if "HX-Request" in request.headers else there


def show(
    request: HttpRequest,
    template: str,
    heading: str,
    *,
    crumbs: Sequence[Crumb] = (),
    status: int = 200,
    **context: Any,
) -> HttpResponse:
    """Return the page that ``template``, which extends ``ui/page.html``, makes of ``context``.

    ``crumbs``: the pages above it, from the top down.
    """
    shared = admin.site.each_context(request)
    own = {"heading": heading, "title": heading, "crumbs": crumbs}
    return render(request, template, {**shared, **own, **context}, status=status)


def refused(request: HttpRequest, refusal: Refusal) -> HttpResponse:
    """Return what a verb refused, in its own words: as a note for htmx to put in, or as a page."""
    said = refusal.detail if isinstance(refusal.detail, str) else None
    context: dict[str, Any] = {"said": said, "mistakes": [] if said else refusal.detail}
    if "HX-Request" in request.headers:
        return render(request, "ui/refusal.html", context, status=refusal.status)
    heading = HEADINGS.get(refusal.status, "That cannot be done")
    return show(request, "ui/refused.html", heading, status=refusal.status, **context)
