"""Addresses below ``/v1/`` of models, targets and configs."""

from django.urls import path

from assay.evaluator import views_v1

urlpatterns = [
    path("models", views_v1.Models.as_view()),
    path("models/<str:namespace>/<str:name>", views_v1.OneModel.as_view()),
    path("evaluation/targets", views_v1.Targets.as_view()),
    path("evaluation/targets/<str:namespace>/<str:name>", views_v1.OneTarget.as_view()),
    path("evaluation/configs", views_v1.Configs.as_view()),
    path("evaluation/configs/<str:namespace>/<str:name>", views_v1.OneConfig.as_view()),
]
