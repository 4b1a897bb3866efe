"""Bodies and replies of the secrets service (platform-v2 section 5); no reply but ``access`` holds a value."""

from typing import Annotated, Self

from pydantic import BaseModel, Field, model_validator

from assay.platform.api import WireTime
from assay.platform.wire import LimitedName
from assay.secrets.models import Secret

LONGEST_VALUE = 1_048_576

Value = Annotated[str, Field(max_length=LONGEST_VALUE, json_schema_extra={"minLength": 1})]


class SecretCreate(BaseModel):
    name: LimitedName
    value: Value = Field(repr=False)
    description: str | None = None

    @model_validator(mode="after")
    def _has_a_value(self) -> Self:
        _refuse_empty(self.value)
        return self


class SecretUpdate(BaseModel):
    """What is absent stays as it is."""

    value: Value | None = Field(default=None, repr=False)
    description: str | None = None

    @model_validator(mode="after")
    def _has_a_value(self) -> Self:
        _refuse_empty(self.value)
        return self


def _refuse_empty(value: str | None) -> None:
    if value == "":
        raise ValueError("Secret value cannot be empty")


class SecretReply(BaseModel):
    name: str
    workspace: str
    description: str | None
    created_at: WireTime
    updated_at: WireTime

    @classmethod
    def of(cls, secret: Secret) -> "SecretReply":
        return cls(
            name=secret.name,
            workspace=secret.workspace.name,
            description=secret.description,
            created_at=secret.created_at,
            updated_at=secret.updated_at,
        )


class SecretAccess(BaseModel):
    name: str
    workspace: str
    value: str = Field(repr=False)


class Rotated(BaseModel):
    rotated_secrets: int
    success: bool
