"""Addresses of the pages that hold judges against people, and evaluations against each other."""

from django.urls import path

from assay.ui import compare, people
from assay.ui.door import page

PEOPLE = "evaluations/<str:workspace>/<str:name>/people"
urlpatterns = [
    path("compare/", page(compare.compare), name="compare"),
    path("compare/scores/", page(compare.compare_scores), name="compare_scores"),
    path("compare/rows/", page(compare.compare_rows), name="compare_rows"),
    path(f"{PEOPLE}/", page(people.people), name="people"),
    path(f"{PEOPLE}/found/", page(people.people_found), name="people_found"),
]
