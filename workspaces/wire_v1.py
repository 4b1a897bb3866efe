"""Bodies and replies of v1 namespaces and projects (microservices-v1 sections 2 and 3.2)."""

from datetime import UTC
from typing import Any, Self

from pydantic import BaseModel

from assay.platform.api import WireTime
from assay.platform.v1 import Described, Ownership, V1Name
from assay.workspaces.models import Project, Workspace


class NamespaceCreate(Described):
    id: V1Name


class NamespaceReply(BaseModel):
    id: str
    created_at: WireTime
    updated_at: WireTime
    description: str | None
    project: str | None
    custom_fields: dict[str, Any]
    ownership: Ownership | None

    @classmethod
    def of(cls, workspace: Workspace) -> Self:
        return cls(
            id=workspace.name,
            created_at=workspace.created_at,
            updated_at=workspace.updated_at,
            description=workspace.description,
            project=workspace.project,
            custom_fields=workspace.custom_fields,
            ownership=workspace.ownership,
        )


class DataNamespaceCreate(BaseModel):
    namespace: V1Name


class DataNamespaceReply(BaseModel):
    namespace: str
    created_at: str
    updated_at: str

    @classmethod
    def of(cls, workspace: Workspace) -> Self:
        """The data store writes whole seconds and a ``Z``, unlike everything else of v1."""
        made, changed = (
            moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
            for moment in (workspace.created_at, workspace.updated_at)
        )
        return cls(namespace=workspace.name, created_at=made, updated_at=changed)


class DataNamespaceList(BaseModel):
    namespaces: list[DataNamespaceReply]


class ProjectReplyV1(BaseModel):
    id: str
    name: str
    namespace: str
    created_at: WireTime
    updated_at: WireTime
    description: str | None
    custom_fields: dict[str, Any]
    ownership: Ownership | None

    @classmethod
    def of(cls, project: Project) -> Self:
        return cls(
            id=project.uid,
            name=project.name,
            namespace=project.workspace.name,
            created_at=project.created_at,
            updated_at=project.updated_at,
            description=project.description,
            custom_fields=project.custom_fields,
            ownership=project.ownership,
        )
