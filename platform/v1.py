"""The ground of the v1 API (microservices-v1 section 1): bodies, refusals, names, and what all entities share."""

import re
from functools import cache
from typing import Annotated, Any, TypeVar

from django.utils import timezone
from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, ValidationError, create_model
from pydantic_core import PydanticKnownError
from rest_framework.request import Request
from rest_framework.response import Response

from assay.platform.api import MASK, Endpoint, WireTime, decode, django_request, mistakes
from assay.platform.errors import BadRequest, Invalid
from assay.platform.wire import Pagination

M = TypeVar("M", bound=BaseModel)
Fault = dict[str, Any]
"""One entry of a 422: ``loc``, ``msg`` and ``type``."""

DEFAULT_NAMESPACE = "default"
NAME_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._@-]{0,254}$"


class V1Endpoint(Endpoint):
    """A JSON endpoint of the v1 API. Whatever verb refuses a body, the reply is a list of places, without values."""

    def handle_exception(self, error: Exception) -> Response:
        if isinstance(error, Invalid):
            error = Invalid(spoken(error.detail))
        return super().handle_exception(error)


# Refusals


def fault(loc: list[str | int], msg: str, kind: str = "value_error") -> Fault:
    return {"loc": loc, "msg": msg, "type": kind}


def spoken(detail: str | list[dict[str, Any]]) -> list[Fault]:
    """Return a 422 as v1 has it: no entry repeats what was sent, which may be a key."""
    if isinstance(detail, str):
        return [fault(["body"], detail)]
    return [{key: entry[key] for key in ("loc", "msg", "type")} for entry in detail]


def faults_of(error: ValidationError, *where: str | int) -> list[Fault]:
    """Return what pydantic found, below ``where``."""
    return [fault([*where, *entry["loc"]], entry["msg"], entry["type"]) for entry in spoken(mistakes(error))]


# Reading


def read_v1(request: Request, model: type[M]) -> M:
    """Return the body as ``model``. Raises ``BadRequest`` for malformed JSON and ``Invalid`` with every mistake."""
    return check_v1(model, read_object(request))


def read_object(request: Request) -> dict[str, Any]:
    """Return the JSON object in the body, whatever its type is said to be; no body is an empty object."""
    raw = django_request(request).body
    if not raw.strip():
        return {}
    try:
        found = decode(raw)
    except Invalid as error:
        if error.detail[0]["type"] == "json_invalid":  # type: ignore[index]
            raise BadRequest("The body is not valid JSON.") from None
        raise
    if not isinstance(found, dict):
        raise Invalid([fault(["body"], "Input should be an object", "dict_type")])
    return found


def check_v1(model: type[M], data: Any, *where: str | int) -> M:
    """Return ``data`` as ``model``; raises ``Invalid`` with every mistake below ``where``, which is the body."""
    try:
        return model.model_validate(data)
    except ValidationError as error:
        raise Invalid(faults_of(error, *(where or ("body",)))) from None


# What entities share


def is_v1_name(text: str) -> bool:
    return re.fullmatch(NAME_PATTERN.removeprefix("^").removesuffix("$"), text) is not None


def _well_formed(name: str) -> str:
    if not is_v1_name(name):
        raise PydanticKnownError("string_pattern_mismatch", {"pattern": NAME_PATTERN})
    return name


V1Name = Annotated[str, AfterValidator(_well_formed), Field(json_schema_extra={"pattern": NAME_PATTERN})]
KEYS = frozenset({"api_key", "hf_token"})
"""Members whose values are never shown, wherever they stand."""


def masked(body: Any) -> Any:
    """Return ``body`` as it may be shown: the mask in the place of every key; an empty one and null stay."""
    if isinstance(body, dict):
        return {name: MASK if name in KEYS and value else masked(value) for name, value in body.items()}
    if isinstance(body, list):
        return [masked(entry) for entry in body]
    return body


FreeFields = Annotated[
    dict[str, Any],
    BeforeValidator(lambda given: {} if given is None else given, json_schema_input_type=dict[str, Any] | None),
    AfterValidator(masked),
]
"""An object that is kept as it is, but for keys, which are of no use there; null is an empty one."""
ProjectName = Annotated[str, Field(max_length=255)]
"""A free string: the project need not exist."""


class Ownership(BaseModel):
    created_by: str | None = None
    updated_by: str | None = None
    access_policies: Annotated[dict[str, str], AfterValidator(masked)] = {}


class Described(BaseModel):
    """What every entity may say of itself. In a change, what is absent stays as it is."""

    description: str | None = None
    project: ProjectName | None = None
    custom_fields: FreeFields = {}
    ownership: Ownership | None = None


class Named(Described):
    name: V1Name | None = None
    namespace: V1Name = DEFAULT_NAMESPACE


class DeletedV1(BaseModel):
    """The reply to every DELETE but a job's."""

    message: str = "Resource deleted successfully."
    id: str
    deleted_at: WireTime


def deleted(identifier: str) -> Response:
    return Response(DeletedV1(id=identifier, deleted_at=timezone.now()).model_dump(mode="json"))


def given(body: BaseModel, *but: str) -> dict[str, Any]:
    """Return the fields that a change was sent; what is absent stays as it is."""
    return body.model_dump(mode="json", exclude_unset=True, exclude=set(but))


@cache
def v1_page(entry: type[BaseModel]) -> type[BaseModel]:
    """Return the reply model of a list of ``entry``, for the API description."""
    name = entry.__name__.removesuffix("V1").removesuffix("Reply") + "V1Page"
    return create_model(
        name,
        object=(str, "list"),
        data=(list[entry], ...),  # type: ignore[valid-type]
        pagination=(Pagination, ...),
        sort=(str, ...),
        filter=(dict[str, Any] | None, None),
    )
