"""What django-axes is told: how a locked-out address is answered, and that it keeps no names.

People type passwords where the name belongs; what was tried is nobody's business, from where is what counts.
"""

from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render

MESSAGE = "Too many failed sign-ins from your address. Try again later."


def locked_out(request: HttpRequest, *_: Any) -> HttpResponse:
    """Return the answer to a sign-in from an address that failed too often."""
    seconds = str(int(settings.AXES_COOLOFF_TIME.total_seconds()))
    if request.path.startswith("/admin/"):
        reply = render(request, "ui/locked_out.html", {"message": MESSAGE}, status=429)
    elif request.path.startswith("/v1/hf/"):
        reply = JsonResponse({"error": MESSAGE}, status=429, headers={"X-Error-Message": MESSAGE})
    else:
        reply = JsonResponse({"detail": MESSAGE}, status=429)
    reply.headers["Retry-After"] = seconds
    return reply


def no_name(request: HttpRequest, credentials: Any) -> str:
    """Return the name under which attempts are counted: one for all."""
    return ""
