"""The addresses of the Hub's API, in the contract's order.

The server has decoded an address before it gets here, so a revision may hold slashes: where a path follows one, both
come as ``rest`` and ``access.split`` tells them apart.
"""

from django.urls import re_path
from django.urls.resolvers import URLPattern
from rest_framework.views import APIView

from assay.filesets.hub import (
    views_commit,
    views_files,
    views_identity,
    views_info,
    views_lfs,
    views_refs,
    views_repos,
    views_tree,
)

NAME = r"(?P<name>[^/]+)"
REPO = rf"(?P<namespace>[^/]+)/{NAME}"
REVISION = r"(?P<revision>[\s\S]+)"
REST = r"(?P<rest>[\s\S]+)"
OID = r"(?P<oid>[0-9a-f]{64})"
OWN = {"namespace": ""}
"""Where an address leaves out the namespace, it is the caller's own."""

Views = dict[str, type[APIView]]
BELOW_API: Views = {
    "": views_info.Info,
    f"/revision/{REVISION}": views_info.Info,
    "/settings": views_repos.Settings,
    "/auth-check(?:/write)?": views_identity.AuthCheck,
    "/refs": views_refs.Refs,
    f"/branch/{REVISION}": views_refs.Branch,
    f"/tag/{REVISION}": views_refs.Tag,
    f"/commits/{REVISION}": views_refs.Commits,
    f"/super-squash/{REVISION}": views_refs.Squash,
    f"/preupload/{REVISION}": views_commit.Preupload,
    f"/commit/{REVISION}": views_commit.MakeCommit,
    f"/xet-(?:write|read)-token/{REVISION}": views_identity.NoXet,
    "/lfs-files/duplicate": views_lfs.Duplicate,
    f"/tree/{REST}": views_tree.TreeOf,
    f"/paths-info/{REVISION}": views_tree.PathsInfo,
}
ON_THE_WEB: Views = {
    r"\.git/info/lfs/objects/batch": views_lfs.Batch,
    f"/resolve/{REST}": views_files.Resolve,
    f"/raw/{REST}": views_files.Raw,
}


def at(pattern: str, view: type[APIView], name: str | None = None) -> URLPattern:
    return re_path(rf"^{pattern}\Z", view.as_view(), name=name)


def each(before: str, views: Views, **fixed: str) -> list[URLPattern]:
    return [re_path(rf"^{before}{after}\Z", view.as_view(), fixed) for after, view in views.items()]


urlpatterns = [
    at("api/repos/create", views_repos.Create),
    at("api/repos/delete", views_repos.Delete),
    at("api/repos/move", views_repos.Move),
    at("api/whoami-v2", views_identity.WhoAmI),
    at("api/validate-yaml", views_identity.ValidateYaml),
    at("api/(?P<kind>dataset|model)s", views_info.Repos),
    *each(f"api/(?P<kind>dataset|model)s/{REPO}", BELOW_API),
    *each(f"api/(?P<kind>dataset|model)s/{NAME}", BELOW_API, **OWN),
    at(f"lfs/upload/{OID}", views_lfs.UploadObject, "hub-lfs-upload"),
    at(f"lfs/upload/{OID}/(?P<number>[0-9]{{1,9}})", views_lfs.UploadPart, "hub-lfs-part"),
    at("lfs/verify", views_lfs.Verify, "hub-lfs-verify"),
    at(f"lfs/objects/{OID}", views_lfs.DownloadObject, "hub-lfs-object"),
    # A model's address has no word for it, so that it fits almost anything and comes last.
    *each(f"datasets/{REPO}", ON_THE_WEB, kind="dataset"),
    *each(f"datasets/{NAME}", ON_THE_WEB, kind="dataset", **OWN),
    *each(REPO, ON_THE_WEB, kind="model"),
    *each(NAME, ON_THE_WEB, kind="model", **OWN),
    at(r"[\s\S]*", views_identity.Unknown),
]
