"""The API's description of itself holds every address, and people can read it without leaving the server."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from django.contrib.admindocs.views import simplify_regex
from django.core.management import CommandError, call_command
from django.urls import URLPattern, URLResolver, get_resolver
from rest_framework.test import APIClient
from rest_framework.views import APIView

from assay.platform import openapi
from assay.platform.api import Endpoint
from assay.secrets.views import Secrets

ROOT = Path(__file__).resolve().parents[2]
VERBS = {"get", "post", "put", "patch", "delete"}


def endpoints(patterns: Any = None, before: str = "/") -> Iterator[tuple[str, type[APIView]]]:
    for pattern in get_resolver().url_patterns if patterns is None else patterns:
        address = before + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from endpoints(pattern.url_patterns, address)
        elif isinstance(pattern, URLPattern) and issubclass(getattr(pattern.callback, "cls", object), Endpoint):
            yield address, pattern.callback.cls


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    found: dict[str, Any] = APIClient(HTTP_HOST="localhost").get("/openapi.json").json()
    return found


def test_every_endpoint_and_method_is_described(document: dict[str, Any]) -> None:
    missing = []
    for address, view in endpoints():
        path = re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", simplify_regex(address))
        for verb in VERBS & set(vars(view)):
            operation = document["paths"].get(path, {}).get(verb)
            if operation is None or not operation.get("summary") or not operation.get("tags"):
                missing.append(f"{verb} {path}")
    assert missing == []


def test_operations_have_names_of_their_own_and_say_what_they_answer(document: dict[str, Any]) -> None:
    operations = [operation for methods in document["paths"].values() for operation in methods.values()]
    identifiers = [operation["operationId"] for operation in operations]
    assert len(identifiers) == len(set(identifiers))
    assert len(identifiers) > 20
    assert not [operation["operationId"] for operation in operations if not operation["responses"]]
    assert not [operation["operationId"] for operation in operations if "class" in operation.get("description", "")]


def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    models = document["components"]["schemas"]
    named = set(re.findall(r"#/components/schemas/([^\"]+)\"", json.dumps(document)))
    assert named <= models.keys()
    assert {"WorkspaceReply", "SecretCreate", "ErrorReply", "WorkspacePage"} <= models.keys()


def test_a_body_may_leave_out_what_has_a_default_and_a_reply_has_it(document: dict[str, Any]) -> None:
    models = document["components"]["schemas"]
    assert models["SecretCreate"]["required"] == ["name", "value"]
    assert "description" in models["SecretReply"]["required"]


@pytest.mark.thorough  # `make lint` asks the same
def test_what_is_served_is_what_the_views_say() -> None:
    call_command("openapi", "--check")


@pytest.mark.thorough
def test_a_view_that_says_something_else_is_told_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openapi, "DOCUMENT", tmp_path / "openapi.json")
    call_command("openapi", "--write")
    call_command("openapi", "--check")
    other = openapi.extend_schema(operation_id="hide", summary="Hide", tags=["Secrets"], responses={})
    monkeypatch.setattr(Secrets, "get", other(lambda self, request, workspace: None))
    with pytest.raises(CommandError, match="openapi --write"):
        call_command("openapi", "--check")


def test_what_cannot_be_described_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    vague = openapi.extend_schema(operation_id="hide", summary="Hide", tags=["Secrets"], responses={200: object()})
    monkeypatch.setattr(Secrets, "get", vague(lambda self, request, workspace: None))
    with pytest.raises(CommandError, match="could not resolve"):
        call_command("openapi", "--check")


def test_the_platform_describes_itself_without_the_generator(tmp_path: Path) -> None:
    code = (
        "import sys; sys.modules['drf_spectacular'] = None\n"
        "import django; django.setup()\n"
        "from rest_framework.test import APIClient\n"
        "client = APIClient(HTTP_HOST='localhost')\n"
        "print(client.get('/openapi.json').json()['info']['title'], client.get('/docs').status_code)"
    )
    env = {**os.environ, "DJANGO_SETTINGS_MODULE": "assay.platform.settings", "ASSAY_DATA_DIR": str(tmp_path)}
    ran = subprocess.run([sys.executable, "-c", code], env=env, cwd=ROOT, capture_output=True, text=True)
    assert ran.stdout.split() == ["Assay", "200"], ran.stderr


class Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.anchors: set[str] = set()
        self.inside: set[str] = set()
        self.outside: set[str] = set()
        self.tags: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        for name, value in attrs:
            if name == "id" and value:
                self.anchors.add(value)
            if name in {"href", "src", "action"} and value:
                (self.inside if value.startswith("#") else self.outside).add(value)


def test_the_page_shows_every_operation_and_fetches_nothing_from_elsewhere(
    client: APIClient, document: dict[str, Any]
) -> None:
    reply = client.get("/docs")
    assert reply.headers["Content-Type"] == "text/html; charset=utf-8"
    text = reply.content.decode()
    links = Links()
    links.feed(text)
    assert links.outside == {"/openapi.json", "/static/platform/docs.css", "/static/ui/mark.svg"}
    assert not links.tags & {"script", "img", "style", "iframe"}
    assert {anchor.removeprefix("#") for anchor in links.inside} <= links.anchors
    operations = [operation for methods in document["paths"].values() for operation in methods.values()]
    assert {operation["operationId"] for operation in operations} <= links.anchors
    assert "@import" not in text and "url(" not in text


def test_the_page_shows_how_to_call_it(client: APIClient) -> None:
    text = client.get("/docs").content.decode()
    create = re.search(r'<details id="create_secret">.*?<pre>(.*?)</pre>', text, re.DOTALL)
    assert create is not None
    assert "curl -X POST &#x27;http://localhost/apis/secrets/v2/workspaces/{workspace}/secrets&#x27;" in create[1]
    assert "{&quot;name&quot;: &quot;my-name&quot;, &quot;value&quot;: &quot;text&quot;}" in create[1]
