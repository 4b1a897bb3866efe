"""Bodies and replies of the files service (platform-v2 section 6)."""

from typing import Annotated, Any, Self

from pydantic import BaseModel, Field

from assay.filesets.models import Fileset, Purpose
from assay.filesets.storage import StoredFile
from assay.filesets.storage_wire import AnyStorageConfig, storage_json
from assay.platform.api import WireTime
from assay.platform.wire import LimitedName

LONGEST_DESCRIPTION = 255


class DatasetMetadata(BaseModel):
    """What is known of a dataset's rows: a JSON schema, or the name of one in ``schema_defs``."""

    schema_: dict[str, Any] | str | None = Field(None, alias="schema")
    schema_defs: dict[str, Any] = {}
    schemas_by_path: dict[str, Any] = {}


class Metadata(BaseModel):
    dataset: DatasetMetadata | None = None
    model: dict[str, Any] | None = None
    environment: dict[str, Any] | None = None

    def stored(self) -> dict[str, Any]:
        """Return what is there; lists show no more than this."""
        found = self.model_dump(by_alias=True)
        return {key: value for key, value in found.items() if value is not None}


Description = Annotated[str, Field(max_length=LONGEST_DESCRIPTION)]
ProjectName = Annotated[str, Field(max_length=63)]


class FilesetCreate(BaseModel):
    name: LimitedName
    description: Description | None = None
    project: ProjectName | None = None
    storage: AnyStorageConfig | None = None
    purpose: Purpose = Purpose.GENERIC
    metadata: Metadata | None = None
    custom_fields: dict[str, Any] | None = None
    cache: bool | None = Field(None, strict=True)
    """Taken and not needed: what is read of a hub is always kept."""


class FilesetUpdate(BaseModel):
    """What is absent stays as it is."""

    description: Description | None = None
    project: ProjectName | None = None
    purpose: Purpose | None = None
    metadata: Metadata | None = None
    custom_fields: dict[str, Any] | None = None


class FilesetReply(BaseModel):
    id: str
    name: str
    workspace: str
    description: str
    purpose: str
    storage: dict[str, Any]
    metadata: dict[str, Any]
    custom_fields: dict[str, Any]
    project: str
    created_at: WireTime
    updated_at: WireTime

    @classmethod
    def of(cls, fileset: Fileset) -> Self:
        return cls(
            id=fileset.uid,
            name=fileset.name,
            workspace=fileset.workspace.name,
            description=fileset.description,
            purpose=fileset.purpose,
            storage=storage_json(fileset),
            metadata={"dataset": None, "model": None, "environment": None, **fileset.metadata},
            custom_fields=fileset.custom_fields,
            project=fileset.project,
            created_at=fileset.created_at,
            updated_at=fileset.updated_at,
        )


class FileReply(BaseModel):
    file_ref: str
    file_url: str
    path: str
    size: int
    cache_status: str | None

    @classmethod
    def of(cls, fileset: Fileset, file: StoredFile, cache_status: str | None = None) -> Self:
        return cls(
            file_ref=f"{fileset}#{file.path}",
            file_url=f"/apis/files/v2/workspaces/{fileset.workspace.name}/filesets/{fileset.name}/-/{file.path}",
            path=file.path,
            size=file.size,
            cache_status=cache_status,
        )


class FileList(BaseModel):
    data: list[FileReply]
