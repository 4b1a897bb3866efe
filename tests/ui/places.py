"""Every page by name, for what is done to all of them: tests of what holds everywhere, and pictures."""

from collections.abc import Callable

from tests.ui.seeds import Site

Place = Callable[[Site], str]


def of_job(site: Site, name: str, part: str = "") -> str:
    return f"/admin/evaluations/{site.workspace}/{name}/{part}"


PLACES: dict[str, Place] = {
    "home": lambda site: "/admin/",
    "evaluations": lambda site: "/admin/evaluations/",
    "new": lambda site: f"/admin/evaluations/new/?fileset={site.workspace}/{site.fileset}&file={site.file}",
    "clone": lambda site: f"/admin/evaluations/new/?from={site.workspace}/{site.strict}",
    "job": lambda site: of_job(site, site.strict),
    "job-failed": lambda site: of_job(site, site.failed),
    "results": lambda site: of_job(site, site.strict, "results/"),
    "rows": lambda site: of_job(site, site.strict, "rows/"),
    "row": lambda site: of_job(site, site.strict, "rows/3/"),
    "people": lambda site: of_job(site, site.strict, "people/"),
    "compare-choice": lambda site: "/admin/compare/",
    "compare": lambda site: f"/admin/compare/?workspace={site.workspace}&job={site.strict}&job={site.kind}",
    "filesets": lambda site: "/admin/filesets/",
    "fileset": lambda site: f"/admin/filesets/{site.workspace}/{site.fileset}/",
    "fileset-preview": lambda site: f"/admin/filesets/{site.workspace}/{site.fileset}/preview/?file={site.file}",
    "fileset-new": lambda site: "/admin/filesets/new/",
    "fileset-from-hub": lambda site: "/admin/filesets/new/?from=hub",
    "fileset-history": lambda site: f"/admin/filesets/{site.workspace}/{site.fileset}/history/",
    "fileset-delete": lambda site: f"/admin/filesets/{site.workspace}/{site.fileset}/delete/",
    "secret-new": lambda site: "/admin/secrets/new/",
    "secret": lambda site: f"/admin/secrets/{site.workspace}/judge-key/",
    "workspace": lambda site: f"/admin/workspaces/{site.workspace}/",
    "workspace-delete": lambda site: f"/admin/workspaces/{site.workspace}/delete/",
    "job-delete": lambda site: of_job(site, site.strict, "delete/"),
    "secrets": lambda site: "/admin/secrets/",
    "workspaces": lambda site: "/admin/workspaces/",
    "tokens": lambda site: "/admin/tokens/",
    "accounts": lambda site: "/admin/people/",
    "audit": lambda site: "/admin/audit/",
    "account": lambda site: f"/admin/people/{site.person}/",
}
"""Our own pages."""
SIGNED_IN = {
    "team-tokens": "/admin/tokens/",
    "team-audit": "/admin/audit/",
    "team-account": "/admin/people/ann/",
    "team-workspace": "/admin/workspaces/default/",
    "team-password": "/admin/tables/password_change/",
}
"""Pages that show more where sign-in is on: what is there for its administrator."""
TABLES: dict[str, Place] = {
    "tables": lambda site: "/admin/tables/",
    "table-of-jobs": lambda site: "/admin/tables/jobs/job/",
    "table-of-rows": lambda site: "/admin/tables/jobs/rowscore/",
    "users": lambda site: "/admin/tables/auth/user/",
    "user": lambda site: "/admin/tables/auth/user/1/change/",
    "terms": lambda site: "/admin/tables/jobs/terms/add/",
    "api": lambda site: "/docs",
}
"""The theme's pages, and the API's."""
