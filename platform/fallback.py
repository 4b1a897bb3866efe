"""What is said when no view answers: an unknown address, or an error outside the API's own handler."""

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views import defaults

from assay.platform.errors import UNEXPECTED


def _for_people(request: HttpRequest) -> bool:
    return request.path.startswith("/admin") and "text/html" in request.headers.get("Accept", "")


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    if _for_people(request):
        return defaults.page_not_found(request, exception)
    return JsonResponse({"detail": "Not Found"}, status=404)


def unexpected(request: HttpRequest) -> HttpResponse:
    return defaults.server_error(request) if _for_people(request) else JsonResponse(UNEXPECTED, status=500)
