"""Addresses of jobs below ``/apis/evaluator/``."""

from django.urls import path

from assay.jobs import views_agreement, views_control, views_rows
from assay.jobs import views_evaluate as views

JOBS = "v2/workspaces/<str:workspace>/evaluate/jobs"
JOB = f"{JOBS}/<str:name>"

urlpatterns = [
    path(JOBS, views.Evaluations.as_view()),
    path(JOB, views_control.OneEvaluation.as_view()),
    path(f"{JOB}/status", views.EvaluationStatus.as_view()),
    path(f"{JOB}/logs", views.EvaluationLogs.as_view()),
    path(f"{JOB}/cancel", views.CancelEvaluation.as_view()),
    path(f"{JOB}/pause", views_control.PauseEvaluation.as_view()),
    path(f"{JOB}/resume", views_control.ResumeEvaluation.as_view()),
    path(f"{JOB}/rerun-failed", views_control.RerunFailed.as_view()),
    path(f"{JOB}/progress", views_control.EvaluationProgress.as_view()),
    path(f"{JOB}/agreement", views_agreement.EvaluationAgreement.as_view()),
    path(f"{JOB}/rows", views_rows.EvaluationRows.as_view()),
    path(f"{JOB}/rows/<int:index>", views_rows.OneEvaluationRow.as_view()),
    path(f"{JOB}/export", views_rows.ExportEvaluation.as_view()),
    path(f"{JOB}/results", views.EvaluationResults.as_view()),
    path(f"{JOB}/results/<str:result>", views.OneEvaluationResult.as_view()),
    path(f"{JOB}/results/<str:result>/download", views.DownloadEvaluationResult.as_view()),
    path("v2/workspaces/<str:workspace>/comparisons", views_agreement.Comparisons.as_view()),
]
