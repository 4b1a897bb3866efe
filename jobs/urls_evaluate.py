"""Addresses of jobs below ``/apis/evaluator/``."""

from django.urls import path

from assay.jobs import views_agreement
from assay.jobs import views_evaluate as views

JOBS = "v2/workspaces/<str:workspace>/evaluate/jobs"
JOB = f"{JOBS}/<str:name>"

urlpatterns = [
    path(JOBS, views.Evaluations.as_view()),
    path(JOB, views.OneEvaluation.as_view()),
    path(f"{JOB}/status", views.EvaluationStatus.as_view()),
    path(f"{JOB}/logs", views.EvaluationLogs.as_view()),
    path(f"{JOB}/cancel", views.CancelEvaluation.as_view()),
    path(f"{JOB}/agreement", views_agreement.EvaluationAgreement.as_view()),
    path(f"{JOB}/results", views.EvaluationResults.as_view()),
    path(f"{JOB}/results/<str:result>", views.OneEvaluationResult.as_view()),
    path(f"{JOB}/results/<str:result>/download", views.DownloadEvaluationResult.as_view()),
    path("v2/workspaces/<str:workspace>/comparisons", views_agreement.Comparisons.as_view()),
]
