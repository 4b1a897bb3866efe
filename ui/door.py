"""The door of every page: who may come in, what all pages are given, and how a refusal is shown."""

from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any, Concatenate, ParamSpec

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_http_methods

from assay.platform.errors import NotFound, Refusal

P = ParamSpec("P")
Crumb = tuple[str, str]
"""What it is called, and its address."""
STOP_POLLING = 286
"""htmx takes this status for a last answer (htmx, hx-trigger, Polling)."""


def page(
    view: Callable[Concatenate[HttpRequest, P], HttpResponse], *, writes: bool = False
) -> Callable[..., HttpResponse]:
    """Return the view as a page of the admin: for those who are signed in as staff; what a verb refuses is shown.

    ``writes``: it takes POST, with the token against forged requests, and nothing else.
    """

    @wraps(view)
    def shown(request: HttpRequest, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        try:
            if any(isinstance(part, str) and "\x00" in part for part in kwargs.values()):
                raise NotFound("Nothing has such a name.")  # and Postgres takes none
            return view(request, *args, **kwargs)
        except Refusal as refusal:
            return refused(request, refusal)

    allowed = require_http_methods(["POST"] if writes else ["GET", "HEAD", "POST"])
    return admin.site.admin_view(allowed(shown))


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
    return show(request, "ui/refused.html", "That cannot be done", status=refusal.status, **context)
