"""What a page may do in a browser: only what comes from here, and nothing that is written into the page itself."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "font-src 'self'",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)
"""The Content-Security-Policy (CSP Level 3) of every page: no inline script or style, nothing from elsewhere."""

OF_DATA = "default-src 'none'; frame-ancestors 'none'; sandbox"
"""That of every other reply: should a browser ever take one for a page, it is a page of nobody's, and does nothing."""
OF_PAGES = ("text/html", "text/css", "text/javascript", "image/")
"""Kinds of content that pages are made of."""


class PagePolicyMiddleware:
    """Sends a policy with every reply, so that none can be forgotten: what users wrote stays inert in all of them."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        page = response.get("Content-Type", "").startswith(OF_PAGES)
        response.headers.setdefault("Content-Security-Policy", POLICY if page else OF_DATA)
        return response
