"""Lists in pages: each says where the next one is, as an absolute address that keeps the prefix and the query."""

from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from assay.platform.api import django_request


def page(request: Request, entries: list[Any], cursor: str | None) -> Response:
    """Return one page of a list; with a cursor it says where the next one is."""
    reply = Response(entries)
    if cursor is not None:
        query = request.query_params.copy()
        query["cursor"] = cursor
        here = django_request(request)
        where = here.build_absolute_uri(here.get_full_path().partition("?")[0])
        reply["Link"] = f'<{where}?{query.urlencode()}>; rel="next"'
    return reply
