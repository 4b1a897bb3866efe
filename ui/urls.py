"""The pages' addresses, all under ``/admin/``; the tables behind them are under ``/admin/tables/``."""

from django.urls import path

from assay.ui import home
from assay.ui.door import page

app_name = "ui"
JOB = "evaluations/<str:workspace>/<str:name>"
urlpatterns = [
    path("", page(home.home), name="home"),
    path("evaluations/", page(home.home), name="evaluations"),
    path("evaluations/new/", page(home.home), name="new"),
    path("compare/", page(home.home), name="compare"),
    path("filesets/", page(home.home), name="filesets"),
    path("secrets/", page(home.home), name="secrets"),
    path("workspaces/", page(home.home), name="workspaces"),
    path(f"{JOB}/", page(home.home), name="job"),
    path(f"{JOB}/results/", page(home.home), name="results"),
    path(f"{JOB}/rows/", page(home.home), name="rows"),
    path(f"{JOB}/rows/<int:index>/", page(home.home), name="row"),
    path(f"{JOB}/people/", page(home.home), name="people"),
]
