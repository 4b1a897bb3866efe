"""The pages' addresses, all under ``/admin/``; the tables behind them are under ``/admin/tables/``."""

from django.urls import include, path

from assay.ui import home
from assay.ui.door import page

app_name = "ui"
urlpatterns = [
    path("", page(home.home), name="home"),
    path("", include("assay.ui.urls_new")),
    path("", include("assay.ui.urls_people")),
    path("", include("assay.ui.urls_results")),
    path("", include("assay.ui.urls_evaluations")),
    path("", include("assay.ui.urls_data")),
    path("", include("assay.ui.urls_accounts")),
]
