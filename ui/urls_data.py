"""Addresses of the pages of filesets, secrets and workspaces."""

from django.urls import path

from assay.ui import home
from assay.ui.door import page

urlpatterns = [
    path("filesets/", page(home.home), name="filesets"),
    path("filesets/<str:workspace>/<str:name>/", page(home.home), name="fileset"),
    path("secrets/", page(home.home), name="secrets"),
    path("workspaces/", page(home.home), name="workspaces"),
]
