"""A model to be asked, and how to ask it, as they travel on the wire."""

import operator
import re
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator, model_validator

SecretRef = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]+(/[A-Za-z0-9_-]+)?$")]


def _reachable(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("must be an absolute http:// or https:// address")
    if parts.username or parts.password:
        raise ValueError("must not hold credentials: store them as a secret and name it in api_key_secret")
    return url


Address = Annotated[str, AfterValidator(_reachable)]

_AUTH_HEADER = re.compile(r"auth|api[-_]?key|token|secret|cookie|credential", re.IGNORECASE)


class Spec(BaseModel):
    """The ground of all definitions: an unknown key is a mistake, and is told of."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)


class InferenceParams(BaseModel):
    """Request parameters. Any further key is sent as it is; `extra_body`, `extra_headers`, `extra_query` and `timeout`
    (seconds) have the meaning they have in the usual Python clients."""

    model_config = ConfigDict(extra="allow")

    temperature: float | None = Field(default=None, ge=0, le=2)
    top_p: float | None = Field(default=None, ge=0, le=1)
    max_tokens: int | None = Field(default=None, ge=1)
    max_completion_tokens: int | None = Field(default=None, ge=1)
    stop: list[str] | None = None

    @model_validator(mode="after")
    def _one_token_limit(self) -> "InferenceParams":
        if self.max_tokens is not None and self.max_completion_tokens is not None:
            raise ValueError("give max_tokens or max_completion_tokens, not both")
        _refuse_credentials((self.model_extra or {}).get("extra_headers"))
        return self


class Model(Spec):
    """A model behind an OpenAI-compatible address."""

    url: Address
    name: str = Field(min_length=1)
    host_url: str | None = None
    served_model_name: str | None = None
    api_key_secret: SecretRef | None = None
    default_headers: dict[str, str] | None = None
    inference: InferenceParams | None = None
    format: Literal["nim", "openai"] = "openai"
    takes_prompts_only: bool = Field(default=False, exclude_if=operator.not_)
    """Whether its server takes no messages: a conversation is then sent as one prompt. Other servers do not know it."""

    def secret_refs(self) -> list[str]:
        """The secrets needed to ask this model."""
        return [self.api_key_secret] if self.api_key_secret else []

    @model_validator(mode="before")
    @classmethod
    def _no_reference(cls, data: Any) -> Any:
        if isinstance(data, str):
            raise ValueError(f"the reference {data!r} cannot be resolved here: give the model's url and name instead")
        return data

    @field_validator("default_headers")
    @classmethod
    def _no_credentials(cls, headers: dict[str, str] | None) -> dict[str, str] | None:
        _refuse_credentials(headers)
        return headers


class StructuredOutput(Spec):
    """A JSON schema that replies have to follow."""

    json_schema: dict[str, Any] = Field(alias="schema")
    strict: bool | None = None
    name: str | None = None


class Reasoning(Spec):
    """How a reasoning model marks its thinking, and how hard it should think."""

    end_token: str | None = Field(default=None, min_length=1)
    include_if_not_finished: bool | None = None
    effort: str | None = None


def _refuse_credentials(headers: Any) -> None:
    for name in headers if isinstance(headers, dict) else ():
        if _AUTH_HEADER.search(name):
            raise ValueError(
                f"header '{name}' looks like a credential: store it as a secret, name it in api_key_secret"
            )
