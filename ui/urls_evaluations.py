"""Addresses of the list of evaluations and of the page that watches one."""

from django.urls import path

from assay.ui import home
from assay.ui.door import page

JOB = "evaluations/<str:workspace>/<str:name>"
urlpatterns = [
    path("evaluations/", page(home.home), name="evaluations"),
    path(f"{JOB}/", page(home.home), name="job"),
]
