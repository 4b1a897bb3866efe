"""Addresses below ``/v2/evaluation/``."""

from django.urls import path

from assay.jobs import views_v2_evaluation as views

JOB = "jobs/<str:identifier>"

urlpatterns = [
    path("jobs", views.JobsV2.as_view()),
    path(JOB, views.OneJobV2.as_view()),
    path(f"{JOB}/status", views.JobStatusV2.as_view()),
    path(f"{JOB}/cancel", views.CancelJobV2.as_view()),
    path(f"{JOB}/logs", views.JobLogsV2.as_view()),
    path(f"{JOB}/results", views.JobResultsV2.as_view()),
    path(f"{JOB}/results/evaluation-results/download", views.DownloadScoresV2.as_view()),
    path(f"{JOB}/results/artifacts/download", views.DownloadArtifactsV2.as_view()),
]
