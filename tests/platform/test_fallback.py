"""Addresses that nobody answers, and errors that nobody expected, in the contract's shape."""

import logging
from typing import Any

import pytest
from django.test import override_settings
from django.urls import path
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.test import APIClient

from assay.platform.api import Endpoint
from assay.workspaces.models import Workspace

handler404 = "assay.platform.fallback.not_found"
handler500 = "assay.platform.fallback.unexpected"


class Broken(Endpoint):
    def get(self, request: Request) -> Response:
        raise RuntimeError("sk-canary in the text of an error")


def broken_page(request: Any) -> None:
    raise RuntimeError("sk-canary in the text of an error")


urlpatterns = [path("apis/broken", Broken.as_view()), path("broken", broken_page)]


@pytest.mark.parametrize(
    "address", ["/nope", "/apis/nope", "/v1/nope", "/apis/entities/v2/nope", "/apis/entities/v2/workspaces/", "/docs/"]
)
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_an_unknown_address_is_not_found(client: APIClient, method: str, address: str) -> None:
    reply = client.generic(method, address, HTTP_ACCEPT="text/html")
    assert (reply.status_code, reply.json()) == (404, {"detail": "Not Found"})
    assert reply.headers["Content-Type"] == "application/json"


def test_the_front_door_leads_to_the_ui(client: APIClient) -> None:
    reply = client.get("/")
    assert (reply.status_code, reply.headers["Location"]) == (302, "/admin/")


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("method", "address"), [("PATCH", ""), ("DELETE", ""), ("POST", "/w-one"), ("PATCH", "/w-one")]
)
def test_a_method_that_is_not_there(client: APIClient, workspace: Workspace, method: str, address: str) -> None:
    reply = client.generic(method, f"/apis/entities/v2/workspaces{address}")
    assert (reply.status_code, reply.json()) == (405, {"detail": "Method Not Allowed"})


@pytest.mark.parametrize("address", ["/apis/broken", "/broken"])
@override_settings(ROOT_URLCONF=__name__)
def test_an_unexpected_error_tells_the_log_and_not_the_caller(
    client: APIClient, caplog: pytest.LogCaptureFixture, address: str
) -> None:
    with caplog.at_level(logging.ERROR):
        reply = client.get(address)
    assert (reply.status_code, reply.json()) == (500, {"detail": "An unexpected error occurred."})
    assert "RuntimeError" in caplog.text
