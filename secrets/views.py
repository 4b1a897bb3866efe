"""The secrets service (platform-v2 section 5)."""

from typing import Any, ClassVar

from rest_framework.request import Request
from rest_framework.response import Response

from assay.platform.api import Endpoint, Listing, read_body, read_query
from assay.platform.audit import record
from assay.platform.caller import Action
from assay.platform.openapi import extend_schema, list_query, refusals
from assay.platform.wire import Cascade, page_of
from assay.secrets import vault
from assay.secrets.models import Secret
from assay.secrets.rotation import reseal_all
from assay.secrets.store import change_secret, create_secret, get_secret
from assay.secrets.wire import Rotated, SecretAccess, SecretCreate, SecretReply, SecretUpdate
from assay.workspaces import deletion
from assay.workspaces.lookup import list_in, workspace_for_create

SECRETS = Listing(size=10, largest=1000, omit_null=True)


def secret_json(secret: Secret) -> dict[str, Any]:
    return SecretReply.of(secret).model_dump(mode="json")


class Secrets(Endpoint):
    @extend_schema(
        operation_id="list_secrets",
        summary="List secrets, without their values",
        tags=["Secrets"],
        parameters=list_query(SECRETS),
        responses={200: page_of(SecretReply, sorted_and_filtered=False, omit_null=True), **refusals(404, 422)},
    )
    def get(self, request: Request, workspace: str) -> Response:
        return list_in(workspace, SECRETS, request, Secret.objects.filter(inline=False).defer("sealed"), secret_json)

    @extend_schema(
        operation_id="create_secret",
        summary="Store a secret, sealed",
        tags=["Secrets"],
        request=SecretCreate,
        responses={201: SecretReply, **refusals(409, 422)},
    )
    def post(self, request: Request, workspace: str) -> Response:
        body = read_body(request, SecretCreate, confidential=True)
        holder = workspace_for_create(workspace)
        secret = create_secret(holder, body.name, body.value, body.description)
        return Response(secret_json(secret), status=201)


class OneSecret(Endpoint):
    @extend_schema(
        operation_id="get_secret",
        summary="Read a secret, without its value",
        tags=["Secrets"],
        responses={200: SecretReply, **refusals(404)},
    )
    def get(self, request: Request, workspace: str, name: str) -> Response:
        return Response(secret_json(get_secret(workspace, name)))

    @extend_schema(
        operation_id="update_secret",
        summary="Change a secret's value or description",
        tags=["Secrets"],
        request=SecretUpdate,
        responses={200: SecretReply, **refusals(404, 422)},
    )
    def patch(self, request: Request, workspace: str, name: str) -> Response:
        body = read_body(request, SecretUpdate, confidential=True)
        secret = get_secret(workspace, name)
        change_secret(secret, value=body.value, description=body.description)
        return Response(secret_json(get_secret(workspace, name)))

    @extend_schema(
        operation_id="delete_secret",
        summary="Delete a secret that nothing uses",
        tags=["Secrets"],
        parameters=[Cascade],
        responses={204: None, **refusals(404, 409, 422)},
    )
    def delete(self, request: Request, workspace: str, name: str) -> Response:
        deletion.delete(get_secret(workspace, name), cascade=read_query(request, Cascade).cascade)
        return Response(status=204)


class Access(Endpoint):
    needs: ClassVar = {"GET": Action.MANAGE}

    @extend_schema(
        operation_id="access_secret",
        summary="Read a secret's value",
        tags=["Secrets"],
        responses={200: SecretAccess, **refusals(404, 503)},
    )
    def get(self, request: Request, workspace: str, name: str) -> Response:
        secret = get_secret(workspace, name)
        value = vault.open_secret(secret).reveal()
        record("secret.access", secret)
        reply = {"name": secret.name, "workspace": secret.workspace.name, "value": value}
        return Response(reply, headers={"Cache-Control": "no-store"})


class RotateKeys(Endpoint):
    needs: ClassVar = {"POST": Action.ADMINISTER}

    @extend_schema(
        operation_id="rotate_encryption_keys",
        summary="Seal every secret with the newest encryption key",
        tags=["Secrets"],
        request=None,
        responses={202: Rotated, **refusals(503)},
    )
    def post(self, request: Request) -> Response:
        done = reseal_all()
        if done.unreadable:
            raise done.unreadable[0]
        return Response({"rotated_secrets": done.values, "success": True}, status=202)
