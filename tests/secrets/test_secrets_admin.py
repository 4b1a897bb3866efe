"""Secrets in the admin: a value goes in, never out; deletes follow the rules."""

import pytest
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries
from things import make_job, make_secret

from assay.secrets.models import Secret
from assay.secrets.vault import open_secret
from assay.workspaces.models import Workspace

CANARY = "sk-canary-admin"

pytestmark = pytest.mark.django_db


@pytest.fixture
def browser() -> Client:
    return Client(HTTP_HOST="localhost")


def page(name: str, *args: object) -> str:
    return reverse(f"admin:secrets_secret_{name}", args=args)


def test_making_rotating_and_keeping_a_value(browser: Client, workspace: Workspace) -> None:
    given = {"workspace": workspace.pk, "name": "key", "description": "d", "value": f" {CANARY}"}
    made = browser.post(page("add"), given)
    assert made.status_code == 302, made.content
    secret = Secret.objects.get()
    assert open_secret(secret).reveal() == f" {CANARY}"

    shown = browser.get(page("change", secret.pk)).content.decode()
    assert CANARY not in shown and "w-one" in shown

    browser.post(page("change", secret.pk), {"description": "e", "value": ""})
    kept = Secret.objects.get()
    assert (kept.description, open_secret(kept).reveal()) == ("e", f" {CANARY}")
    assert kept.updated_at > secret.updated_at

    browser.post(page("change", secret.pk), {"description": "e", "value": "new", "name": "renamed"})
    rotated = Secret.objects.get()
    assert (rotated.name, open_secret(rotated).reveal()) == ("key", "new")


def test_a_refused_form_does_not_send_the_value_back(browser: Client, workspace: Workspace) -> None:
    refused = browser.post(page("add"), {"workspace": workspace.pk, "name": "Bad Name", "value": CANARY})
    assert refused.status_code == 200
    assert CANARY not in refused.content.decode()
    assert "a letter first" in refused.content.decode()
    assert not Secret.objects.exists()
    without = browser.post(page("add"), {"workspace": workspace.pk, "name": "key", "value": ""})
    assert without.status_code == 200
    assert not Secret.objects.exists()


def test_a_taken_name_is_refused(browser: Client, workspace: Workspace) -> None:
    make_secret(workspace)
    reply = browser.post(page("add"), {"workspace": workspace.pk, "name": "key", "value": "x"})
    assert reply.status_code == 200
    assert Secret.objects.count() == 1


def test_the_list_shows_no_value_in_few_queries(
    browser: Client, workspace: Workspace, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(10):
        make_secret(workspace, f"key-{number}", CANARY)
    browser.get(page("changelist"))
    with django_assert_max_num_queries(12):
        shown = browser.get(page("changelist")).content.decode()
    assert "key-9" in shown and CANARY not in shown


def test_the_page_of_a_delete_shows_what_stands_in_the_way(browser: Client, workspace: Workspace) -> None:
    secret = make_secret(workspace)
    job = make_job(workspace, secrets=(secret,))
    asked = browser.get(page("delete", secret.pk)).content.decode()
    assert "w-one/judged" in asked
    browser.post(page("delete", secret.pk), {"post": "yes"})
    assert Secret.objects.exists()
    job.delete()
    browser.post(page("delete", secret.pk), {"post": "yes"})
    assert not Secret.objects.exists()
