"""Addresses of signing in by an identity provider."""

from django.urls import path

from assay.accounts import views

urlpatterns = [
    path("leave", views.leave, name="sign-in-leave"),
    path("back", views.come_back, name="sign-in-back"),
]
