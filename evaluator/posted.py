"""Results that users computed elsewhere and posted (microservices-v1 section 8)."""

from collections.abc import Mapping
from typing import Annotated, Any

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone
from pydantic import AfterValidator, BaseModel, Field

from assay.evaluator.models import PostedResult
from assay.platform.api import wire_time
from assay.platform.audit import record
from assay.platform.caller import Action
from assay.platform.errors import NotFound
from assay.platform.v1 import DEFAULT_NAMESPACE, Described, V1Name, given, masked
from assay.workspaces.lookup import inserting, need
from assay.workspaces.namespaces import Store, namespace_for

BODY = ("tasks", "groups", "files_url")
Scores = Annotated[dict[str, Any], AfterValidator(masked)]
"""As given; the platform has no use for a key that stands in it."""


class ResultMembers(Described):
    """What is absent of a change stays as it is."""

    tasks: Scores | None = None
    groups: Scores | None = None
    files_url: Annotated[str, Field(max_length=2048)] | None = None


class ResultCreate(ResultMembers):
    job: Annotated[str, Field(min_length=1, max_length=255)]
    """It need not be a job of this platform."""
    namespace: V1Name = DEFAULT_NAMESPACE


class ResultUpdate(ResultMembers):
    job: Annotated[str, Field(min_length=1, max_length=255)] = ""


class PostedResultReply(BaseModel):
    """Also what a job's own result looks like; the optional members are left out when unset."""

    created_at: str
    updated_at: str
    id: str
    job: str
    tasks: dict[str, Any]
    groups: dict[str, Any]
    namespace: str
    custom_fields: dict[str, Any]
    files_url: str | None = None
    description: str | None = None
    project: str | None = None
    ownership: dict[str, Any] | None = None


def posted_results() -> QuerySet[PostedResult]:
    return PostedResult.objects.select_related("workspace")


def get_posted(uid: str) -> PostedResult:
    """Raises ``NotFound``."""
    found = posted_results().filter(uid=uid).first()
    if found is None:
        raise NotFound(f"Result {uid} not found")
    return found


def post_result(body: ResultCreate, by: str = "") -> PostedResult:
    fields = given(body, "namespace")
    namespace = namespace_for(Store.ENTITIES, body.namespace, by)
    with inserting(namespace, "The result was not stored; try again."):
        result = PostedResult.objects.create(workspace=namespace, **_columns(fields, {}))
        record("result.create", result, after={"job": result.job})
    return result


def change_posted(result: PostedResult, body: ResultUpdate) -> PostedResult:
    """Change what is given, and return it as it is then."""
    need(Action.WRITE, result.workspace)
    fields = given(body)
    if fields:
        changes = _columns(fields, result.body)
        with transaction.atomic():
            PostedResult.objects.filter(pk=result.pk).update(**changes, updated_at=timezone.now())
            record("result.update", result, after={"changed": sorted(fields)})
    return get_posted(result.uid)


def delete_posted(result: PostedResult) -> None:
    """Raises ``NotFound`` when someone else was quicker."""
    need(Action.WRITE, result.workspace)
    with transaction.atomic():
        removed, _ = PostedResult.objects.filter(pk=result.pk).delete()
        if not removed:
            raise NotFound(f"Result {result.uid} not found")
        record("result.delete", result, before={"job": result.job})


def posted_json(result: PostedResult) -> dict[str, Any]:
    found = PostedResultReply(
        created_at=wire_time(result.created_at),
        updated_at=wire_time(result.updated_at),
        id=result.uid,
        job=result.job,
        tasks=result.body.get("tasks") or {},
        groups=result.body.get("groups") or {},
        namespace=result.workspace.name,
        custom_fields=result.custom_fields,
        files_url=result.body.get("files_url"),
        description=result.description,
        project=result.project,
        ownership=result.ownership,
    ).model_dump(mode="json")
    optional = ("files_url", "description", "project", "ownership")
    return {name: value for name, value in found.items() if value is not None or name not in optional}


def _columns(fields: Mapping[str, Any], body: Mapping[str, Any]) -> dict[str, Any]:
    columns = {name: value for name, value in fields.items() if name not in BODY}
    return columns | {"body": {**body, **{name: fields[name] for name in BODY if name in fields}}}
