"""The files service: the files of a fileset, in and out as streams (platform-v2 section 6)."""

from typing import Any

from django.conf import settings
from django.http import HttpResponse, HttpResponseBase, StreamingHttpResponse
from pydantic import BaseModel, Field
from rest_framework.request import Request
from rest_framework.response import Response

from assay.filesets import local, paths
from assay.filesets.models import Fileset, Storage
from assay.filesets.ranges import Pieces, Span, read_range
from assay.filesets.storage import StoredFile, storage_of
from assay.filesets.store import get_fileset
from assay.filesets.upload import Upload
from assay.filesets.wire import FileList, FileReply
from assay.platform.api import Endpoint, django_request, read_query
from assay.platform.errors import BadRequest, Unavailable
from assay.platform.openapi import BYTES, RANGE, OpenApiTypes, extend_schema, refusals


def file_json(fileset: Fileset, file: StoredFile, cache_status: str | None = None) -> dict[str, Any]:
    return FileReply.of(fileset, file, cache_status).model_dump(mode="json")


class FilesQuery(BaseModel):
    path: str = Field("", description="A folder, or one file.")
    include_cache_status: bool = Field(False, description="Say which files of a hub are here already.")


class Files(Endpoint):
    @extend_schema(
        operation_id="list_files",
        summary="List the files of a fileset",
        tags=["Files"],
        parameters=[FilesQuery],
        responses={200: FileList, **refusals(400, 404, 422, 502)},
    )
    def get(self, request: Request, workspace: str, name: str) -> Response:
        asked = read_query(request, FilesQuery)
        fileset = get_fileset(workspace, name)
        found = storage_of(fileset).files(fileset, paths.folder(asked.path))
        told = asked.include_cache_status
        return Response({"data": [file_json(fileset, file, _cache_status(file, told)) for file in found]})


class OneFile(Endpoint):
    @extend_schema(
        operation_id="head_file",
        summary="Read a file's size",
        tags=["Files"],
        responses={200: None, **refusals(400, 404, 502)},
    )
    def head(self, request: Request, workspace: str, name: str, path: str) -> HttpResponseBase:
        fileset = get_fileset(workspace, name)
        file = storage_of(fileset).find(fileset, paths.file(path))
        return HttpResponse(headers={**_headers(file), "Content-Length": str(file.size)})

    @extend_schema(
        operation_id="download_file",
        summary="Read a file, or one range of it",
        tags=["Files"],
        parameters=[RANGE],
        responses={
            (200, BYTES): OpenApiTypes.BINARY,
            (206, BYTES): OpenApiTypes.BINARY,
            **refusals(400, 404, 416, 502),
        },
    )
    def get(self, request: Request, workspace: str, name: str, path: str) -> HttpResponseBase:
        fileset = get_fileset(workspace, name)
        file, place = storage_of(fileset).content(fileset, paths.file(path))
        headers, status, span = _headers(file), 200, Span(0, file.size)
        asked = request.headers.get("Range")
        # A download that goes on after the file was replaced gets the new file whole, not the rest of another.
        if asked is not None and request.headers.get("If-Range") in {None, headers.get("ETag")}:
            status, span = 206, read_range(asked, file.size)
            headers["Content-Range"] = f"bytes {span.start}-{span.stop - 1}/{file.size}"
        try:
            pieces = Pieces(place, span)
        except FileNotFoundError:
            raise Unavailable(f"The content of '{file.path}' is missing from this server's data folder.") from None
        return StreamingHttpResponse(pieces, status=status, headers={**headers, "Content-Length": str(len(span))})

    @extend_schema(
        operation_id="upload_file",
        summary="Store a file, in the place of one of the same path",
        tags=["Files"],
        request={BYTES: OpenApiTypes.BINARY},
        responses={200: FileReply, **refusals(400, 404, 413)},
    )
    def put(self, request: Request, workspace: str, name: str, path: str) -> Response:
        fileset = _our_own(get_fileset(workspace, name))
        limit = settings.MAX_FILE_BYTES
        body = Upload(django_request(request), limit=limit)
        return Response(file_json(fileset, local.put(fileset, path, body, limit=limit)))

    @extend_schema(
        operation_id="delete_file",
        summary="Delete a file",
        tags=["Files"],
        responses={200: FileReply, **refusals(400, 404)},
    )
    def delete(self, request: Request, workspace: str, name: str, path: str) -> Response:
        fileset = _our_own(get_fileset(workspace, name))
        return Response(file_json(fileset, local.delete(fileset, paths.file(path))))


def _our_own(fileset: Fileset) -> Fileset:
    if fileset.storage_type != Storage.LOCAL:
        raise BadRequest(f"The files of fileset '{fileset}' are on a hub and change there; refresh it afterwards.")
    return fileset


def _headers(file: StoredFile) -> dict[str, str]:
    return {"Content-Type": BYTES, "Accept-Ranges": "bytes"} | ({"ETag": f'"{file.etag}"'} if file.etag else {})


def _cache_status(file: StoredFile, told: bool) -> str | None:
    if file.cached is None:
        return "not_cacheable"
    return ("cached" if file.cached else "not_cached") if told else None
