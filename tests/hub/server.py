"""A test hub: an HTTP server that speaks the reading half of the Hugging Face Hub's protocol, from memory.

    with Hub() as hub:
        sha = hub.add_commit("ns/data", {"rows.jsonl": b"..."})
        HfApi(endpoint=hub.url).repo_info("ns/data", repo_type="dataset")

Repositories have commits, branches and tags; they can be private or gated behind a token. Files such as *.gz and
*.parquet are LFS files, as on the public hub: their ETag is the SHA-256 of the content, and with `Hub(cdn=True)` they
are served by a redirect to another host name.
"""

import json
import re
import threading
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socket import SHUT_RDWR, socket
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, quote, unquote, urlencode

from tests.hub.repository import Commit, Repository

RANGE = re.compile(r"bytes=(\d*)-(\d*)")


@dataclass(frozen=True)
class Request:
    """One request as it arrived: `path` is still percent-encoded."""

    method: str
    path: str
    query: Mapping[str, list[str]]
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(default=b"", repr=False)

    @property
    def token(self) -> str:
        """The bearer token, or an empty string."""
        return self.headers.get("authorization", "").removeprefix("Bearer").strip()

    def flag(self, name: str) -> bool:
        return self.query.get(name, ["false"])[-1].lower() in ("true", "1")


@dataclass(frozen=True)
class Response:
    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


class Refusal(Exception):
    """An error answer; the code is what makes the client raise its typed exception."""

    def __init__(self, status: int, message: str, code: str = "", headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        coded = {"X-Error-Code": code} if code else {}
        all_headers = {"X-Error-Message": message, "Content-Type": "application/json", **coded, **(headers or {})}
        self.response = Response(status, json.dumps({"error": message}).encode(), all_headers)


def as_json(value: Any, headers: Mapping[str, str] | None = None) -> Response:
    return Response(200, json.dumps(value).encode(), {"Content-Type": "application/json", **(headers or {})})


class Hub:
    """The hub and its repositories. `url` is the endpoint; `requests` is everything that was asked, in order."""

    def __init__(self, *, page_size: int = 1000, cdn: bool = False) -> None:
        self.page_size = page_size
        self.cdn = cdn
        self.requests: list[Request] = []
        self._repositories: dict[tuple[str, str], Repository] = {}
        self._failures: list[int] = []
        self._lock = threading.RLock()
        self._port = 0
        self._server: _Server | None = None

    # --- what it holds ---------------------------------------------------------------------------

    def add_commit(
        self,
        repo_id: str,
        files: Mapping[str, bytes],
        revision: str = "main",
        *,
        repo_type: str = "dataset",
        remove: Iterable[str] = (),
        title: str = "Change files",
    ) -> str:
        """Lay `files` over the branch (made from main, or empty, if it is new), take `remove` away; returns the sha."""
        with self._lock:
            repository = self._repositories.setdefault((repo_type, repo_id), Repository(repo_id, repo_type))
            return repository.commit(files, revision, tuple(remove), title)

    def add_tag(self, repo_id: str, tag: str, sha: str, *, repo_type: str = "dataset") -> None:
        with self._lock:
            self._repositories[repo_type, repo_id].tags[tag] = sha

    def protect(self, repo_id: str, token: str, *, gated: bool = False, repo_type: str = "dataset") -> None:
        """From now on only `token` sees the repository; if gated, everybody sees it but only `token` gets its files."""
        with self._lock:
            repository = self._repositories[repo_type, repo_id]
            repository.token, repository.gated = token, gated

    def remove_repository(self, repo_id: str, *, repo_type: str = "dataset") -> None:
        with self._lock:
            del self._repositories[repo_type, repo_id]

    def fail_next(self, status: int, times: int = 1) -> None:
        """Answer the next requests, whatever they ask, with this status."""
        with self._lock:
            self._failures += [status] * times

    # --- its life --------------------------------------------------------------------------------

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def start(self) -> Self:
        """Listen on a free port; after a stop, on the same one again."""
        self._server = _Server(("127.0.0.1", self._port), _Handler)
        self._server.hub = self
        self._port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def stop(self) -> None:
        """Stop listening and drop every open connection; what it holds stays."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server.drop_connections()
            self._server = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    # --- what it answers -------------------------------------------------------------------------

    def answer(self, request: Request) -> Response:
        with self._lock:
            self.requests.append(request)
            try:
                if self._failures:
                    raise Refusal(self._failures.pop(0), "The test hub was told to fail")
                return self._route(request)
            except Refusal as refusal:
                return refusal.response

    def _route(self, request: Request) -> Response:
        reads = request.method in ("GET", "HEAD")
        match [unquote(segment) for segment in request.path.split("/")[1:]]:
            case ["api", "whoami-v2"] if reads:
                return self._whoami(request)
            case ["api", "datasets" | "models" as kinds, namespace, name, *rest]:
                repository = self._open(kinds[:-1], f"{namespace}/{name}", request)
                match rest:
                    case [] if reads:
                        return _info(repository, _find(repository, "main"), request)
                    case ["revision", revision] if reads:
                        return _info(repository, _find(repository, revision), request)
                    case ["tree", revision, *path] if reads:
                        return self._tree(_find(repository, revision), "/".join(path).strip("/"), request)
                    case ["paths-info", revision] if request.method == "POST":
                        return _paths_info(_find(repository, revision), request)
            case ["datasets", namespace, name, "resolve", revision, *path] if reads and path:
                return self._resolve("dataset", f"{namespace}/{name}", revision, "/".join(path), request)
            case [namespace, name, "resolve", revision, *path] if reads and path:
                return self._resolve("model", f"{namespace}/{name}", revision, "/".join(path), request)
            case ["cdn", sha256] if reads:
                commits = [commit for one in self._repositories.values() for commit in one.commits.values()]
                stored = {blob.sha256: blob.data for commit in commits for blob in commit.files.values() if blob.lfs}
                if sha256 in stored:
                    return _bytes(stored[sha256], {"ETag": f'"{sha256}"'}, request)
        raise Refusal(404, "Sorry, we can't find the page you are looking for.")

    def _open(self, kind: str, repo_id: str, request: Request, *, wants_files: bool = False) -> Repository:
        repository = self._repositories.get((kind, repo_id))
        if repository is None:
            raise Refusal(404, "Repository not found", "RepoNotFound")
        needed = repository.token if wants_files or not repository.gated else None
        if needed is None or request.token == needed:
            return repository
        if request.token:
            raise Refusal(401, "Invalid credentials in Authorization header")
        if repository.gated:
            raise Refusal(401, f"Access to {kind} {repo_id} is restricted", "GatedRepo")
        raise Refusal(401, "Invalid username or password.", "RepoNotFound")

    def _whoami(self, request: Request) -> Response:
        known = {repository.token for repository in self._repositories.values()} - {None}
        if not request.token or (known and request.token not in known):
            raise Refusal(401, "Invalid credentials in Authorization header")
        access = {"type": "access_token", "accessToken": {"displayName": "test", "role": "read"}}
        who = {"type": "user", "id": "0" * 24, "name": "local", "fullname": "Local", "email": None, "isPro": False}
        return as_json({**who, "orgs": [], "auth": access})

    def _tree(self, commit: Commit, folder: str, request: Request) -> Response:
        cursor_sha, _, offset = request.query.get("cursor", [f"{commit.sha}:0"])[-1].partition(":")
        if cursor_sha != commit.sha:
            raise Refusal(400, "The cursor belongs to another commit")
        prefix = f"{folder}/" if folder else ""
        entries = [
            entry
            for entry in commit.entries()
            if entry["path"].startswith(prefix)
            and (request.flag("recursive") or "/" not in entry["path"][len(prefix) :])
        ]
        if folder and not entries:
            raise Refusal(404, f"{ascii(folder)} does not exist on {commit.sha}", "EntryNotFound")
        page, rest = entries[int(offset) :][: self.page_size], entries[int(offset) + self.page_size :]
        query = {key: values[-1] for key, values in request.query.items()}
        query["cursor"] = f"{commit.sha}:{int(offset) + self.page_size}"
        link = {"Link": f'<{self.url}{request.path}?{urlencode(query)}>; rel="next"'} if rest else {}
        return as_json(page if request.flag("expand") else [_bare(entry) for entry in page], link)

    def _resolve(self, kind: str, repo_id: str, revision: str, path: str, request: Request) -> Response:
        commit = _find(self._open(kind, repo_id, request, wants_files=True), revision)
        pinned = {"X-Repo-Commit": commit.sha}
        blob = commit.files.get(path)
        if blob is None:
            raise Refusal(404, "Entry not found", "EntryNotFound", pinned)
        etag = f'"{blob.sha256 if blob.lfs else blob.oid}"'
        if self.cdn and blob.lfs:
            linked = {"X-Linked-ETag": etag, "X-Linked-Size": str(len(blob.data))}
            elsewhere = f"http://localhost:{self._port}/cdn/{blob.sha256}"
            return Response(302, b"", {**pinned, **linked, "Location": elsewhere})
        disposition = f"inline; filename*=UTF-8''{quote(path.rpartition('/')[2])};"
        return _bytes(blob.data, {**pinned, "ETag": etag, "Content-Disposition": disposition}, request)


def _find(repository: Repository, revision: str) -> Commit:
    commit = repository.find(revision)
    if commit is None:
        raise Refusal(404, f"Invalid rev id: {ascii(revision)}", "RevisionNotFound")
    return commit


def _info(repository: Repository, commit: Commit, request: Request) -> Response:
    siblings: list[dict[str, Any]] = [{"rfilename": path} for path in commit.files]
    if request.flag("blobs"):
        for sibling, blob in zip(siblings, commit.files.values(), strict=True):
            sibling |= {"size": len(blob.data), "blobId": blob.oid}
            if blob.lfs:
                sibling["lfs"] = {"sha256": blob.sha256, "size": len(blob.data), "pointerSize": len(blob.pointer)}
    dates = [one.date for one in repository.commits.values()]
    protection = {"private": bool(repository.token) and not repository.gated, "gated": repository.gated and "manual"}
    about = {"_id": "0" * 24, "id": repository.id, "author": repository.id.partition("/")[0], "sha": commit.sha}
    counts = {"disabled": False, "downloads": 0, "likes": 0, "tags": [], "description": "", "cardData": None}
    return as_json(
        {**about, "lastModified": dates[-1], "createdAt": dates[0], **protection, **counts, "siblings": siblings}
    )


def _paths_info(commit: Commit, request: Request) -> Response:
    if request.headers.get("content-type", "").startswith("application/json"):
        asked = json.loads(request.body)
        paths, expand = asked["paths"], bool(asked.get("expand"))
    else:
        form = parse_qs(request.body.decode())
        paths, expand = form.get("paths", []), form.get("expand", [""])[-1].lower() in ("true", "1")
    wanted = {path.strip("/") for path in ([paths] if isinstance(paths, str) else paths)}
    found = [entry for entry in commit.entries() if entry["path"] in wanted]
    return as_json(found if expand else [_bare(entry) for entry in found])


def _bare(entry: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in entry.items() if key != "lastCommit"}


def _bytes(data: bytes, headers: Mapping[str, str], request: Request) -> Response:
    """The content, or the one range of it that was asked for; an unreadable range is ignored, as the standard says."""
    headers = {"Content-Type": "application/octet-stream", "Accept-Ranges": "bytes", **headers}
    asked = RANGE.fullmatch(request.headers.get("range", ""))
    if asked is None or asked.groups() == ("", "") or request.method == "HEAD":
        return Response(200, data, headers)
    first, last = asked.groups()
    start = int(first) if first else max(0, len(data) - int(last))
    end = min(int(last), len(data) - 1) if first and last else len(data) - 1
    if start > end:
        raise Refusal(416, "Range not satisfiable", headers={"Content-Range": f"bytes */{len(data)}"})
    return Response(206, data[start : end + 1], {**headers, "Content-Range": f"bytes {start}-{end}/{len(data)}"})


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128
    hub: Hub

    def __init__(self, *arguments: Any) -> None:
        self.connections: set[socket] = set()
        super().__init__(*arguments)

    def drop_connections(self) -> None:
        for connection in list(self.connections):
            with suppress(OSError):
                connection.shutdown(SHUT_RDWR)


class _Handler(BaseHTTPRequestHandler):
    """Turns the wire into a Request and a Response into the wire; HTTP/1.1, so connections are kept."""

    protocol_version = "HTTP/1.1"
    server_version = "test-hub"
    disable_nagle_algorithm = True
    wbufsize = -1
    server: _Server

    def setup(self) -> None:
        super().setup()
        self.server.connections.add(self.connection)

    def finish(self) -> None:
        self.server.connections.discard(self.connection)
        with suppress(OSError):
            super().finish()

    def _exchange(self) -> None:
        path, _, query = self.path.partition("?")
        headers = {name.lower(): value for name, value in self.headers.items()}
        body = self.rfile.read(int(headers.get("content-length", 0)))
        request = Request(self.command, path, parse_qs(query, keep_blank_values=True), headers, body)
        response = self.server.hub.answer(request)
        self.send_response(response.status)
        for name, value in {**response.headers, "Content-Length": str(len(response.body))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(response.body)
        self.wfile.flush()

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = _exchange

    def log_message(self, format: str, *arguments: Any) -> None:
        """Quiet: `Hub.requests` is the log."""
