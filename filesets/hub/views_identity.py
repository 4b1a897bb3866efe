"""Who calls, what they may reach, and what clients ask beside (contract, sections 3 and 4.4)."""

from typing import ClassVar

from django.conf import settings
from rest_framework.request import Request
from rest_framework.response import Response

from assay.filesets.hub.access import HubEndpoint, author, token
from assay.filesets.hub.names import Kind
from assay.platform.caller import Action, caller
from assay.platform.errors import NotFound, Unauthenticated
from assay.workspaces.lookup import need


class WhoAmI(HubEndpoint):
    needs: ClassVar = {"GET": None}

    def get(self, request: Request) -> Response:
        if not settings.AUTH and not token(request):
            raise Unauthenticated("Invalid credentials in Authorization header")
        name = author(request)
        role = "write" if Action.WRITE in caller().scope else "read"
        return Response(
            {
                "type": "user",
                "id": name,
                "name": name,
                "fullname": name.capitalize(),
                "email": None,
                "emailVerified": False,
                "isPro": False,
                "orgs": [],
                "auth": {"type": "access_token", "accessToken": {"displayName": name, "role": role}},
            }
        )


class AuthCheck(HubEndpoint):
    def get(self, request: Request, kind: Kind, namespace: str, name: str) -> Response:
        fileset = self.repository(kind, namespace, name)
        if request.path.endswith("/write"):
            need(Action.WRITE, fileset.workspace)
        return Response({})


class ValidateYaml(HubEndpoint):
    needs: ClassVar = {"POST": None}

    def post(self, request: Request) -> Response:
        return Response({"errors": [], "warnings": []})


class NoXet(HubEndpoint):
    def get(self, request: Request, kind: Kind, namespace: str, name: str, revision: str) -> Response:
        raise NotFound("Xet is not available here; set HF_HUB_DISABLE_XET=1")


class Unknown(HubEndpoint):
    """Every other address below the prefix."""

    def _nothing(self, request: Request, *args: object, **kwargs: object) -> Response:
        raise NotFound("There is nothing at this address.")

    get = post = put = patch = delete = _nothing
