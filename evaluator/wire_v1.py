"""Models, targets and configs as the v1 API takes and shows them (microservices-v1 sections 3.3 and 4).

Read here, an object is as it is stored: what was given, and the entity fields that an inline object gains. ``full_…``
adds a null for everything that is unset, as jobs and models are shown; targets and configs are shown without.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Annotated, Any, Literal, get_args

from django.utils import timezone
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, WithJsonSchema
from pydantic_core import PydanticCustomError

from assay.platform.api import wire_time
from assay.platform.ids import new_id
from assay.platform.v1 import DEFAULT_NAMESPACE, Fault, Named, fault, faults_of
from assay.platform.wire import NUMBER

Text = Annotated[str, Field(min_length=1, max_length=2048)]
ShortText = Annotated[str, Field(min_length=1, max_length=255)]
Count = Annotated[int, Field(ge=1, lt=2**31), NUMBER]
# What is sent as a whole number is echoed as one.
Seconds = Annotated[
    int | float, Field(gt=0, le=86_400, json_schema_extra={"exclusiveMinimum": 0, "maximum": 86_400}), NUMBER
]
Temperature = Annotated[int | float, Field(ge=0, le=100, json_schema_extra={"minimum": 0, "maximum": 100}), NUMBER]
Share = Annotated[int | float, Field(ge=0, le=1, json_schema_extra={"minimum": 0, "maximum": 1}), NUMBER]
Free = dict[str, Any]


def _reference_or_object(given: Any) -> Any:
    if isinstance(given, dict) or (isinstance(given, str) and given):
        return given
    raise PydanticCustomError("reference_or_object", "Input should be an object, or the name of one: namespace/name")


Reference = Annotated[str, Field(min_length=1)]
LINK = partial(BeforeValidator, _reference_or_object)
Linked = Annotated[Any, LINK(json_schema_input_type=Free | Reference)]
"""An inline object, or the name of an entity."""


class ApiEndpoint(BaseModel):
    url: Text
    model_id: Text
    api_key: Annotated[Any, WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "null"}]})] = None
    """Judged with every other key that the body holds (`sealing.py`)."""
    format: (
        Annotated[
            Literal["nim", "openai", "lama_stack"],
            BeforeValidator(
                lambda given: "lama_stack" if given == "llama_stack" else given,
                json_schema_input_type=Literal["nim", "openai", "lama_stack", "llama_stack"],
            ),
        ]
        | None
    ) = None


class ModelMembers(BaseModel):
    base_model: Linked | None = None
    api_endpoint: ApiEndpoint | None = None
    artifact: Free | None = None
    spec: Free | None = None
    peft: Free | None = None
    prompt: Free | None = None
    guardrails: Free | None = None
    model_providers: list[str] | None = None


class InlineModel(ModelMembers, Named):
    api_endpoint: ApiEndpoint


class InlineDataset(Named):
    files_url: Text
    hf_endpoint: Text | None = None
    format: ShortText | None = None
    split: ShortText | None = None
    offset: Annotated[int, Field(ge=0, lt=2**63), NUMBER] | None = None
    limit: Count | None = None


LinkedModel = Annotated[Any, LINK(json_schema_input_type=InlineModel | Reference)]
LinkedDataset = Annotated[Any, LINK(json_schema_input_type=InlineDataset | Reference)]


class CachedOutputs(BaseModel):
    files_url: Text
    hf_endpoint: Text | None = None


SET: dict[str, Any] = {"not": {"type": "null"}}
TargetType = Literal["model", "cached_outputs", "retriever", "rag", "rows", "dataset"]


class TargetMembers(BaseModel):
    type: TargetType
    model: LinkedModel | None = None
    cached_outputs: CachedOutputs | None = None
    retriever: Free | None = None
    rag: Free | None = None
    rows: list[Free] | None = None
    dataset: LinkedDataset | None = None


class EvaluationParams(BaseModel):
    parallelism: Count | None = None
    request_timeout: Seconds | None = None
    max_retries: Annotated[int, Field(ge=0, le=100), NUMBER] | None = None
    limit_samples: Count | None = None
    max_tokens: Count | None = None
    temperature: Temperature | None = None
    top_p: Share | None = None
    stop: str | list[str] | None = None
    extra: Free | None = None


class MetricMembers(BaseModel):
    type: ShortText
    params: Free | None = None


class TaskMembers(BaseModel):
    type: ShortText
    params: Free | None = None
    dataset: LinkedDataset | None = None
    metrics: dict[ShortText, MetricMembers] | None = None


class ConfigMembers(BaseModel):
    type: ShortText
    params: EvaluationParams | None = None
    tasks: dict[ShortText, TaskMembers] | None = None
    groups: dict[str, Free] | None = None


class TargetCreate(TargetMembers, Named):
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"type": "rows", "rows": [{"answer": "4", "reference": "4"}]}],
            "allOf": [
                {
                    "if": {"properties": {"type": {"const": kind}}},
                    "then": {"required": [kind], "properties": {kind: SET}},
                }
                for kind in get_args(TargetType)
            ],
        }
    )


_CHECK = {"type": "string-check", "params": {"check": ["{{item.answer}}", "equals", "{{item.reference}}"]}}
EXAMPLE: dict[str, Any] = {
    "config": {"type": "custom", "tasks": {"qa": {"type": "data", "metrics": {"same": _CHECK}}}},
    "target": {"type": "rows", "rows": [{"answer": "4", "reference": "4"}]},
}
"""An evaluation that needs neither judge nor model, as the API description shows it."""


class ConfigCreate(ConfigMembers, Named):
    model_config = ConfigDict(json_schema_extra={"examples": [EXAMPLE["config"]]})


LinkedTarget = Annotated[Any, LINK(json_schema_input_type=TargetCreate | Reference)]
LinkedConfig = Annotated[Any, LINK(json_schema_input_type=ConfigCreate | Reference)]


class Read:
    """An object that is being read: what was understood of it, and every fault, each with its place in it."""

    def __init__(self, members: type[BaseModel], given: Any) -> None:
        self.body: dict[str, Any] = {}
        self.faults: list[Fault] = []
        try:
            found = members.model_validate(given)
        except ValidationError as error:
            self.faults = faults_of(error)
        else:
            self.body = without_unset(found)

    def inline(self, holder: dict[str, Any], name: str, way: list[str | int], embed: "Embed", before: Any) -> None:
        """Give the inline object ``name`` of ``holder``, where it is one, what an entity has."""
        if isinstance(holder.get(name), dict):
            embedded, faults = embed(holder[name], before.get(name) if isinstance(before, dict) else None)
            holder[name] = embedded
            self.faults += [fault([*way, name, *each["loc"]], each["msg"], each["type"]) for each in faults]


Embed = Callable[[Mapping[str, Any], Any], tuple[dict[str, Any], list[Fault]]]


def without_unset(found: BaseModel) -> dict[str, Any]:
    """Return what was given; null is the same as absent, but not inside free objects."""
    body: dict[str, Any] = {}
    for name in found.model_fields_set:
        value = getattr(found, name)
        if value is not None:
            body[name] = _stored(value)
    return {name: body[name] for name in type(found).model_fields if name in body}


def _stored(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return without_unset(value)
    if isinstance(value, dict):
        return {key: _stored(inner) for key, inner in value.items()}
    return value


def read_model(given: Mapping[str, Any], before: Any = None) -> Read:
    return Read(ModelMembers, given)


def read_target(given: Mapping[str, Any], before: Any = None) -> Read:
    """Read a target; ``before`` is the one that it replaces, whose inline objects keep their ids."""
    read = Read(TargetMembers, given)
    kind = read.body.get("type")
    if kind and kind not in read.body:
        read.faults.append(fault([kind], "Field required", "missing"))
    read.inline(read.body, "model", [], _embedded_model, before)
    read.inline(read.body, "dataset", [], _embedded_dataset, before)
    return read


def read_config(given: Mapping[str, Any], before: Any = None) -> Read:
    """The same for a config."""
    read = Read(ConfigMembers, given)
    earlier = before.get("tasks", {}) if isinstance(before, dict) else {}
    for name, task in read.body.get("tasks", {}).items():
        read.inline(task, "dataset", ["tasks", name], _embedded_dataset, earlier.get(name))
    return read


def _embedded_model(given: Mapping[str, Any], before: Any) -> tuple[dict[str, Any], list[Fault]]:
    read = Read(InlineModel, given)
    if read.faults:
        return read.body, read.faults
    read.body["api_endpoint"].setdefault("format", "nim")
    return entity("model", read.body, before) | {"type_prefix": "model"}, []


def _embedded_dataset(given: Mapping[str, Any], before: Any) -> tuple[dict[str, Any], list[Fault]]:
    read = Read(InlineDataset, given)
    return (read.body, read.faults) if read.faults else (entity("dataset", read.body, before), [])


def entity(prefix: str, body: Mapping[str, Any], before: Any = None) -> dict[str, Any]:
    """Return ``body`` with what an entity has; ``before`` is the one that it replaces, which keeps its id."""
    now = wire_time(timezone.now())
    earlier = before if isinstance(before, dict) and "id" in before else {}
    identifier = earlier.get("id") or new_id(prefix)
    return {
        "schema_version": "1.0",
        "id": identifier,
        "name": earlier.get("name", identifier),
        "namespace": DEFAULT_NAMESPACE,
        "created_at": earlier.get("created_at", now),
        "updated_at": now,
        "custom_fields": {},
        "version_id": "main",
        "version_tags": [],
        **body,
    }


# The full form

ENTITY = ("schema_version", "id", "description", "type_prefix", "namespace", "project", "created_at", "updated_at",
          "custom_fields", "ownership", "name")  # fmt: skip
VERSIONED = (*ENTITY, "version_id", "version_tags")
MODEL = (*VERSIONED, "spec", "artifact", "base_model", "api_endpoint", "peft", "prompt", "guardrails")
DATASET = (*VERSIONED, "format", "files_url", "hf_endpoint", "split", "limit")
TARGET = (*ENTITY, "type", "cached_outputs", "model", "retriever", "rag", "rows", "dataset")
CONFIG = (*ENTITY, "type", "params", "tasks", "groups")
PARAMS = tuple(EvaluationParams.model_fields)


def full_model(body: Any) -> Any:
    return _full(body, MODEL, api_endpoint=lambda endpoint: _full(endpoint, ("url", "model_id", "api_key", "format")))


def full_dataset(body: Any) -> Any:
    return _full(body, DATASET)


def full_target(body: Any) -> Any:
    return _full({"schema_version": "1.0", "type_prefix": "eval-target", **body}, TARGET,
                 model=full_model, dataset=full_dataset)  # fmt: skip


def full_config(body: Any) -> Any:
    return _full({"schema_version": "1.0", "type_prefix": "eval-config", **body}, CONFIG,
                 params=lambda params: _full(params, PARAMS), tasks=lambda tasks: _each(tasks, _full_task))  # fmt: skip


def _full_task(body: Any) -> Any:
    return _full(body, ("type", "params", "metrics", "dataset"), dataset=full_dataset,
                 metrics=lambda metrics: _each(metrics, lambda metric: _full(metric, ("type", "params"))))  # fmt: skip


def _full(body: Any, names: tuple[str, ...], **inside: Callable[[Any], Any]) -> Any:
    """Return an inline object with a null for each of ``names`` that is unset; a reference stays as it is."""
    if not isinstance(body, dict):
        return body
    found = dict.fromkeys(names) | body
    return {name: inside[name](value) if name in inside else value for name, value in found.items()}


def _each(body: Any, change: Callable[[Any], Any]) -> Any:
    return {name: change(value) for name, value in body.items()} if isinstance(body, dict) else body
