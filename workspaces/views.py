"""The entities service: workspaces, their members and projects (platform-v2 section 4)."""

from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response

from assay.platform.api import Endpoint, Listing, flag, read_body, read_query
from assay.platform.auth import principal
from assay.platform.errors import BadRequest, Conflict, Invalid, NotFound
from assay.platform.openapi import CASCADE, LIST_QUERY, extend_schema, refusals
from assay.platform.wire import page_of
from assay.workspaces import deletion
from assay.workspaces.lookup import get_workspace, inserting, list_in
from assay.workspaces.models import Member, Project, Workspace
from assay.workspaces.wire import (
    LONGEST_PRINCIPAL,
    CreateOptions,
    Deleted,
    DescriptionUpdate,
    MemberList,
    MemberReply,
    MemberUpsert,
    ProjectCreate,
    ProjectReply,
    Role,
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
        parameters=LIST_QUERY,
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
        caller = principal(request)
        try:
            with transaction.atomic():
                workspace = Workspace.objects.create(
                    name=body.name, description=body.description, created_by=caller, updated_by=caller
                )
        except IntegrityError:
            raise Conflict(f"Workspace '{body.name}' already exists") from None
        return Response(workspace_json(workspace), status=201)


class OneWorkspace(Endpoint):
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
            Workspace.objects.filter(pk=workspace.pk).update(
                description=body.description, updated_at=timezone.now(), updated_by=principal(request)
            )
        return Response(workspace_json(get_workspace(name)))

    @extend_schema(
        operation_id="delete_workspace",
        summary="Delete a workspace that holds nothing",
        tags=["Workspaces"],
        parameters=CASCADE,
        responses={200: Deleted, **refusals(404, 409)},
    )
    def delete(self, request: Request, name: str) -> Response:
        deletion.delete(get_workspace(name), cascade=flag(request.query_params, "cascade"))
        return Response({"message": "Workspace marked for deletion", "id": name})


class Members(Endpoint):
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
        member = _grant(workspace, body.principal, body.roles, principal(request))
        return Response(member_json(member), status=201)


class OneMember(Endpoint):
    @extend_schema(
        operation_id="update_member",
        summary="Replace someone's roles",
        tags=["Members"],
        request=RolesUpdate,
        responses={200: MemberReply, **refusals(404, 422)},
    )
    def put(self, request: Request, name: str, member: str) -> Response:
        body = read_body(request, RolesUpdate)
        workspace = get_workspace(name)
        return Response(member_json(_grant(workspace, member, body.roles, principal(request))))

    @extend_schema(
        operation_id="delete_member",
        summary="Remove a member",
        tags=["Members"],
        responses={200: Deleted, **refusals(404)},
    )
    def delete(self, request: Request, name: str, member: str) -> Response:
        removed, _ = get_workspace(name).members.filter(principal=member).delete()
        if not removed:
            raise NotFound(f"Member '{member}' not found in workspace '{name}'")
        return Response({"message": f"Member removed from workspace '{name}'", "id": member})


def _grant(workspace: Workspace, to: str, roles: list[Role], by: str) -> Member:
    """Give ``to`` these roles and no others; none at all leaves them as they are, as the contract has it."""
    if len(to) > LONGEST_PRINCIPAL:
        raise Invalid(f"A principal has at most {LONGEST_PRINCIPAL} characters.")
    if not roles:
        member = workspace.members.filter(principal=to).first()
        if member is None:
            raise Invalid(f"'{to}' is no member of workspace '{workspace}' yet; name at least one role.")
        return member
    grant = {
        "roles": [str(role) for role in dict.fromkeys(roles)],
        "granted_at": timezone.now(),
        "granted_by": by or "system",
    }
    with inserting(workspace, f"Member '{to}' is being changed by someone else."):
        member, _ = Member.objects.update_or_create(workspace=workspace, principal=to, defaults=grant)
    return member


class Projects(Endpoint):
    @extend_schema(
        operation_id="list_projects",
        summary="List projects",
        tags=["Projects"],
        parameters=LIST_QUERY,
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
        with inserting(workspace, f"Project '{body.name}' already exists in workspace '{name}'."):
            project = Project.objects.create(workspace=workspace, name=body.name, description=body.description)
        return Response(project_json(project), status=201)


class OneProject(Endpoint):
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
            Project.objects.filter(pk=found.pk).update(description=body.description, updated_at=timezone.now())
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
