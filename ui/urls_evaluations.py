"""Addresses of the list of evaluations and of the page that watches one, and of what the home page asks for again."""

from django.urls import path

from assay.ui import evaluations, home, job, job_steer
from assay.ui.door import page

JOB = "evaluations/<str:workspace>/<str:name>"
urlpatterns = [
    path("home/now/", page(home.now), name="home_now"),
    path("home/lately/", page(home.lately), name="home_lately"),
    path("evaluations/", page(evaluations.evaluations), name="evaluations"),
    path(f"{JOB}/", page(job.job), name="job"),
    path(f"{JOB}/live/", page(job.live), name="job_live"),
    path(f"{JOB}/scores/", page(job.scores), name="job_scores"),
    path(f"{JOB}/log/", page(job.log), name="job_log"),
    path(f"{JOB}/change/", page(job.change, writes=True), name="job_change"),
    path(f"{JOB}/delete/", page(job_steer.delete), name="job_delete"),
    path(f"{JOB}/do/<str:verb>/", page(job_steer.steer, writes=True), name="job_steer"),
]
