"""Addresses of the pages that hold judges against people, and evaluations against each other."""

from django.urls import path

from assay.ui import home
from assay.ui.door import page

urlpatterns = [
    path("compare/", page(home.home), name="compare"),
    path("evaluations/<str:workspace>/<str:name>/people/", page(home.home), name="people"),
]
