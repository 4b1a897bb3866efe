"""Addresses of the page that makes an evaluation, and of its live parts."""

from django.urls import path

from assay.ui import new
from assay.ui.door import page

# Not below evaluations/new/: there, evaluations of a workspace called "new" have their pages.
LIVE = "new-evaluation"
urlpatterns = [
    path("evaluations/new/", page(new.new), name="new"),
    path(f"{LIVE}/data/", page(new.data), name="new-data"),
    path(f"{LIVE}/prompt/", page(new.prompt, writes=True), name="new-prompt"),
    path(f"{LIVE}/forecast/", page(new.forecast, writes=True), name="new-forecast"),
    path(f"{LIVE}/code/", page(new.code, writes=True), name="new-code"),
    path(f"{LIVE}/trial/", page(new.try_it, writes=True), name="new-trial"),
]
