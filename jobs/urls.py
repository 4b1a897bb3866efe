"""Addresses below ``/apis/jobs/v2/``."""

from django.urls import path

from assay.jobs import views

JOBS = "workspaces/<str:workspace>/jobs"
JOB = f"{JOBS}/<str:name>"

urlpatterns = [
    path("execution-profiles", views.ExecutionProfiles.as_view()),
    path(JOBS, views.Jobs.as_view()),
    path(JOB, views.OneJob.as_view()),
    path(f"{JOB}/status", views.JobStatus.as_view()),
    path(f"{JOB}/logs", views.JobLogs.as_view()),
    path(f"{JOB}/cancel", views.CancelJob.as_view()),
    path(f"{JOB}/pause", views.PauseJob.as_view()),
    path(f"{JOB}/resume", views.ResumeJob.as_view()),
    path(f"{JOB}/results", views.JobResults.as_view()),
    path(f"{JOB}/results/<str:result>", views.OneJobResult.as_view()),
    path(f"{JOB}/results/<str:result>/download", views.DownloadJobResult.as_view()),
    path(f"{JOB}/steps", views.JobSteps.as_view()),
    path(f"{JOB}/steps/<str:step>", views.OneJobStep.as_view()),
    path(f"{JOB}/steps/<str:step>/tasks", views.JobTasks.as_view()),
    path(f"{JOB}/steps/<str:step>/tasks/<str:task>", views.OneJobTask.as_view()),
]
