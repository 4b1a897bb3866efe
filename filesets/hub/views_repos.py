"""Repositories: made, deleted, moved and set (contract, section 3)."""

from rest_framework.request import Request
from rest_framework.response import Response

from assay.filesets.hub import repos
from assay.filesets.hub.access import HubEndpoint, own_namespace
from assay.filesets.hub.bodies import CreateBody, MoveBody, RepoBody, SettingsBody, read_visibility
from assay.filesets.hub.names import Kind, repo_url
from assay.filesets.hub.reading import read_json
from assay.platform.auth import principal
from assay.platform.errors import BadRequest
from assay.workspaces import deletion


class Create(HubEndpoint):
    def post(self, request: Request) -> Response:
        body = read_json(request, CreateBody)
        namespace = body.organization or own_namespace(request)
        fileset = repos.create(body.kind, namespace, body.name, private=body.is_private, by=principal(request))
        return Response({"url": repo_url(fileset), "name": str(fileset), "id": str(fileset)})


class Delete(HubEndpoint):
    def delete(self, request: Request) -> Response:
        body = read_json(request, RepoBody)
        fileset = self.repository(body.kind, body.organization, body.name)
        deletion.delete(fileset)
        return Response({})


class Move(HubEndpoint):
    def post(self, request: Request) -> Response:
        body = read_json(request, MoveBody)
        fileset = self.repository_of(body.kind, body.from_repo)
        repos.move(fileset, *self.parts(body.to_repo), by=principal(request))
        return Response({})


class Settings(HubEndpoint):
    def put(self, request: Request, kind: Kind, namespace: str, name: str) -> Response:
        body = read_json(request, SettingsBody)
        fileset = self.repository(kind, namespace, name)
        if body.gated:
            raise BadRequest("Repositories cannot be gated here.")
        private = read_visibility(body.private, body.visibility)
        if private is not None:
            repos.set_visibility(fileset, private)
        visibility = "private" if fileset.private else "public"
        return Response({"private": fileset.private, "visibility": visibility, "gated": False})
