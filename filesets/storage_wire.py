"""The storage of a fileset as clients write it: one of five kinds, of which two are served (platform-v2 section 6)."""

from collections.abc import Callable
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, Field, StringConstraints, model_validator

from assay.filesets.models import Fileset, Storage
from assay.platform.wire import NUMBER

HUB = "https://huggingface.co"
WRITE_BUFFER_SIZE = 16_777_216
LONGEST = 1024

SecretReference = Annotated[str, StringConstraints(pattern=r"^[a-z0-9_-]+(/[a-z0-9_-]+)?$", max_length=127)]


def _storable(text: str) -> str:
    if any(character < " " for character in text):
        raise ValueError("control characters are not allowed")
    return text


Text = Annotated[
    str,
    Field(max_length=LONGEST, json_schema_extra={"pattern": r"^[^\u0000-\u001f]*$"}),
    AfterValidator(_storable),
]


class StorageConfig(BaseModel):
    read_chunk_size: Annotated[int, NUMBER] = Field(1_048_576, ge=1, le=2**40)


class LocalStorageConfig(StorageConfig):
    """Our own store: what a fileset gets that names no storage. Users do not choose where on the server."""

    type: Literal["local"] = "local"
    path: Text
    write_buffer_size: Annotated[int, NUMBER] = WRITE_BUFFER_SIZE


class NGCStorageConfig(StorageConfig):
    type: Literal["ngc"] = "ngc"
    org: Text
    team: Text
    target: Text
    api_key_secret: SecretReference
    target_type: Literal["resource", "model"] = "resource"
    version: Text | None = None
    host: Text | None = None


class HuggingfaceStorageConfig(StorageConfig):
    type: Literal["huggingface"] = "huggingface"
    repo_id: Text
    repo_type: Literal["model", "dataset", "space"] = "model"
    revision: Annotated[Text, Field(min_length=1, max_length=255)] = "main"
    original_revision: Text | None = None
    token_secret: SecretReference | None = None
    endpoint: Text = HUB


class S3StorageConfig(StorageConfig):
    type: Literal["s3"] = "s3"
    bucket: Text
    prefix: Text = ""
    region: Text | None = None
    endpoint_url: Text | None = None
    use_sdk_auth: bool = Field(False, strict=True)
    access_key_id_secret: SecretReference | None = None
    secret_access_key_secret: SecretReference | None = None
    signature_version: Literal["s3v4", "s3"] = "s3v4"

    @model_validator(mode="after")
    def validate_auth_config(self) -> Self:
        """Take any; the name stands in the place of a mistake, as clients know it."""
        return self


class GithubStorageConfig(StorageConfig):
    type: Literal["github"] = "github"
    owner: Text
    repo: Text
    revision: Text = "HEAD"
    path: Text = ""
    token_secret: SecretReference | None = None
    api_base_url: Text | None = None


AnyStorageConfig = (
    LocalStorageConfig | NGCStorageConfig | HuggingfaceStorageConfig | S3StorageConfig | GithubStorageConfig
)


def storage_json(fileset: Fileset) -> dict[str, Any]:
    """Return the storage as replies show it."""
    return SHOWN[Storage(fileset.storage_type)](fileset).model_dump(mode="json")


def _local(fileset: Fileset) -> StorageConfig:
    # Not where it is on this machine, which is nobody's business.
    return LocalStorageConfig(path=f"filesets/{fileset}")


def _huggingface(fileset: Fileset) -> StorageConfig:
    pinned = {"revision": fileset.revision, "original_revision": fileset.original_revision}
    return HuggingfaceStorageConfig.model_validate(fileset.storage | pinned)


SHOWN: dict[Storage, Callable[[Fileset], StorageConfig]] = {Storage.LOCAL: _local, Storage.HUGGINGFACE: _huggingface}
