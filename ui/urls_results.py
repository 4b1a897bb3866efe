"""Addresses of the pages that show what an evaluation came to."""

from django.urls import path

from assay.ui.door import page
from assay.ui.results import figures, results
from assay.ui.row import row
from assay.ui.rows import rows

JOB = "evaluations/<str:workspace>/<str:name>"
urlpatterns = [
    path(f"{JOB}/results/", page(results), name="results"),
    path(f"{JOB}/results/figures/", page(figures), name="figures"),
    path(f"{JOB}/rows/", page(rows), name="rows"),
    path(f"{JOB}/rows/<int:index>/", page(row), name="row"),
]
