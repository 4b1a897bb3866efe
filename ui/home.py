"""The first page: what runs, what came of the latest evaluations, what needs somebody."""

from django.http import HttpRequest, HttpResponse

from assay.ui.door import show


def home(request: HttpRequest) -> HttpResponse:
    return show(request, "ui/home.html", "Home")
