"""The files service: filesets (platform-v2 section 6). What is in them: `views_files`."""

from typing import Any

from django.db.models import Value
from rest_framework.request import Request
from rest_framework.response import Response

from assay.filesets.models import Fileset
from assay.filesets.store import change_fileset, create_fileset, get_fileset, refresh_fileset
from assay.filesets.wire import FilesetCreate, FilesetReply, FilesetUpdate
from assay.platform.api import Endpoint, Listing, read_body, read_query
from assay.platform.openapi import extend_schema, list_query, refusals
from assay.platform.wire import Cascade, page_of
from assay.workspaces import deletion
from assay.workspaces.lookup import list_in, workspace_for_create

SORTS = ("created_at", "updated_at", "name")
FILTERS = (*SORTS, "description", "purpose", "storage_type", "project", "entity_type")
FILESETS = Listing(
    size=10,
    largest=100,
    sorts={name: name for name in SORTS},
    filters={name: name for name in FILTERS} | {"id": "uid", "workspace": "workspace__name"},
    omit_null=True,
)


def fileset_json(fileset: Fileset) -> dict[str, Any]:
    return FilesetReply.of(fileset).model_dump(mode="json")


class Filesets(Endpoint):
    @extend_schema(
        operation_id="list_filesets",
        summary="List filesets",
        tags=["Files"],
        parameters=list_query(FILESETS),
        responses={200: page_of(FilesetReply, omit_null=True), **refusals(400, 404, 422)},
    )
    def get(self, request: Request, workspace: str) -> Response:
        rows = Fileset.objects.alias(entity_type=Value("fileset"))
        return list_in(workspace, FILESETS, request, rows, fileset_json, counted=True)

    @extend_schema(
        operation_id="create_fileset",
        summary="Make a fileset, in our own storage or pinned to a commit on a hub",
        tags=["Files"],
        request=FilesetCreate,
        responses={200: FilesetReply, **refusals(400, 409, 422)},
    )
    def post(self, request: Request, workspace: str) -> Response:
        body = read_body(request, FilesetCreate)
        # 200, not 201: clients look for it.
        return Response(fileset_json(create_fileset(workspace_for_create(workspace), body)))


class OneFileset(Endpoint):
    @extend_schema(
        operation_id="get_fileset",
        summary="Read a fileset",
        tags=["Files"],
        responses={200: FilesetReply, **refusals(404)},
    )
    def get(self, request: Request, workspace: str, name: str) -> Response:
        return Response(fileset_json(get_fileset(workspace, name)))

    @extend_schema(
        operation_id="update_fileset",
        summary="Change what a fileset says about itself",
        tags=["Files"],
        request=FilesetUpdate,
        responses={200: FilesetReply, **refusals(404, 422)},
    )
    def patch(self, request: Request, workspace: str, name: str) -> Response:
        body = read_body(request, FilesetUpdate)
        fileset = get_fileset(workspace, name)
        change_fileset(fileset, body)
        return Response(fileset_json(fileset))

    @extend_schema(
        operation_id="delete_fileset",
        summary="Delete a fileset that no job uses",
        tags=["Files"],
        parameters=[Cascade],
        responses={200: FilesetReply, **refusals(404, 409, 422)},
    )
    def delete(self, request: Request, workspace: str, name: str) -> Response:
        fileset = get_fileset(workspace, name)
        deletion.delete(fileset, cascade=read_query(request, Cascade).cascade)
        return Response(fileset_json(fileset))


class Refresh(Endpoint):
    @extend_schema(
        operation_id="refresh_fileset",
        summary="Pin a hub's fileset to the commit that its revision names now",
        tags=["Files"],
        request=None,
        responses={200: FilesetReply, **refusals(400, 404, 409, 502)},
    )
    def post(self, request: Request, workspace: str, name: str) -> Response:
        fileset = get_fileset(workspace, name)
        refresh_fileset(fileset)
        return Response(fileset_json(fileset))
