"""Addresses of evaluation jobs and results below ``/v1/``."""

from django.urls import path

from assay.jobs import views_v1 as views
from assay.jobs import views_v1_results as results

JOB = "evaluation/jobs/<str:identifier>"

urlpatterns = [
    path("evaluation/jobs", views.JobsV1.as_view()),
    path(JOB, views.OneJobV1.as_view()),
    path(f"{JOB}/status", views.JobStatusV1.as_view()),
    path(f"{JOB}/cancel", views.CancelJobV1.as_view()),
    path(f"{JOB}/results", views.JobResultsV1.as_view()),
    path(f"{JOB}/logs", views.JobLogsV1.as_view()),
    path(f"{JOB}/download-results", views.DownloadV1.as_view()),
    path("evaluation/live", views.LiveV1.as_view()),
    path("evaluation/results", results.ResultsV1.as_view()),
    path("evaluation/results/<str:identifier>", results.OneResultV1.as_view()),
]
