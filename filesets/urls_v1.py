"""Addresses below ``/v1/`` of datasets."""

from django.urls import path

from assay.filesets import views_v1

urlpatterns = [
    path("datasets", views_v1.Datasets.as_view()),
    path("datasets/<str:namespace>/<str:name>", views_v1.OneDataset.as_view()),
]
