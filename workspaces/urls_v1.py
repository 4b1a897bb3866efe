"""Addresses below ``/v1/`` of namespaces and projects."""

from django.urls import path

from assay.workspaces import views_v1

urlpatterns = [
    path("namespaces", views_v1.Namespaces.as_view()),
    path("namespaces/<str:name>", views_v1.OneNamespace.as_view()),
    path("datastore/namespaces", views_v1.DataNamespaces.as_view()),
    path("datastore/namespaces/<str:name>", views_v1.OneDataNamespace.as_view()),
    path("projects", views_v1.Projects.as_view()),
    path("projects/<str:namespace>/<str:name>", views_v1.OneProject.as_view()),
]
