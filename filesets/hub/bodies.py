"""The bodies that the Hub's clients send."""

from typing import Any, Literal

from pydantic import BaseModel, Field, StrictStr

from assay.filesets.hub.names import Kind
from assay.platform.errors import BadRequest


class RepoBody(BaseModel):
    """Which repository; without an organization it is the caller's own."""

    name: StrictStr
    organization: StrictStr | None = None
    type: Kind | None = None

    @property
    def kind(self) -> Kind:
        return self.type or "model"


class CreateBody(RepoBody):
    private: bool | None = None
    visibility: str | None = None

    @property
    def is_private(self) -> bool:
        return read_visibility(self.private, self.visibility) or False


class MoveBody(BaseModel):
    from_repo: StrictStr = Field(alias="fromRepo")
    to_repo: StrictStr = Field(alias="toRepo")
    type: Kind | None = None

    @property
    def kind(self) -> Kind:
        return self.type or "model"


class SettingsBody(BaseModel):
    private: bool | None = None
    visibility: str | None = None
    gated: Literal["auto", "manual", False] | None = None


class BranchBody(BaseModel):
    starting_point: StrictStr | None = Field(None, alias="startingPoint")


class TagBody(BaseModel):
    tag: StrictStr
    message: StrictStr | None = None


class SquashBody(BaseModel):
    message: StrictStr | None = None


class AnnouncedFile(BaseModel):
    path: StrictStr
    size: int = Field(0, ge=0)


class PreuploadBody(BaseModel):
    files: list[AnnouncedFile]


class PathsBody(BaseModel):
    paths: list[StrictStr] = []
    expand: bool = False


class BatchBody(BaseModel):
    operation: Literal["upload", "download"]
    transfers: list[str] | None = None
    objects: list[dict[str, Any]]
    hash_algo: str = "sha256"


class ObjectBody(BaseModel):
    oid: StrictStr
    size: int = Field(ge=0)


class Part(BaseModel):
    number: int = Field(alias="partNumber", ge=1)
    etag: StrictStr


class CompleteBody(BaseModel):
    oid: StrictStr
    parts: list[Part]


class Target(BaseModel):
    type: Kind
    name: StrictStr


class DuplicatedFile(BaseModel):
    sha256: StrictStr


class DuplicateBody(BaseModel):
    target: Target
    files: list[DuplicatedFile]


def read_visibility(private: bool | None, visibility: str | None) -> bool | None:
    """Return whether the repository is to be private, in the old words or the new; None where nothing is said."""
    if visibility is None:
        return private
    if visibility not in {"public", "private"}:
        raise BadRequest(f"Visibility is public or private, not '{visibility[:100]}'.")
    return visibility == "private"
