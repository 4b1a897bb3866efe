from django.urls import path

from assay.workspaces import views

urlpatterns = [
    path("workspaces", views.Workspaces.as_view()),
    path("workspaces/<str:name>", views.OneWorkspace.as_view()),
    path("workspaces/<str:name>/members", views.Members.as_view()),
    # A principal may hold a slash.
    path("workspaces/<str:name>/members/<path:member>", views.OneMember.as_view()),
    path("workspaces/<str:name>/projects", views.Projects.as_view()),
    path("workspaces/<str:name>/projects/<str:project>", views.OneProject.as_view()),
]
