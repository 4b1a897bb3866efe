"""Addresses of the pages that show what an evaluation came to."""

from django.urls import path

from assay.ui import home
from assay.ui.door import page

JOB = "evaluations/<str:workspace>/<str:name>"
urlpatterns = [
    path(f"{JOB}/results/", page(home.home), name="results"),
    path(f"{JOB}/rows/", page(home.home), name="rows"),
    path(f"{JOB}/rows/<int:index>/", page(home.home), name="row"),
]
