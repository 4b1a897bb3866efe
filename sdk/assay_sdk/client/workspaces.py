"""Workspaces, their members and their projects."""

from collections.abc import Mapping, Sequence

from assay_sdk.client.call import Call, Paged, fields, filter_text, many, nothing, one, path
from assay_sdk.client.transport import AsyncTransport, Transport
from assay_sdk.client.twins import AsyncResource, Awaits, Lists, ListsAsync, Resource, Sends
from assay_sdk.client.values import Member, Project, Workspace

ROOT = ("apis", "entities", "v2", "workspaces")


class WorkspaceCalls:
    """Requests about workspaces."""

    def create(self, name: str, *, description: str | None = None) -> Call[Workspace]:
        """Make a workspace. Raises ``ConflictError`` if the name is taken."""
        return Call("POST", path(*ROOT), one(Workspace), json=fields(name=name, description=description))

    def retrieve(self, name: str) -> Call[Workspace]:
        """Return a workspace. Raises ``NotFoundError``."""
        return Call("GET", path(*ROOT, name), one(Workspace))

    def update(self, name: str, *, description: str) -> Call[Workspace]:
        """Change a workspace's description."""
        return Call("PUT", path(*ROOT, name), one(Workspace), json={"description": description})

    def delete(self, name: str, *, cascade: bool = False) -> Call[None]:
        """Delete a workspace.

        Raises ``ConflictError`` while it holds anything; with ``cascade`` what it holds goes first.
        """
        return Call("DELETE", path(*ROOT, name), nothing, {"cascade": cascade or None})

    def list(self, *, filter: Mapping[str, object] | None = None, sort: str | None = None) -> Paged[Workspace]:
        """Iterate over all workspaces, newest first; ``filter`` as in ``{"name": {"$like": "demo"}}``."""
        return Paged(path(*ROOT), Workspace.model_validate, {"filter": filter_text(filter), "sort": sort})


class MemberCalls:
    """Requests about the members of a workspace."""

    def __init__(self, workspace: str) -> None:
        self.workspace = workspace

    def _path(self, workspace: str | None, *more: str) -> str:
        return path(*ROOT, workspace or self.workspace, "members", *more)

    def list(self, *, workspace: str | None = None) -> Call[tuple[Member, ...]]:
        """Return the members of a workspace."""
        return Call("GET", self._path(workspace), many(Member))

    def create(
        self, principal: str, *, roles: Sequence[str] = ("Editor",), workspace: str | None = None
    ) -> Call[Member]:
        """Give somebody roles in a workspace, in place of those they had."""
        body = {"principal": principal, "roles": [*roles]}
        return Call("POST", self._path(workspace), one(Member), json=body, harmless=True)

    def update(self, principal: str, *, roles: Sequence[str], workspace: str | None = None) -> Call[Member]:
        """Change somebody's roles."""
        return Call("PUT", self._path(workspace, principal), one(Member), json={"roles": [*roles]})

    def delete(self, principal: str, *, workspace: str | None = None) -> Call[None]:
        """Take somebody out of a workspace."""
        return Call("DELETE", self._path(workspace, principal), nothing)


class ProjectCalls:
    """Requests about projects."""

    def __init__(self, workspace: str) -> None:
        self.workspace = workspace

    def _path(self, workspace: str | None, *more: str) -> str:
        return path(*ROOT, workspace or self.workspace, "projects", *more)

    def create(self, name: str, *, description: str | None = None, workspace: str | None = None) -> Call[Project]:
        """Make a project. Raises ``ConflictError`` if the name is taken."""
        return Call("POST", self._path(workspace), one(Project), json=fields(name=name, description=description))

    def retrieve(self, name: str, *, workspace: str | None = None) -> Call[Project]:
        """Return a project. Raises ``NotFoundError``."""
        return Call("GET", self._path(workspace, name), one(Project))

    def update(self, name: str, *, description: str, workspace: str | None = None) -> Call[Project]:
        """Change a project's description."""
        return Call("PUT", self._path(workspace, name), one(Project), json={"description": description})

    def delete(self, name: str, *, workspace: str | None = None) -> Call[None]:
        """Delete a project; what was labelled with it stays."""
        return Call("DELETE", self._path(workspace, name), nothing)

    def list(self, *, workspace: str | None = None, filter: Mapping[str, object] | None = None) -> Paged[Project]:
        """Iterate over the projects of a workspace, newest first."""
        return Paged(self._path(workspace), Project.model_validate, {"filter": filter_text(filter)})


class Members(Resource[MemberCalls]):
    """Who may do what in a workspace."""

    list = Sends(MemberCalls.list)
    create = Sends(MemberCalls.create)
    update = Sends(MemberCalls.update)
    delete = Sends(MemberCalls.delete)


class AsyncMembers(AsyncResource[MemberCalls]):
    """Who may do what in a workspace."""

    list = Awaits(MemberCalls.list)
    create = Awaits(MemberCalls.create)
    update = Awaits(MemberCalls.update)
    delete = Awaits(MemberCalls.delete)


class Projects(Resource[ProjectCalls]):
    """Labels that group what a workspace holds."""

    create = Sends(ProjectCalls.create)
    retrieve = Sends(ProjectCalls.retrieve)
    update = Sends(ProjectCalls.update)
    delete = Sends(ProjectCalls.delete)
    list = Lists(ProjectCalls.list)


class AsyncProjects(AsyncResource[ProjectCalls]):
    """Labels that group what a workspace holds."""

    create = Awaits(ProjectCalls.create)
    retrieve = Awaits(ProjectCalls.retrieve)
    update = Awaits(ProjectCalls.update)
    delete = Awaits(ProjectCalls.delete)
    list = ListsAsync(ProjectCalls.list)


class Workspaces(Resource[WorkspaceCalls]):
    """The rooms that hold everything else."""

    def __init__(self, workspace: str, transport: Transport) -> None:
        super().__init__(WorkspaceCalls(), transport)
        self.members = Members(MemberCalls(workspace), transport)
        self.projects = Projects(ProjectCalls(workspace), transport)

    create = Sends(WorkspaceCalls.create)
    retrieve = Sends(WorkspaceCalls.retrieve)
    update = Sends(WorkspaceCalls.update)
    delete = Sends(WorkspaceCalls.delete)
    list = Lists(WorkspaceCalls.list)


class AsyncWorkspaces(AsyncResource[WorkspaceCalls]):
    """The rooms that hold everything else."""

    def __init__(self, workspace: str, transport: AsyncTransport) -> None:
        super().__init__(WorkspaceCalls(), transport)
        self.members = AsyncMembers(MemberCalls(workspace), transport)
        self.projects = AsyncProjects(ProjectCalls(workspace), transport)

    create = Awaits(WorkspaceCalls.create)
    retrieve = Awaits(WorkspaceCalls.retrieve)
    update = Awaits(WorkspaceCalls.update)
    delete = Awaits(WorkspaceCalls.delete)
    list = ListsAsync(WorkspaceCalls.list)
