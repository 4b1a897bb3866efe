"""Branches, tags and commits (contract, section 3)."""

from rest_framework.request import Request
from rest_framework.response import Response

from assay.filesets import history
from assay.filesets.hub import links
from assay.filesets.hub.access import HubEndpoint, author
from assay.filesets.hub.bodies import BranchBody, SquashBody, TagBody
from assay.filesets.hub.names import Kind
from assay.filesets.hub.reading import bad_cursor, read_cursor, read_json, read_size, write_cursor
from assay.filesets.hub.wire import commit_json, refs_json

COMMITS = 50
"""On a page."""


class Refs(HubEndpoint):
    def get(self, request: Request, kind: Kind, namespace: str, name: str) -> Response:
        fileset = self.repository(kind, namespace, name)
        history.settle(fileset)
        return Response(refs_json(history.refs(fileset)))


class Branch(HubEndpoint):
    def post(self, request: Request, kind: Kind, namespace: str, name: str, revision: str) -> Response:
        fileset = self.repository(kind, namespace, name)
        start = read_json(request, BranchBody).starting_point or history.MAIN
        self.resolve(fileset, start)
        history.create_branch(fileset, revision, start)
        return Response({})

    def delete(self, request: Request, kind: Kind, namespace: str, name: str, revision: str) -> Response:
        fileset = self.repository(kind, namespace, name)
        history.delete_branch(fileset, revision)
        return Response({})


class Tag(HubEndpoint):
    def post(self, request: Request, kind: Kind, namespace: str, name: str, revision: str) -> Response:
        """Name the commit of ``revision``."""
        fileset = self.repository(kind, namespace, name)
        body = read_json(request, TagBody)
        self.resolve(fileset, revision)
        history.create_tag(fileset, body.tag, revision)
        return Response({})

    def delete(self, request: Request, kind: Kind, namespace: str, name: str, revision: str) -> Response:
        """Delete the tag that is called ``revision``."""
        fileset = self.repository(kind, namespace, name)
        history.delete_tag(fileset, revision)
        return Response({})


class Commits(HubEndpoint):
    def get(self, request: Request, kind: Kind, namespace: str, name: str, revision: str) -> Response:
        fileset = self.repository(kind, namespace, name)
        size = read_size(request.query_params, COMMITS)
        start, after = revision, None
        match read_cursor(request.query_params):
            case [oid, last] if last.isdecimal():
                # The pages go on from the commit that the first one began with, wherever the branch is now.
                start, after = oid, int(last)
            case [_, *_]:
                raise bad_cursor()
        first = self.resolve(fileset, start)
        found = history.log(fileset, first.oid, after=after, limit=size + 1)
        cursor = write_cursor(first.oid, found[size - 1].pk) if len(found) > size else None
        return links.page(request, [commit_json(commit) for commit in found[:size]], cursor)


class Squash(HubEndpoint):
    def post(self, request: Request, kind: Kind, namespace: str, name: str, revision: str) -> Response:
        fileset = self.repository(kind, namespace, name)
        title = read_json(request, SquashBody).message or f"Super-squash branch '{revision}'"
        self.resolve(fileset, revision)
        history.squash(fileset, revision, title[:1000], author=author(request))
        return Response({})
