"""A trailing slash makes no difference to the v1 API, and never a redirect: that would turn a POST into a GET."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

BELOW = ("/v1/", "/v2/")


class OptionalSlashMiddleware:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.path_info.startswith(BELOW) and request.path_info.endswith("/"):
            request.path_info = request.path_info.rstrip("/")
        return self.get_response(request)
