"""Models, evaluation targets and configs of the v1 API (microservices-v1 sections 3.3 and 4)."""

from typing import Any, ClassVar

from pydantic import BaseModel, Field
from rest_framework.request import Request
from rest_framework.response import Response

from assay.evaluator.definitions import (
    Changes,
    change_definition,
    create_definition,
    definitions,
    get_definition,
    shown,
)
from assay.evaluator.models import DefinitionKind
from assay.evaluator.wire_v1 import (
    ConfigCreate,
    ConfigMembers,
    ModelMembers,
    ShortText,
    TargetCreate,
    TargetMembers,
    TargetType,
)
from assay.platform.api import WireTime
from assay.platform.auth import principal
from assay.platform.openapi import extend_schema, extend_schema_view, refusals
from assay.platform.v1 import DeletedV1, Named, V1Endpoint, deleted, read_object, v1_page
from assay.platform.v1_conditions import (
    Between,
    Condition,
    Moments,
    containing,
    either,
    exactly,
    filled,
    inside,
    within,
)
from assay.platform.v1_lists import AGES, V1List
from assay.workspaces import deletion

FILTERS = {"namespace": exactly("workspace__name"), "project": exactly("project")}
SEARCHES: dict[str, Condition] = {
    "id": containing("uid"),
    "name": containing("name"),
    "namespace": containing("workspace__name"),
    "description": containing("description"),
    "project": containing("project"),
    "custom_fields": within("custom_fields"),
    "ownership": within("ownership"),
    "created_at": Between("created_at"),
    "updated_at": Between("updated_at"),
}
EVALUATION_FILTERS = FILTERS | {
    "name": exactly("name"),
    "type": inside("body", "type"),
    "custom_fields": inside("custom_fields"),
    "created_at": Moments("created_at"),
}
LISTS = {
    DefinitionKind.MODEL: V1List(
        sorts=AGES | {"name": "name"},
        filters=FILTERS
        | {
            "base_model": inside("body", "base_model"),
            "peft": either(filled("body", "peft"), inside("body", "peft")),
            "prompt": either(filled("body", "prompt"), inside("body", "prompt")),
            "created_at": Moments("created_at", ("gte", "lte")),
        },
        searches=SEARCHES
        | {
            name: within("body", name)
            for name in ("base_model", "api_endpoint", "artifact", "spec", "peft", "prompt", "guardrails")
        },
    ),
    DefinitionKind.TARGET: V1List(
        filters=EVALUATION_FILTERS | {"model": inside("body", "model")},
        searches=SEARCHES
        | {
            name: within("body", name)
            for name in ("type", "model", "cached_outputs", "retriever", "rag", "rows", "dataset")
        },
    ),
    DefinitionKind.CONFIG: V1List(
        filters=EVALUATION_FILTERS,
        searches=SEARCHES | {name: within("body", name) for name in ("type", "params", "tasks", "groups")},
    ),
}


class EntityReply(Named):
    id: str
    created_at: WireTime
    updated_at: WireTime


class ModelCreate(ModelMembers, Named):
    pass


class ModelUpdate(ModelMembers, Changes):
    pass


class ModelReply(ModelMembers, EntityReply):
    pass


class TargetUpdate(TargetMembers, Changes):
    type: TargetType = Field(default_factory=str)  # type: ignore[arg-type]  # absent: as it was


class TargetReply(TargetMembers, EntityReply):
    pass


class ConfigUpdate(ConfigMembers, Changes):
    type: ShortText = Field(default_factory=str)


class ConfigReply(ConfigMembers, EntityReply):
    pass


class Definitions(V1Endpoint):
    kind: ClassVar[DefinitionKind]

    def get(self, request: Request) -> Response:
        return LISTS[self.kind].reply(request, definitions(self.kind), shown)

    def post(self, request: Request) -> Response:
        return Response(shown(create_definition(self.kind, read_object(request), principal(request))))


class OneDefinition(V1Endpoint):
    kind: ClassVar[DefinitionKind]

    def get(self, request: Request, namespace: str, name: str) -> Response:
        return Response(shown(get_definition(self.kind, namespace, name)))

    def patch(self, request: Request, namespace: str, name: str) -> Response:
        body = read_object(request)
        definition = get_definition(self.kind, namespace, name)
        return Response(shown(change_definition(definition, body, principal(request))))

    def delete(self, request: Request, namespace: str, name: str) -> Response:
        definition = get_definition(self.kind, namespace, name)
        deletion.delete(definition)
        return deleted(definition.uid)


def _many(kind: DefinitionKind, noun: str, create: type[BaseModel], reply: type[BaseModel]) -> Any:
    tags = [f"v1 {noun}s"]
    return extend_schema_view(
        get=extend_schema(
            operation_id=f"list_v1_{noun}s",
            summary=f"List {noun}s",
            tags=tags,
            parameters=LISTS[kind].query,
            responses={200: v1_page(reply), **refusals(400, 422)},
        ),
        post=extend_schema(
            operation_id=f"create_v1_{noun}",
            summary=f"Make a {noun}; keys in it are sealed",
            tags=tags,
            request=create,
            responses={200: reply, **refusals(400, 409, 422)},
        ),
    )


def _one(noun: str, update: type[BaseModel], reply: type[BaseModel]) -> Any:
    tags = [f"v1 {noun}s"]
    return extend_schema_view(
        get=extend_schema(
            operation_id=f"get_v1_{noun}",
            summary=f"Read a {noun}, its keys masked",
            tags=tags,
            responses={200: reply, **refusals(404)},
        ),
        patch=extend_schema(
            operation_id=f"update_v1_{noun}",
            summary=f"Change a {noun}; jobs that were made keep theirs",
            tags=tags,
            request=update,
            responses={200: reply, **refusals(400, 404, 409, 422)},
        ),
        delete=extend_schema(
            operation_id=f"delete_v1_{noun}",
            summary=f"Delete a {noun}; jobs that were made keep theirs",
            tags=tags,
            responses={200: DeletedV1, **refusals(404)},
        ),
    )


@_many(DefinitionKind.MODEL, "model", ModelCreate, ModelReply)
class Models(Definitions):
    kind = DefinitionKind.MODEL


@_one("model", ModelUpdate, ModelReply)
class OneModel(OneDefinition):
    kind = DefinitionKind.MODEL


@_many(DefinitionKind.TARGET, "target", TargetCreate, TargetReply)
class Targets(Definitions):
    kind = DefinitionKind.TARGET


@_one("target", TargetUpdate, TargetReply)
class OneTarget(OneDefinition):
    kind = DefinitionKind.TARGET


@_many(DefinitionKind.CONFIG, "config", ConfigCreate, ConfigReply)
class Configs(Definitions):
    kind = DefinitionKind.CONFIG


@_one("config", ConfigUpdate, ConfigReply)
class OneConfig(OneDefinition):
    kind = DefinitionKind.CONFIG
