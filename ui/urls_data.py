"""Addresses of the pages of filesets, secrets and workspaces."""

from functools import partial

from django.urls import path

from assay.platform.caller import Action
from assay.ui import fileset, filesets, members, preview, secrets, workspaces
from assay.ui.door import page

FILESET = "filesets/<str:workspace>/<str:name>"
WORKSPACE = "workspaces/<str:name>"
SECRET = "secrets/<str:workspace>/<str:name>"
managing = partial(page, writes=True, needs=Action.MANAGE)
urlpatterns = [
    path("filesets/", page(filesets.filesets), name="filesets"),
    path("filesets/new/", page(filesets.new), name="fileset-new"),
    path(f"{FILESET}/", page(fileset.fileset), name="fileset"),
    path(f"{FILESET}/files/", page(fileset.files), name="fileset-files"),
    path(f"{FILESET}/files/delete/", page(fileset.delete_file, writes=True), name="fileset-file-delete"),
    path(f"{FILESET}/preview/", page(preview.preview), name="fileset-preview"),
    path(f"{FILESET}/history/", page(fileset.log), name="fileset-history"),
    path(f"{FILESET}/edit/", page(fileset.edit), name="fileset-edit"),
    path(f"{FILESET}/refresh/", page(fileset.refresh, writes=True), name="fileset-refresh"),
    path(f"{FILESET}/delete/", page(fileset.delete), name="fileset-delete"),
    path("secrets/", page(secrets.secrets), name="secrets"),
    path("secrets/new/", page(secrets.new), name="secret-new"),
    path(f"{SECRET}/", page(secrets.secret), name="secret"),
    path(f"{SECRET}/rotate/", page(secrets.rotate, writes=True), name="secret-rotate"),
    path(f"{SECRET}/edit/", page(secrets.describe, writes=True), name="secret-edit"),
    path(f"{SECRET}/delete/", page(secrets.delete), name="secret-delete"),
    path("workspaces/", page(workspaces.workspaces), name="workspaces"),
    path(f"{WORKSPACE}/", page(workspaces.workspace), name="workspace"),
    path(f"{WORKSPACE}/edit/", page(workspaces.describe, writes=True, needs=Action.MANAGE), name="workspace-edit"),
    path(f"{WORKSPACE}/members/", page(members.give_role, writes=True, needs=Action.MANAGE), name="member-role"),
    path(
        f"{WORKSPACE}/members/remove/", page(members.take_out, writes=True, needs=Action.MANAGE), name="member-remove"
    ),
    path(f"{WORKSPACE}/delete/", page(workspaces.delete, needs=Action.MANAGE), name="workspace-delete"),
]
