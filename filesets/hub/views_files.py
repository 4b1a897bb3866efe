"""One file of a commit: its content, or the text that git holds in its place (contract, section 5.4)."""

from urllib.parse import quote

from django.http import HttpResponse, HttpResponseBase, StreamingHttpResponse
from rest_framework.request import Request

from assay.filesets import history
from assay.filesets.history import Entry, EntryMissing
from assay.filesets.hub.access import HubEndpoint, split
from assay.filesets.hub.errors import RangePastEnd
from assay.filesets.hub.names import Kind
from assay.filesets.models import Commit
from assay.filesets.ranges import Pieces, Span, read_range
from assay.platform.errors import RangeNotSatisfiable, Unavailable

BYTES = "application/octet-stream"


class _FileEndpoint(HubEndpoint):
    def find(self, kind: Kind, namespace: str, name: str, rest: str) -> tuple[Commit, Entry]:
        fileset = self.repository(kind, namespace, name)
        revision, path = split(fileset, rest)
        commit = self.resolve(fileset, revision)
        entry = history.tree_of(commit).get(path)
        if entry is None:
            raise EntryMissing(f"There is no file '{path}' in '{fileset}' at revision '{revision}'.")
        return commit, entry


class Resolve(_FileEndpoint):
    def head(self, request: Request, kind: Kind, namespace: str, name: str, rest: str) -> HttpResponseBase:
        commit, entry = self.find(kind, namespace, name, rest)
        headers = _headers(commit, entry)
        if _unchanged(request, entry.etag):
            return _not_modified(headers)
        return HttpResponse(headers={**headers, "Content-Length": str(entry.size)})

    def get(self, request: Request, kind: Kind, namespace: str, name: str, rest: str) -> HttpResponseBase:
        commit, entry = self.find(kind, namespace, name, rest)
        headers, status, span = _headers(commit, entry), 200, Span(0, entry.size)
        if _unchanged(request, entry.etag):
            return _not_modified(headers)
        asked = request.headers.get("Range")
        # A download that goes on after the file was replaced gets the new file whole, not the rest of another.
        if asked is not None and request.headers.get("If-Range") in {None, headers["ETag"]}:
            try:
                status, span = 206, read_range(asked, entry.size)
            except RangeNotSatisfiable:
                raise RangePastEnd(asked, entry.size) from None
            headers["Content-Range"] = f"bytes {span.start}-{span.stop - 1}/{entry.size}"
        return _content(commit, entry, span, status, headers)


class Raw(_FileEndpoint):
    def get(self, request: Request, kind: Kind, namespace: str, name: str, rest: str) -> HttpResponseBase:
        commit, entry = self.find(kind, namespace, name, rest)
        headers = {**_headers(commit, entry), "ETag": f'"{entry.oid}"', "Content-Type": "text/plain; charset=utf-8"}
        if _unchanged(request, entry.oid):
            return _not_modified(headers)
        if entry.lfs:
            return HttpResponse(entry.pointer, headers=headers)
        return _content(commit, entry, Span(0, entry.size), 200, headers)


def _content(commit: Commit, entry: Entry, span: Span, status: int, headers: dict[str, str]) -> StreamingHttpResponse:
    try:
        pieces = Pieces(history.content(commit, entry.path)[1], span)
    except FileNotFoundError:
        raise Unavailable(f"The content of '{entry.path}' is missing from this server's data folder.") from None
    return StreamingHttpResponse(pieces, status=status, headers={**headers, "Content-Length": str(len(span))})


def _headers(commit: Commit, entry: Entry) -> dict[str, str]:
    name = entry.path.rpartition("/")[2]
    plain = "".join(char if " " <= char <= "~" and char not in '"\\' else "_" for char in name)
    return {
        "X-Repo-Commit": commit.oid,
        "ETag": f'"{entry.etag}"',
        "Accept-Ranges": "bytes",
        # Never the type of the file: a page out of a repository must not run beside the platform's own.
        "Content-Type": BYTES,
        "Content-Disposition": f"inline; filename*=UTF-8''{quote(name, safe='')}; filename=\"{plain}\";",
    }


def _unchanged(request: Request, etag: str) -> bool:
    known = request.headers.get("If-None-Match", "")
    return known.strip() == "*" or etag in {tag.strip().removeprefix("W/").strip('"') for tag in known.split(",")}


def _not_modified(headers: dict[str, str]) -> HttpResponse:
    kept = {name: value for name, value in headers.items() if not name.startswith("Content-")}
    return HttpResponse(status=304, headers=kept)
