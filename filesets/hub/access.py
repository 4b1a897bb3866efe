"""What every view of the Hub's API shares: who calls, the shape of a refusal, and the repository that is meant.

Who may do what is decided here and nowhere else below ``/v1/hf``.
"""

from collections.abc import Callable
from typing import Any

from django.conf import settings
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from assay.filesets import history
from assay.filesets.hub.errors import RepoMissing, envelope
from assay.filesets.hub.names import Kind
from assay.filesets.models import Commit, Fileset, Purpose, Ref, Storage
from assay.filesets.upload import drain
from assay.platform.api import django_request
from assay.platform.auth import principal
from assay.platform.caller import Action
from assay.workspaces.lookup import need
from assay.workspaces.models import DEFAULT


class HubEndpoint(APIView):
    """One address of the Hub's API. Its caller is found as on the rest of the platform.

    It is none of the platform's own endpoints: other people have described it, so ``/openapi.json`` leaves it out.
    """

    schema = None
    asked: Action | None = None
    """What the request needs, of every repository that it names."""
    commit: Commit | None = None
    """What the request's revision was resolved to, once it was."""

    def get_exception_handler(self) -> Callable[[Exception, dict[str, Any]], Response]:
        return envelope

    def handle_exception(self, exc: Exception) -> Response:
        drain(django_request(self.request))
        return super().handle_exception(exc)

    def repository(self, kind: Kind, namespace: str | None, name: str) -> Fileset:
        """Return the repository's fileset; raises ``RepoMissing``, also for one whose files are on another hub."""
        namespace = namespace or own_namespace(self.request)
        fileset = None
        if "\x00" not in namespace + name:
            found = Fileset.objects.select_related("workspace").filter(workspace__name=namespace, name=name)
            found = found.filter(storage_type=Storage.LOCAL)
            fileset = (found.filter if kind == "model" else found.exclude)(purpose=Purpose.MODEL).first()
        if fileset is None:
            raise RepoMissing(kind, f"{namespace}/{name}")
        if self.asked is not None:
            need(self.asked, fileset.workspace)
        return fileset

    def repository_of(self, kind: Kind, repo_id: str) -> Fileset:
        return self.repository(kind, *self.parts(repo_id))

    def parts(self, repo_id: str) -> tuple[str, str]:
        """Return namespace and name of an id; without a namespace it is the caller's own."""
        namespace, slash, name = repo_id.partition("/")
        return (namespace, name) if slash else (own_namespace(self.request), repo_id)

    def resolve(self, fileset: Fileset, revision: str) -> Commit:
        """Return the commit that ``revision`` names; raises ``RevisionMissing``."""
        self.commit = history.resolve(fileset, revision)
        return self.commit


def author(request: Request) -> str:
    """Return the name under which the caller's commits are kept."""
    return principal(request) or "local"


def own_namespace(request: Request) -> str:
    """Return where the caller's repositories are that come without a namespace."""
    return author(request) if settings.AUTH or token(request) else DEFAULT


def token(request: Request) -> str:
    """Return what stands in ``Authorization``, without the word before it; empty for an anonymous caller."""
    return request.headers.get("Authorization", "").partition(" ")[2].strip()


def split(fileset: Fileset, rest: str) -> tuple[str, str]:
    """Return the revision and the path that the rest of an address is made of.

    The server has decoded it, so the slashes of a revision look like those of the path: the longest known name wins.
    """
    for prefix in ("refs/heads/", "refs/tags/"):
        if rest.startswith(prefix):
            name, path = _longest_name(fileset, rest.removeprefix(prefix))
            return prefix + name, path
    if rest.startswith("refs/"):  # refs/pr/1 and refs/convert/parquet: known to nobody here, but revisions
        kind, _, more = rest.removeprefix("refs/").partition("/")
        name, _, path = more.partition("/")
        return f"refs/{kind}/{name}", path
    return _longest_name(fileset, rest)


def _longest_name(fileset: Fileset, rest: str) -> tuple[str, str]:
    slashed = Ref.objects.filter(fileset=fileset, name__contains="/").values_list("name", flat=True)
    known = [name for name in slashed if rest == name or rest.startswith(f"{name}/")]
    name = max(known, key=len, default=rest.partition("/")[0])
    return name, rest[len(name) + 1 :]
