"""The entities service: workspaces, their members and projects (platform-v2 section 4)."""

from typing import Any, ClassVar

from rest_framework.request import Request
from rest_framework.response import Response

from assay.platform.api import Endpoint, Listing, read_body, read_query
from assay.platform.caller import Action
from assay.platform.errors import BadRequest, Invalid, NotFound
from assay.platform.openapi import OpenApiParameter, extend_schema, list_query, refusals
from assay.platform.wire import Cascade, page_of
from assay.workspaces import deletion
from assay.workspaces.lookup import get_workspace, list_in, need
from assay.workspaces.making import create_workspace, describe_workspace
from assay.workspaces.members import grant, remove
from assay.workspaces.models import Member, Project, Workspace
from assay.workspaces.projects import change_project, create_project
from assay.workspaces.wire import (
    CreateOptions,
    Deleted,
    DescriptionUpdate,
    MemberList,
    MemberReply,
    MemberUpsert,
    Principal,
    ProjectCreate,
    ProjectReply,
    RolesUpdate,
    WorkspaceCreate,
    WorkspaceReply,
)

TIMES_AND_NAME = {"created_at": "created_at", "updated_at": "updated_at", "name": "name"}
WORKSPACES = Listing(
    size=100,
    largest=1000,
    sorts=TIMES_AND_NAME,
    filters=TIMES_AND_NAME
    | {"id": "uid", "description": "description", "created_by": "created_by", "updated_by": "updated_by"},
)
PROJECTS = Listing(
    size=100,
    largest=1000,
    sorts=TIMES_AND_NAME,
    filters=TIMES_AND_NAME | {"id": "uid", "description": "description", "workspace": "workspace__name"},
)


def workspace_json(workspace: Workspace) -> dict[str, Any]:
    return WorkspaceReply.of(workspace).model_dump(mode="json")


def member_json(member: Member) -> dict[str, Any]:
    return MemberReply.of(member).model_dump(mode="json")


def project_json(project: Project) -> dict[str, Any]:
    return ProjectReply.of(project).model_dump(mode="json")


class Workspaces(Endpoint):
    @extend_schema(
        operation_id="list_workspaces",
        summary="List workspaces",
        tags=["Workspaces"],
        parameters=list_query(WORKSPACES),
        responses={200: page_of(WorkspaceReply), **refusals(400, 422)},
    )
    def get(self, request: Request) -> Response:
        if "search" in request.query_params:
            raise BadRequest("Workspaces have no search; use filter[name][$like]=….")
        return WORKSPACES.reply(request, Workspace.objects.all(), workspace_json)

    @extend_schema(
        operation_id="create_workspace",
        summary="Create a workspace",
        tags=["Workspaces"],
        request=WorkspaceCreate,
        responses={201: WorkspaceReply, **refusals(409, 422)},
    )
    def post(self, request: Request) -> Response:
        body = read_body(request, WorkspaceCreate)
        read_query(request, CreateOptions)
        workspace = create_workspace(body.name, description=body.description)
        return Response(workspace_json(workspace), status=201)


class OneWorkspace(Endpoint):
    place = "name"
    needs: ClassVar = {"PUT": Action.MANAGE, "DELETE": Action.MANAGE}

    @extend_schema(
        operation_id="get_workspace",
        summary="Read a workspace",
        tags=["Workspaces"],
        responses={200: WorkspaceReply, **refusals(404)},
    )
    def get(self, request: Request, name: str) -> Response:
        return Response(workspace_json(get_workspace(name)))

    @extend_schema(
        operation_id="update_workspace",
        summary="Change a workspace's description",
        tags=["Workspaces"],
        request=DescriptionUpdate,
        responses={200: WorkspaceReply, **refusals(404, 422)},
    )
    def put(self, request: Request, name: str) -> Response:
        body = read_body(request, DescriptionUpdate)
        workspace = get_workspace(name)
        if body.description is not None:
            describe_workspace(workspace, body.description)
        return Response(workspace_json(get_workspace(name)))

    @extend_schema(
        operation_id="delete_workspace",
        summary="Delete a workspace that holds nothing",
        tags=["Workspaces"],
        parameters=[Cascade],
        responses={200: Deleted, **refusals(404, 409, 422)},
    )
    def delete(self, request: Request, name: str) -> Response:
        deletion.delete(get_workspace(name), cascade=read_query(request, Cascade).cascade)
        return Response({"message": "Workspace marked for deletion", "id": name})


class Members(Endpoint):
    place = "name"
    needs: ClassVar = {"POST": Action.MANAGE}

    @extend_schema(
        operation_id="list_members",
        summary="List a workspace's members",
        tags=["Members"],
        responses={200: MemberList, **refusals(404)},
    )
    def get(self, request: Request, name: str) -> Response:
        members = get_workspace(name).members.order_by("pk")
        return Response({"data": [member_json(member) for member in members]})

    @extend_schema(
        operation_id="create_member",
        summary="Give someone roles",
        tags=["Members"],
        request=MemberUpsert,
        responses={201: MemberReply, **refusals(404, 422)},
    )
    def post(self, request: Request, name: str) -> Response:
        body = read_body(request, MemberUpsert)
        workspace = get_workspace(name)
        member = grant(workspace, body.principal, body.roles)
        return Response(member_json(member), status=201)


class OneMember(Endpoint):
    place = "name"
    needs: ClassVar = {"PUT": Action.MANAGE, "DELETE": Action.MANAGE}

    @extend_schema(
        operation_id="update_member",
        summary="Replace someone's roles",
        tags=["Members"],
        parameters=[OpenApiParameter("member", Principal, OpenApiParameter.PATH)],
        request=RolesUpdate,
        responses={200: MemberReply, **refusals(404, 422)},
    )
    def put(self, request: Request, name: str, member: str) -> Response:
        body = read_body(request, RolesUpdate)
        workspace = get_workspace(name)
        return Response(member_json(grant(workspace, member, body.roles)))

    @extend_schema(
        operation_id="delete_member",
        summary="Remove a member",
        tags=["Members"],
        responses={200: Deleted, **refusals(404)},
    )
    def delete(self, request: Request, name: str, member: str) -> Response:
        remove(get_workspace(name), member)
        return Response({"message": f"Member removed from workspace '{name}'", "id": member})


class Projects(Endpoint):
    place = "name"

    @extend_schema(
        operation_id="list_projects",
        summary="List projects",
        tags=["Projects"],
        parameters=list_query(PROJECTS),
        responses={200: page_of(ProjectReply), **refusals(400, 404, 422)},
    )
    def get(self, request: Request, name: str) -> Response:
        return list_in(name, PROJECTS, request, Project.objects.all(), project_json)

    @extend_schema(
        operation_id="create_project",
        summary="Create a project",
        tags=["Projects"],
        request=ProjectCreate,
        responses={201: ProjectReply, **refusals(409, 422)},
    )
    def post(self, request: Request, name: str) -> Response:
        body = read_body(request, ProjectCreate)
        workspace = Workspace.objects.filter(name=name).first()
        if workspace is None:
            raise Invalid("Referenced resource does not exist.")
        need(Action.WRITE, workspace)
        taken = f"Project '{body.name}' already exists in workspace '{name}'."
        project = create_project(workspace, taken, name=body.name, description=body.description)
        return Response(project_json(project), status=201)


class OneProject(Endpoint):
    place = "name"

    @extend_schema(
        operation_id="get_project",
        summary="Read a project",
        tags=["Projects"],
        responses={200: ProjectReply, **refusals(404)},
    )
    def get(self, request: Request, name: str, project: str) -> Response:
        return Response(project_json(_project(name, project)))

    @extend_schema(
        operation_id="update_project",
        summary="Change a project's description",
        tags=["Projects"],
        request=DescriptionUpdate,
        responses={200: ProjectReply, **refusals(404, 422)},
    )
    def put(self, request: Request, name: str, project: str) -> Response:
        body = read_body(request, DescriptionUpdate)
        found = _project(name, project)
        if body.description is not None:
            change_project(found, {"description": body.description})
        return Response(project_json(_project(name, project)))

    @extend_schema(
        operation_id="delete_project",
        summary="Delete a project",
        tags=["Projects"],
        responses={200: Deleted, **refusals(404)},
    )
    def delete(self, request: Request, name: str, project: str) -> Response:
        deletion.delete(_project(name, project))
        return Response({"message": "Project deleted successfully", "id": f"{name}/{project}"})


def _project(workspace: str, name: str) -> Project:
    project = Project.objects.select_related("workspace").filter(workspace__name=workspace, name=name).first()
    if project is None:
        raise NotFound(f"Project '{name}' not found in workspace '{workspace}'")
    return project
