"""Filesets in the admin."""

import io

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from assay.filesets import local
from assay.filesets.models import Fileset
from assay.secrets.store import create_secret
from assay.workspaces.models import Workspace
from tests.filesets.conftest import on_hub
from tests.hub.server import Hub

pytestmark = pytest.mark.django_db

PAGES = "/admin/tables/filesets/fileset/"


@pytest.fixture
def browser(settings: Settings) -> Client:
    settings.AUTH = False
    return Client(HTTP_HOST="localhost")


def added(browser: Client, workspace: Workspace, **more: str) -> str:
    form = {"workspace": workspace.pk, "name": "new", "description": "", "purpose": "dataset", "project": ""}
    blank = {"repo_id": "", "repo_type": "dataset", "revision": "main", "endpoint": "", "token_secret": ""}
    hub = {f"hub_{field}": more.pop(field, value) for field, value in blank.items()}
    return browser.post(f"{PAGES}add/", {**form, **hub, **more}).content.decode()


def test_the_list_shows_where_data_comes_from(browser: Client, fileset: Fileset, hub_fileset: Fileset) -> None:
    page = browser.get(PAGES).content.decode()
    assert "uploaded files" in page
    assert f"ns/data at {hub_fileset.revision[:12]} (main)" in page


def test_a_longer_list_asks_the_database_no_more(browser: Client, fileset: Fileset, workspace: Workspace) -> None:
    browser.get(PAGES)
    counted = []
    for more in range(2):
        Fileset.objects.bulk_create(Fileset(workspace=workspace, name=f"more-{more}-{n}") for n in range(20))
        with CaptureQueriesContext(connection) as queries:
            browser.get(PAGES)
        counted.append(len(queries))
    assert counted[0] == counted[1]


def test_the_page_of_a_fileset_lists_its_files(browser: Client, fileset: Fileset, hub_fileset: Fileset) -> None:
    local.put(fileset, "a <b>&.jsonl", io.BytesIO(b"{}\n"))
    page = browser.get(f"{PAGES}{fileset.pk}/change/").content.decode()
    assert "a &lt;b&gt;&amp;.jsonl</a> — 3 bytes" in page
    assert 'href="/apis/files/v2/workspaces/w-one/filesets/data/-/a%20%3Cb%3E%26.jsonl"' in page
    assert "train/b.jsonl</a> — 8 bytes" in browser.get(f"{PAGES}{hub_fileset.pk}/change/").content.decode()


def test_a_hub_that_is_gone_does_not_break_the_page(browser: Client, hub_fileset: Fileset, hub: Hub) -> None:
    hub.stop()
    reply = browser.get(f"{PAGES}{hub_fileset.pk}/change/")
    assert reply.status_code == 200
    assert "cannot be reached" in reply.content.decode()


def test_a_fileset_is_made(browser: Client, workspace: Workspace) -> None:
    added(browser, workspace)
    assert Fileset.objects.get().storage_type == "local"
    assert "2 to 63 lowercase letters" in added(browser, workspace, name="Bad")
    assert Fileset.objects.count() == 1


def test_a_fileset_is_pinned_to_a_hub(browser: Client, workspace: Workspace, hub: Hub) -> None:
    sha = hub.add_commit("ns/data", {"a": b"1"})
    hub.protect("ns/data", "hf_token")
    create_secret(workspace, "hf-token", "hf_token", None)
    page = added(browser, workspace, repo_id="ns/data", endpoint=hub.url)
    assert "Invalid storage configuration: Not found for" in page
    page = added(browser, workspace, repo_id="ns/data", endpoint=hub.url, token_secret="no-such")
    assert "Secret not found" in page
    assert not Fileset.objects.exists()
    added(browser, workspace, repo_id="ns/data", endpoint=hub.url, token_secret="hf-token")
    fileset = Fileset.objects.get()
    assert (fileset.revision, fileset.original_revision, fileset.storage["endpoint"]) == (sha, "main", hub.url)
    assert fileset.token_secret is not None


def test_a_change_leaves_the_storage(browser: Client, workspace: Workspace, hub: Hub) -> None:
    fileset = on_hub(workspace, hub, hub.add_commit("ns/data", {"a": b"1"}))
    form = {"description": "new", "purpose": "model", "project": "", "repo_id": "other/one", "name": "other"}
    browser.post(f"{PAGES}{fileset.pk}/change/", form)
    changed = Fileset.objects.get()
    assert (changed.description, changed.name, changed.storage) == ("new", "hub-data", fileset.storage)
    assert changed.updated_at > fileset.updated_at


def test_a_delete_goes_through_the_rules(browser: Client, fileset: Fileset) -> None:
    assert "data" in browser.get(f"{PAGES}{fileset.pk}/delete/").content.decode()
    browser.post(f"{PAGES}{fileset.pk}/delete/", {"post": "yes"})
    assert not Fileset.objects.exists()
