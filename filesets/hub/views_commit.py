"""Writing: what a client asks before it uploads, and the commit itself (contract, sections 4.1 and 4.2)."""

from rest_framework.request import Request
from rest_framework.response import Response

from assay.filesets import history
from assay.filesets.hub.access import HubEndpoint, author
from assay.filesets.hub.bodies import PreuploadBody
from assay.filesets.hub.names import Kind, repo_url
from assay.filesets.hub.operations import read_commit
from assay.filesets.hub.policy import upload_mode
from assay.filesets.hub.reading import read_flag, read_json
from assay.filesets.models import RefKind
from assay.filesets.upload import Upload
from assay.platform.api import django_request
from assay.platform.errors import BadRequest


class Preupload(HubEndpoint):
    def post(self, request: Request, kind: Kind, namespace: str, name: str, revision: str) -> Response:
        fileset = self.repository(kind, namespace, name)
        self.resolve(fileset, revision)
        agent = request.headers.get("User-Agent", "")
        # Never an oid: some clients skip a file that is there already and then trip over the commit they did not make.
        files = [
            {"path": file.path, "uploadMode": upload_mode(agent, file.path, file.size), "shouldIgnore": False}
            for file in read_json(request, PreuploadBody).files
        ]
        return Response({"files": files})


class MakeCommit(HubEndpoint):
    def post(self, request: Request, kind: Kind, namespace: str, name: str, revision: str) -> Response:
        fileset = self.repository(kind, namespace, name)
        if read_flag(request.query_params, "create_pr"):
            raise BadRequest("Pull requests are not available here; commit to a branch.")
        self.resolve(fileset, revision)  # gives the repository its first commit, if it has none yet
        branch = revision.removeprefix("refs/heads/")
        if not fileset.refs.filter(kind=RefKind.BRANCH, name=branch).exists():
            raise history.RevisionMissing(fileset, revision)
        asked = read_commit(fileset, Upload(django_request(request)))
        made = asked.make(branch, author(request))
        # A relative address: some clients refuse an absolute one on our host, others an empty one.
        url = f"{repo_url(fileset)}/commit/{made.oid}"
        return Response({"success": True, "commitOid": made.oid, "commitUrl": url, "hookOutput": ""})
