"""What is in a commit: folder by folder, or path by path (contract, sections 5.1 to 5.3)."""

from typing import Any, ClassVar
from urllib.parse import parse_qs

from rest_framework.request import Request
from rest_framework.response import Response

from assay.filesets import history
from assay.filesets.history import EntryMissing, Node
from assay.filesets.hub import links
from assay.filesets.hub.access import HubEndpoint, split
from assay.filesets.hub.bodies import PathsBody
from assay.filesets.hub.names import Kind
from assay.filesets.hub.reading import bad_cursor, read_bytes, read_cursor, read_flag, read_size, write_cursor
from assay.filesets.hub.wire import node_json
from assay.filesets.models import Commit, Fileset
from assay.platform.api import check, decode
from assay.platform.caller import Action

NODES = 1000
EXPANDED_NODES = 100
"""On a page."""


class TreeOf(HubEndpoint):
    def get(self, request: Request, kind: Kind, namespace: str, name: str, rest: str) -> Response:
        fileset, query = self.repository(kind, namespace, name), request.query_params
        revision, path = split(fileset, rest)
        path, expand = path.strip("/"), read_flag(query, "expand")
        size = read_size(query, EXPANDED_NODES if expand else NODES)
        start = 0
        match read_cursor(query):
            case [oid, number] if number.isdecimal():
                # The pages go on in the commit that the first one showed, wherever the branch is now.
                revision, start = oid, int(number)
            case [_, *_]:
                raise bad_cursor()
        commit = self.resolve(fileset, revision)
        tree = history.tree_of(commit)
        if path and tree.folder(path) is None:
            raise EntryMissing(f"There is no folder '{path}' in '{fileset}' at revision '{revision}'.")
        nodes = tree.walk(path) if read_flag(query, "recursive") else tree.children(path)
        shown, end = nodes[start : start + size], start + size
        cursor = write_cursor(commit.oid, end) if len(nodes) > end else None
        return links.page(request, _json(fileset, commit, shown, expand), cursor)


class PathsInfo(HubEndpoint):
    needs: ClassVar = {"POST": Action.READ}

    def post(self, request: Request, kind: Kind, namespace: str, name: str, revision: str) -> Response:
        fileset = self.repository(kind, namespace, name)
        asked = _asked(request)
        commit = self.resolve(fileset, revision)
        tree = history.tree_of(commit)
        paths = dict.fromkeys(path.strip("/") for path in asked.paths)
        found = [tree.get(path) or tree.folder(path) for path in paths if path]
        return Response(_json(fileset, commit, [node for node in found if node is not None], asked.expand))


def _asked(request: Request) -> PathsBody:
    raw = read_bytes(request)
    if "json" in (request.content_type or ""):
        return check(PathsBody, decode(raw or b"{}"), "body")
    form = parse_qs(raw.decode("utf-8", "replace"), keep_blank_values=True)
    return check(PathsBody, {"paths": form.get("paths", []), "expand": form.get("expand", [False])[-1]}, "body")


def _json(fileset: Fileset, commit: Commit, nodes: list[Node], expand: bool) -> list[dict[str, Any]]:
    last = history.last_changes(fileset, commit, [node.path for node in nodes]) if expand else None
    return [node_json(node, last) for node in nodes]
