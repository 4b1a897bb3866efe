from django.urls import path, re_path

from assay.filesets import views, views_files

urlpatterns = [
    path("workspaces/<str:workspace>/filesets", views.Filesets.as_view()),
    path("workspaces/<str:workspace>/filesets/<str:name>", views.OneFileset.as_view()),
    path("workspaces/<str:workspace>/filesets/<str:name>/refresh", views.Refresh.as_view()),
    path("workspaces/<str:workspace>/filesets/<str:name>/files", views_files.Files.as_view()),
    # A path may hold anything, line breaks included: it is for `paths` to judge.
    re_path(
        r"^workspaces/(?P<workspace>[^/]+)/filesets/(?P<name>[^/]+)/-/(?P<path>[\s\S]*)$",
        views_files.OneFile.as_view(),
    ),
]
