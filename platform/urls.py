"""Every address of the platform, app by app."""

from contextlib import suppress

from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView

from assay.jobs.figures import JobFigures
from assay.platform import docs_page, health, openapi
from assay.platform.metrics_view import Metrics

admin.autodiscover()
# Nothing is deleted by the dozen: each deletion says what stands in its way.
with suppress(KeyError):  # said before
    admin.site.disable_action("delete_selected")
urlpatterns = [
    path("", RedirectView.as_view(url="/admin/")),
    path("admin/sign-in/", include("assay.accounts.urls")),
    path("admin/", include("assay.ui.urls")),
    path("admin/tables/", admin.site.urls),
    path("health/live", health.Live.as_view()),
    path("health/ready", health.Ready.as_view()),
    path("metrics", Metrics.as_view(figures=[JobFigures()])),
    path("status", health.Status.as_view()),
    path("cluster-info", health.ClusterInfo.as_view()),
    path("openapi.json", openapi.document),
    path("docs", docs_page.page),
    path("apis/entities/v2/", include("assay.workspaces.urls")),
    path("apis/secrets/v2/", include("assay.secrets.urls")),
    path("apis/files/v2/", include("assay.filesets.urls")),
    path("apis/evaluator/", include("assay.evaluator.urls")),
    path("apis/evaluator/", include("assay.jobs.urls_evaluate")),
    path("apis/jobs/v2/", include("assay.jobs.urls")),
    path("v1/hf/", include("assay.filesets.hub.urls")),
    path("v1/", include("assay.workspaces.urls_v1")),
    path("v1/", include("assay.filesets.urls_v1")),
    path("v1/", include("assay.evaluator.urls_v1")),
    path("v1/", include("assay.jobs.urls_v1")),
    path("v2/evaluation/", include("assay.jobs.urls_v2_evaluation")),
]
handler404 = "assay.platform.fallback.not_found"
handler500 = "assay.platform.fallback.unexpected"
