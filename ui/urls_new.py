"""Addresses of the pages that make an evaluation."""

from django.urls import path

from assay.ui import home
from assay.ui.door import page

urlpatterns = [
    path("evaluations/new/", page(home.home), name="new"),
]
