from django.urls import path

from assay.secrets import views

urlpatterns = [
    path("rotate-encryption-keys", views.RotateKeys.as_view()),
    path("workspaces/<str:workspace>/secrets", views.Secrets.as_view()),
    path("workspaces/<str:workspace>/secrets/<str:name>", views.OneSecret.as_view()),
    path("workspaces/<str:workspace>/secrets/<str:name>/access", views.Access.as_view()),
]
