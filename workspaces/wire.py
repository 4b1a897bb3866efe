"""Bodies and replies of the entities service (platform-v2 section 4)."""

from typing import Annotated

from pydantic import BaseModel, Field

from assay.platform.api import WireTime, wire_time
from assay.platform.caller import Role
from assay.platform.wire import Name
from assay.workspaces.models import Member, Project, Workspace

LONGEST_PRINCIPAL = 255
Principal = Annotated[str, Field(min_length=1, max_length=LONGEST_PRINCIPAL)]


class WorkspaceCreate(BaseModel):
    name: Name
    description: str | None = None


class DescriptionUpdate(BaseModel):
    """A null or absent description stays as it is."""

    description: str | None = None


class CreateOptions(BaseModel):
    wait_role_propagation: bool = True
    """Taken for the clients' sake; roles hold at once here."""


class WorkspaceReply(BaseModel):
    id: str
    name: str
    description: str | None
    created_at: WireTime
    created_by: str | None
    updated_at: WireTime
    updated_by: str | None

    @classmethod
    def of(cls, workspace: Workspace) -> "WorkspaceReply":
        return cls(
            id=workspace.uid,
            name=workspace.name,
            description=workspace.description,
            created_at=workspace.created_at,
            created_by=workspace.created_by,
            updated_at=workspace.updated_at,
            updated_by=workspace.updated_by,
        )


class Deleted(BaseModel):
    message: str
    id: str


class MemberUpsert(BaseModel):
    principal: Principal
    roles: list[Role] = Field(default=[Role.EDITOR])


class RolesUpdate(BaseModel):
    roles: list[Role]


class MemberReply(BaseModel):
    principal: str
    roles: list[str]
    granted_at: str
    """The only time on the wire that ends in ``Z``."""
    granted_by: str

    @classmethod
    def of(cls, member: Member) -> "MemberReply":
        return cls(
            principal=member.principal,
            roles=member.roles,
            granted_at=wire_time(member.granted_at) + "Z",
            granted_by=member.granted_by,
        )


class MemberList(BaseModel):
    data: list[MemberReply]


class ProjectCreate(BaseModel):
    name: Name
    description: str | None = None


class ProjectReply(BaseModel):
    id: str
    name: str
    workspace: str
    description: str | None
    created_at: WireTime
    updated_at: WireTime

    @classmethod
    def of(cls, project: Project) -> "ProjectReply":
        return cls(
            id=project.uid,
            name=project.name,
            workspace=project.workspace.name,
            description=project.description,
            created_at=project.created_at,
            updated_at=project.updated_at,
        )
