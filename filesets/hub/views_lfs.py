"""Large files: what is to be sent and where, and the sending (contract, section 4.3)."""

from typing import Any, ClassVar

from django.conf import settings
from django.http import HttpResponseBase, StreamingHttpResponse
from django.urls import reverse
from rest_framework.request import Request
from rest_framework.response import Response

from assay.filesets import blobs, held, history
from assay.filesets.hub.access import HubEndpoint
from assay.filesets.hub.bodies import BatchBody, CompleteBody, DuplicateBody, ObjectBody
from assay.filesets.hub.lfs import Permit, complete, receive, receive_part
from assay.filesets.hub.names import Kind
from assay.filesets.hub.operations import SHA256
from assay.filesets.hub.reading import read_json
from assay.filesets.models import Blob, Fileset
from assay.filesets.ranges import Pieces, Span
from assay.filesets.upload import Upload
from assay.platform.api import django_request
from assay.platform.caller import Action, admit
from assay.platform.errors import BadRequest, Invalid, NotFound, Unavailable

LFS_JSON = "application/vnd.git-lfs+json"
BYTES = "application/octet-stream"


class Batch(HubEndpoint):
    needs: ClassVar = {"POST": Action.READ}

    def post(self, request: Request, kind: Kind, namespace: str, name: str) -> Response:
        fileset = self.repository(kind, namespace, name)
        body = read_json(request, BatchBody)
        if body.operation == "upload":
            admit(Action.WRITE, fileset.workspace.name)
        if body.hash_algo != "sha256":
            raise BadRequest("Objects are named by their SHA-256.")
        part_size = settings.HUB_LFS_PART_BYTES if "multipart" in (body.transfers or ()) else 0
        known = held_sizes(fileset, [entry["oid"] for entry in body.objects if _wrong(entry) is None])
        answer = _Answer(request, fileset, known, part_size)
        one = answer.upload if body.operation == "upload" else answer.download
        objects = [
            {"oid": entry.get("oid"), "size": entry.get("size"), "error": {"code": 422, "message": wrong}}
            if (wrong := _wrong(entry))
            else one(entry["oid"], entry["size"])
            for entry in body.objects
        ]
        transfer = "multipart" if part_size and body.operation == "upload" else "basic"
        return Response({"transfer": transfer, "objects": objects, "hash_algo": "sha256"}, content_type=LFS_JSON)


class _Answer:
    """The batch's answer, object by object."""

    def __init__(self, request: Request, fileset: Fileset, held: dict[str, int], part_size: int) -> None:
        self.request = request
        self.fileset = fileset
        self.held = held
        self.part_size = part_size

    def upload(self, oid: str, size: int) -> dict[str, Any]:
        answer: dict[str, Any] = {"oid": oid, "size": size}
        if oid in self.held:
            if self.held[oid] != size:
                answer["error"] = {"code": 422, "message": f"The object has {self.held[oid]} bytes."}
            return answer  # without actions: it is here already
        permit = Permit(self.fileset.pk, oid, size, self.part_size)
        token = permit.sign("upload")
        upload: dict[str, Any] = {"href": self._address("hub-lfs-upload", token, oid=oid)}
        if permit.parts:
            numbers = {f"{number:05d}": number for number in range(1, permit.parts + 1)}
            upload["header"] = {"chunk_size": str(permit.part_size)} | {
                key: self._address("hub-lfs-part", token, oid=oid, number=number) for key, number in numbers.items()
            }
        verify = {"href": self._address("hub-lfs-verify", token), "header": {}}
        return answer | {"actions": {"upload": upload, "verify": verify}}

    def download(self, oid: str, size: int) -> dict[str, Any]:
        answer: dict[str, Any] = {"oid": oid, "size": size}
        if self.held.get(oid) != size:
            return answer | {"error": {"code": 404, "message": "The object is not here."}}
        token = Permit(self.fileset.pk, oid, size).sign("download")
        return answer | {"actions": {"download": {"href": self._address("hub-lfs-object", token, oid=oid)}}}

    def _address(self, name: str, token: str, **parts: Any) -> str:
        path = reverse(name, kwargs=parts)
        return django_request(self.request).build_absolute_uri(f"{path}?token={token}")


class _Permitted(HubEndpoint):
    """Asks for no credential but the permit in its address."""

    authentication_classes = ()
    permission_classes = ()

    def permit(self, request: Request, operation: str, oid: str) -> Permit:
        permit = Permit.read(request.query_params.get("token", ""), operation)
        if permit.oid != oid:
            raise BadRequest("The address is that of another object.")
        return permit


class UploadObject(_Permitted):
    def put(self, request: Request, oid: str) -> Response:
        permit = self.permit(request, "upload", oid)
        receive(permit, Upload(django_request(request)))
        return Response({})

    def post(self, request: Request, oid: str) -> Response:
        """Make one object of the parts that were sent."""
        permit = self.permit(request, "upload", oid)
        body = read_json(request, CompleteBody)
        complete(permit, [part.number for part in body.parts])
        return Response({}, content_type=LFS_JSON)


class UploadPart(_Permitted):
    def put(self, request: Request, oid: str, number: str) -> Response:
        permit = self.permit(request, "upload", oid)
        etag = receive_part(permit, int(number), Upload(django_request(request)))
        return Response({}, headers={"ETag": f'"{etag}"'})


class Verify(_Permitted):
    def post(self, request: Request) -> Response:
        body = read_json(request, ObjectBody)
        permit = self.permit(request, "upload", body.oid)
        size = held_sizes(permit.target(), [body.oid]).get(body.oid)
        if size is None:
            raise NotFound("The object has not arrived.")
        if size != body.size:
            raise Invalid(f"The object has {size} bytes, not {body.size}.")
        return Response({}, content_type=LFS_JSON)


class DownloadObject(_Permitted):
    def get(self, request: Request, oid: str) -> HttpResponseBase:
        permit = self.permit(request, "download", oid)
        if oid not in held_sizes(permit.target(), [oid]):
            raise NotFound("The object is not here any more.")
        try:
            pieces = Pieces(blobs.place(oid), Span(0, permit.size))
        except FileNotFoundError:
            raise Unavailable("The content of the object is missing from this server's data folder.") from None
        return StreamingHttpResponse(pieces, headers={"Content-Type": BYTES, "Content-Length": str(permit.size)})


class Duplicate(HubEndpoint):
    def post(self, request: Request, kind: Kind, namespace: str, name: str) -> Response:
        """Let another repository have large files of this one, so that a commit there can name them."""
        source = self.repository(kind, namespace, name)
        body = read_json(request, DuplicateBody)
        target = self.repository_of(body.target.type, body.target.name)
        asked = [file.sha256 for file in body.files]
        known = held_sizes(source, [oid for oid in asked if SHA256.fullmatch(oid)])
        if known:
            history.hold(target, *(Blob(sha256=oid, size=size) for oid, size in known.items()))
        failed = [{"sha256": oid, "error": "There is no such file."} for oid in asked if oid not in known]
        return Response({"success": [{"sha256": oid} for oid in known], "failed": failed})


def held_sizes(fileset: Fileset, oids: list[str]) -> dict[str, int]:
    """Return the sizes of those objects that the fileset holds; what others hold is as if it were not here."""
    return {oid: content.size for oid, content in held.contents(fileset, oids).items()}


def _wrong(entry: dict[str, Any]) -> str | None:
    """Return what is wrong with an object of the batch, if anything is."""
    oid, size, limit = entry.get("oid"), entry.get("size"), settings.MAX_FILE_BYTES
    if not isinstance(oid, str) or not SHA256.fullmatch(oid):
        return "The oid is not a SHA-256."
    if isinstance(size, bool) or not isinstance(size, int) or size < 0:
        return "The size is not a number of bytes."
    if limit is not None and size > limit:
        return f"The file is larger than this server takes ({limit} bytes)."
    return None
