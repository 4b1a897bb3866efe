"""Every address of the platform, app by app."""

from importlib.util import find_spec

from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView

from assay.platform import docs_page, health, openapi

urlpatterns = [
    path("", RedirectView.as_view(url="/admin/")),
    path("admin/", admin.site.urls),
    path("health/live", health.Live.as_view()),
    path("health/ready", health.Ready.as_view()),
    path("status", health.Status.as_view()),
    path("cluster-info", health.ClusterInfo.as_view()),
    path("openapi.json", openapi.document),
    path("docs", docs_page.page),
    *(
        path(address, include(f"assay.{module}"))
        for address, module in (
            ("apis/entities/v2/", "workspaces.urls"),
            ("apis/secrets/v2/", "secrets.urls"),
            ("apis/files/v2/", "filesets.urls"),
            ("apis/evaluator/", "evaluator.urls"),
            ("apis/evaluator/", "jobs.urls_evaluate"),
            ("apis/jobs/v2/", "jobs.urls"),
        )
        if find_spec(f"assay.{module}")  # until every app has its addresses
    ),
]
handler404 = "assay.platform.fallback.not_found"
handler500 = "assay.platform.fallback.unexpected"
