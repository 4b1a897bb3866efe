"""Bodies and replies of v1 datasets (microservices-v1 section 3.1)."""

from typing import Annotated, Any, Self

from pydantic import BaseModel, Field

from assay.filesets.datasets import entry_of
from assay.filesets.models import Fileset
from assay.platform.api import WireTime
from assay.platform.v1 import Described, Named, Ownership
from assay.platform.wire import NUMBER

FilesUrl = Annotated[str, Field(min_length=1, max_length=2048)]
Limit = Annotated[int, Field(ge=1, lt=2**31), NUMBER]


class DatasetFields(Described):
    """What is absent of a change stays as it is."""

    format: Annotated[str, Field(max_length=255)] | None = None
    """The record schema (squad, beir, ragas …), or a file type."""
    hf_endpoint: Annotated[str, Field(max_length=2048)] | None = None
    split: Annotated[str, Field(max_length=255)] | None = None
    limit: Limit | None = None


class DatasetCreate(DatasetFields, Named):
    files_url: FilesUrl
    """Kept as it is; whether there is anything is seen when a job reads it."""


class DatasetUpdate(DatasetFields):
    files_url: FilesUrl = ""


class DatasetReply(BaseModel):
    created_at: WireTime
    updated_at: WireTime
    name: str
    namespace: str
    description: str | None
    format: str | None
    files_url: str
    hf_endpoint: str | None
    split: str | None
    limit: int | None
    id: str
    project: str | None
    custom_fields: dict[str, Any]
    ownership: Ownership | None

    @classmethod
    def of(cls, fileset: Fileset) -> Self:
        entry = entry_of(fileset)
        return cls(
            created_at=entry.created_at,
            updated_at=max(entry.updated_at, fileset.updated_at),
            name=fileset.name,
            namespace=fileset.workspace.name,
            description=fileset.description or None,
            format=entry.format,
            files_url=entry.files_url,
            hf_endpoint=entry.hf_endpoint,
            split=entry.split,
            limit=entry.limit,
            id=entry.uid,
            project=fileset.project or None,
            custom_fields=fileset.custom_fields,
            ownership=entry.ownership,
        )
