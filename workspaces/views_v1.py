"""Namespaces and projects of the v1 API (microservices-v1 sections 2 and 3.2)."""

from typing import Any, ClassVar
from urllib.parse import parse_qsl

from django.db.models import QuerySet
from rest_framework.request import Request
from rest_framework.response import Response

from assay.platform.api import django_request
from assay.platform.auth import principal
from assay.platform.caller import Action
from assay.platform.errors import BadRequest, NotFound
from assay.platform.openapi import JSON, extend_schema, refusals
from assay.platform.v1 import (
    DeletedV1,
    Described,
    Named,
    V1Endpoint,
    check_v1,
    deleted,
    given,
    read_object,
    read_v1,
    v1_page,
)
from assay.platform.v1_conditions import Between, Condition, containing, exactly, within
from assay.platform.v1_lists import AGES, V1List
from assay.workspaces import deletion
from assay.workspaces.models import Project, Workspace, project_id
from assay.workspaces.namespaces import (
    Store,
    change_namespace,
    create_namespace,
    delete_namespace,
    get_namespace,
    namespace_for,
    namespaces,
)
from assay.workspaces.projects import change_project, create_project
from assay.workspaces.wire_v1 import (
    DataNamespaceCreate,
    DataNamespaceList,
    DataNamespaceReply,
    NamespaceCreate,
    NamespaceReply,
    ProjectReplyV1,
)

FORM = "application/x-www-form-urlencoded"
MOST_FORM_FIELDS = 100
SEARCHES: dict[str, Condition] = {
    "description": containing("description"),
    "custom_fields": within("custom_fields"),
    "ownership": within("ownership"),
    "created_at": Between("created_at"),
    "updated_at": Between("updated_at"),
}
NAMESPACES = V1List(
    filters={"namespace": exactly("name"), "project": exactly("project")},
    searches=SEARCHES
    | {name: containing("name") for name in ("id", "name", "namespace")}
    | {"project": containing("project")},
)
PROJECTS = V1List(
    sorts=AGES | {"name": "name"},
    filters={"name": exactly("name"), "namespace": exactly("workspace__name")},
    searches=SEARCHES
    | {"id": containing("uid"), "name": containing("name"), "namespace": containing("workspace__name")},
)


def namespace_json(workspace: Workspace) -> dict[str, Any]:
    return NamespaceReply.of(workspace).model_dump(mode="json")


def data_namespace_json(workspace: Workspace) -> dict[str, Any]:
    return DataNamespaceReply.of(workspace).model_dump(mode="json")


def project_json(project: Project) -> dict[str, Any]:
    return ProjectReplyV1.of(project).model_dump(mode="json")


class Namespaces(V1Endpoint):
    @extend_schema(
        operation_id="list_v1_namespaces",
        summary="List namespaces",
        tags=["v1 namespaces"],
        parameters=NAMESPACES.query,
        responses={200: v1_page(NamespaceReply), **refusals(400, 422)},
    )
    def get(self, request: Request) -> Response:
        return NAMESPACES.reply(request, namespaces(Store.ENTITIES), namespace_json)

    @extend_schema(
        operation_id="create_v1_namespace",
        summary="Make a namespace",
        tags=["v1 namespaces"],
        request=NamespaceCreate,
        responses={200: NamespaceReply, **refusals(400, 409, 422)},
    )
    def post(self, request: Request) -> Response:
        body = read_v1(request, NamespaceCreate)
        fields = given(body, "id")
        return Response(namespace_json(create_namespace(Store.ENTITIES, body.id, principal(request), **fields)))


class OneNamespace(V1Endpoint):
    place = "name"
    needs: ClassVar = {"PATCH": Action.MANAGE, "DELETE": Action.MANAGE}

    @extend_schema(
        operation_id="get_v1_namespace",
        summary="Read a namespace",
        tags=["v1 namespaces"],
        responses={200: NamespaceReply, **refusals(404)},
    )
    def get(self, request: Request, name: str) -> Response:
        return Response(namespace_json(get_namespace(Store.ENTITIES, name)))

    @extend_schema(
        operation_id="update_v1_namespace",
        summary="Change what a namespace says of itself",
        tags=["v1 namespaces"],
        request=Described,
        responses={200: NamespaceReply, **refusals(400, 404, 422)},
    )
    def patch(self, request: Request, name: str) -> Response:
        body = read_v1(request, Described)
        namespace = get_namespace(Store.ENTITIES, name)
        return Response(namespace_json(change_namespace(namespace, given(body), principal(request))))

    @extend_schema(
        operation_id="delete_v1_namespace",
        summary="Delete a namespace that holds nothing",
        tags=["v1 namespaces"],
        responses={200: DeletedV1, **refusals(404, 409)},
    )
    def delete(self, request: Request, name: str) -> Response:
        delete_namespace(Store.ENTITIES, get_namespace(Store.ENTITIES, name))
        return deleted(name)


class DataNamespaces(V1Endpoint):
    @extend_schema(
        operation_id="list_v1_data_namespaces",
        summary="List the namespaces of the data store",
        tags=["v1 namespaces"],
        responses={200: DataNamespaceList},
    )
    def get(self, request: Request) -> Response:
        found = namespaces(Store.DATA).order_by("name")
        return Response({"namespaces": [data_namespace_json(namespace) for namespace in found]})

    @extend_schema(
        operation_id="create_v1_data_namespace",
        summary="Make a namespace in the data store; the body is a form or JSON",
        tags=["v1 namespaces"],
        request={FORM: DataNamespaceCreate, JSON: DataNamespaceCreate},
        responses={201: DataNamespaceReply, **refusals(400, 409, 422)},
    )
    def post(self, request: Request) -> Response:
        body = check_v1(DataNamespaceCreate, _form(request))
        return Response(
            data_namespace_json(create_namespace(Store.DATA, body.namespace, principal(request))), status=201
        )


def _form(request: Request) -> dict[str, Any]:
    if "urlencoded" not in (request.content_type or ""):
        return read_object(request)
    text = django_request(request).body.decode("utf-8", "replace")
    try:
        found = dict(parse_qsl(text, keep_blank_values=True, max_num_fields=MOST_FORM_FIELDS))
    except ValueError:
        raise BadRequest(f"The form has more than {MOST_FORM_FIELDS} fields.") from None
    # Some send JSON and leave the type to their library, which says that it is a form.
    return read_object(request) if "namespace" not in found and text.lstrip().startswith("{") else found


class OneDataNamespace(V1Endpoint):
    place = "name"
    needs: ClassVar = {"DELETE": Action.MANAGE}

    @extend_schema(
        operation_id="get_v1_data_namespace",
        summary="Read a namespace of the data store",
        tags=["v1 namespaces"],
        responses={200: DataNamespaceReply, **refusals(404)},
    )
    def get(self, request: Request, name: str) -> Response:
        return Response(data_namespace_json(get_namespace(Store.DATA, name)))

    @extend_schema(
        operation_id="delete_v1_data_namespace",
        summary="Delete a namespace that holds no repository from the data store",
        tags=["v1 namespaces"],
        responses={204: None, **refusals(404, 409)},
    )
    def delete(self, request: Request, name: str) -> Response:
        delete_namespace(Store.DATA, get_namespace(Store.DATA, name))
        return Response(status=204)


class Projects(V1Endpoint):
    @extend_schema(
        operation_id="list_v1_projects",
        summary="List projects",
        tags=["v1 projects"],
        parameters=PROJECTS.query,
        responses={200: v1_page(ProjectReplyV1), **refusals(400, 422)},
    )
    def get(self, request: Request) -> Response:
        return PROJECTS.reply(request, _projects(), project_json)

    @extend_schema(
        operation_id="create_v1_project",
        summary="Make a project",
        tags=["v1 projects"],
        request=Named,
        responses={200: ProjectReplyV1, **refusals(400, 409, 422)},
    )
    def post(self, request: Request) -> Response:
        body = read_v1(request, Named)
        namespace = namespace_for(Store.ENTITIES, body.namespace, principal(request))
        uid = project_id()
        name = body.name or uid
        taken = f"Project {namespace.name}/{name} already exists"
        project = create_project(namespace, taken, uid=uid, name=name, **given(body, "name", "namespace", "project"))
        return Response(project_json(project))


class OneProject(V1Endpoint):
    @extend_schema(
        operation_id="get_v1_project",
        summary="Read a project",
        tags=["v1 projects"],
        responses={200: ProjectReplyV1, **refusals(404)},
    )
    def get(self, request: Request, namespace: str, name: str) -> Response:
        return Response(project_json(_project(namespace, name)))

    @extend_schema(
        operation_id="update_v1_project",
        summary="Change what a project says of itself",
        tags=["v1 projects"],
        request=Described,
        responses={200: ProjectReplyV1, **refusals(400, 404, 422)},
    )
    def patch(self, request: Request, namespace: str, name: str) -> Response:
        changes = given(read_v1(request, Described), "project")
        found = _project(namespace, name)
        if changes:
            change_project(found, changes)
        return Response(project_json(_project(namespace, name)))

    @extend_schema(
        operation_id="delete_v1_project",
        summary="Delete a project",
        tags=["v1 projects"],
        responses={200: DeletedV1, **refusals(404)},
    )
    def delete(self, request: Request, namespace: str, name: str) -> Response:
        project = _project(namespace, name)
        deletion.delete(project)
        return deleted(project.uid)


def _projects() -> QuerySet[Project]:
    return Project.objects.select_related("workspace")


def _project(namespace: str, name: str) -> Project:
    project = _projects().filter(workspace__name=namespace, name=name).first()
    if project is None:
        raise NotFound(f"Project {namespace}/{name} not found")
    return project
