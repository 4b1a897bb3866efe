"""Workspaces, members and projects in the admin."""

import pytest
from django.test import Client
from django.urls import reverse
from things import make_secret

from assay.platform.errors import Conflict
from assay.workspaces import deletion
from assay.workspaces.models import Member, Project, Workspace

pytestmark = pytest.mark.django_db


@pytest.fixture
def browser() -> Client:
    return Client(HTTP_HOST="localhost")


def page(model: str, name: str, *args: object) -> str:
    return reverse(f"admin:workspaces_{model}_{name}", args=args)


def test_making_and_changing_a_workspace(browser: Client) -> None:
    refused = browser.post(page("workspace", "add"), {"name": "Bad--Name"})
    assert refused.status_code == 200 and Workspace.objects.count() == 1
    assert browser.post(page("workspace", "add"), {"name": "w-one", "description": "d"}).status_code == 302
    made = Workspace.objects.get(name="w-one")
    assert (made.created_by, made.updated_by) == ("local", "local")
    browser.post(page("workspace", "change", made.pk), {"name": "renamed", "description": "e"})
    changed = Workspace.objects.get(pk=made.pk)
    assert (changed.name, changed.description) == ("w-one", "e")
    assert changed.updated_at > made.updated_at


def test_a_delete_shows_what_stands_in_its_way(browser: Client, workspace: Workspace) -> None:
    secret = make_secret(workspace)
    assert "w-one/key" in browser.get(page("workspace", "delete", workspace.pk)).content.decode()
    browser.post(page("workspace", "delete", workspace.pk), {"post": "yes"})
    assert Workspace.objects.filter(name="w-one").exists()
    secret.delete()
    assert browser.post(page("workspace", "delete", workspace.pk), {"post": "yes"}).status_code == 302
    assert not Workspace.objects.filter(name="w-one").exists()


def test_the_default_workspace_stays_and_the_reason_is_shown(browser: Client) -> None:
    default = Workspace.objects.get(name="default")
    reply = browser.post(page("workspace", "delete", default.pk), {"post": "yes"}, follow=True)
    assert "cannot be deleted" in reply.content.decode()
    assert Workspace.objects.filter(name="default").exists()


def test_a_delete_that_loses_a_race_says_so(
    browser: Client, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    def too_late(target: object) -> None:
        raise Conflict("Something that refers to it was made meanwhile.")

    monkeypatch.setattr(deletion, "delete", too_late)
    reply = browser.post(page("workspace", "delete", workspace.pk), {"post": "yes"}, follow=True)
    assert "was made meanwhile" in reply.content.decode()


def test_members_get_known_roles_only(browser: Client, workspace: Workspace) -> None:
    given = {"workspace": workspace.pk, "principal": "ann"}
    assert browser.post(page("member", "add"), given | {"roles": ["Owner"]}).status_code == 200
    assert not Member.objects.exists()
    assert browser.post(page("member", "add"), given | {"roles": ["Viewer", "Admin"]}).status_code == 302
    member = Member.objects.get()
    assert (member.roles, member.granted_by) == (["Viewer", "Admin"], "system")


def test_projects(browser: Client, workspace: Workspace) -> None:
    assert browser.post(page("project", "add"), {"workspace": workspace.pk, "name": "p-one"}).status_code == 302
    project = Project.objects.get()
    assert browser.get(page("project", "changelist")).status_code == 200
    browser.post(page("project", "delete", project.pk), {"post": "yes"})
    assert not Project.objects.exists()


def test_nothing_is_deleted_in_bulk(browser: Client, workspace: Workspace) -> None:
    asked = {"action": "delete_selected", "_selected_action": [workspace.pk], "post": "yes"}
    browser.post(page("workspace", "changelist"), asked)
    assert Workspace.objects.filter(name="w-one").exists()
