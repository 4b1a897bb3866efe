"""Addresses below ``/apis/evaluator/``."""

from django.urls import path

from assay.evaluator import views

urlpatterns = [
    path("v1/healthz", views.EvaluatorHealth.as_view()),
    path("v2/workspaces/<str:workspace>/metrics", views.StoredMetrics.as_view()),
    path("v2/workspaces/<str:workspace>/metrics/<str:name>", views.OneStoredMetric.as_view()),
    path("v2/workspaces/<str:workspace>/eval-results", views.EvalResults.as_view()),
    path("v2/workspaces/<str:workspace>/eval-results/<str:name>", views.OneEvalResult.as_view()),
]
