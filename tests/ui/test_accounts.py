"""Signing in, tokens, members and people, on pages without a browser."""

import re

import pytest
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.test import Client
from pytest_django import Settings

from assay.accounts.models import AccessToken
from assay.accounts.people import make_account
from assay.jobs.models import Terms
from assay.platform.caller import Role
from assay.platform.models import AuditEvent
from assay.workspaces.models import Member, Workspace
from tests.accounts.signing_in import PASSWORD, bearing, person
from tests.ui.seated import QUICK, pages_of

pytestmark = pytest.mark.django_db
SIGN_IN = "/admin/tables/login/"
CHANGE = "/admin/tables/password_change/"
TOKENS = "/admin/tokens/"
PEOPLE = "/admin/people/"
MEMBERS = "/admin/workspaces/w-one/members/"
OTHER = "another-battery-staple"


@pytest.fixture(autouse=True)
def _sign_in_is_on(settings: Settings) -> None:
    settings.AUTH, settings.PASSWORD_HASHERS = True, QUICK


def sign_in(name: str, password: str, query: str = "") -> tuple[Client, str]:
    """Return the browser, and where it was led; nowhere: it was not let in."""
    browser = Client(HTTP_HOST="localhost")
    reply = browser.post(SIGN_IN + query, {"username": name, "password": password})
    return browser, reply.headers.get("Location", "")


# Signing in and out


def test_any_active_account_signs_in_and_out() -> None:
    person("ann")
    browser, led = sign_in("ann", PASSWORD)
    assert led == "/admin/" and browser.get("/admin/").status_code == 200
    assert browser.get(SIGN_IN).headers["Location"] == "/admin/"
    left = browser.post("/admin/tables/logout/")
    assert left.headers["Location"] == SIGN_IN and browser.get("/admin/").status_code == 302


def test_who_may_not_is_not_let_in() -> None:
    person("gone", is_active=False), person("ann")
    for name, password in (("gone", PASSWORD), ("ann", "wrong"), ("nobody", PASSWORD)):
        assert sign_in(name, password)[1] == ""


def test_one_is_led_back_to_where_one_wanted_to_go_and_to_no_other_site() -> None:
    person("ann")
    wanted = Client(HTTP_HOST="localhost").get("/admin/evaluations/?q=a")
    assert wanted.headers["Location"] == f"{SIGN_IN}?next=/admin/evaluations/%3Fq%3Da"
    assert sign_in("ann", PASSWORD, "?next=/admin/evaluations/%3Fq%3Da")[1] == "/admin/evaluations/?q=a"
    assert sign_in("ann", PASSWORD, "?next=https://elsewhere.example/")[1] == "/admin/"


def test_an_identity_provider_is_offered_where_there_is_one(settings: Settings) -> None:
    page = f"{SIGN_IN}?next=/admin/filesets/"
    away = "/admin/sign-in/leave?next=/admin/filesets/"
    assert away not in Client(HTTP_HOST="localhost").get(page).content.decode()
    settings.OIDC_ISSUER = "https://identity.example"
    assert away in Client(HTTP_HOST="localhost").get(page).content.decode()
    assert made_account(pages_of("root", is_superuser=True), "ann", provider="1") == ""
    assert not User.objects.get(username="ann").has_usable_password()


def test_a_part_of_a_page_leads_the_whole_page_to_the_sign_in() -> None:
    browser = Client(HTTP_HOST="localhost")
    headers = {"HX-Request": "true", "HX-Current-URL": "http://localhost/admin/evaluations/w-one/a/?x=1"}
    reply = browser.get("/admin/evaluations/w-one/a/live/", headers=headers)
    assert reply.headers["HX-Redirect"] == f"{SIGN_IN}?next=/admin/evaluations/w-one/a/%3Fx%3D1" and not reply.content


def test_no_page_is_kept_and_a_forged_form_is_refused() -> None:
    browser = pages_of("ann")
    assert "no-store" in browser.get("/admin/").headers["Cache-Control"]
    strict = Client(HTTP_HOST="localhost", enforce_csrf_checks=True)
    strict.cookies = browser.cookies
    assert strict.post(TOKENS, {"name": "t"}).status_code == 403


# Tokens


def made_token(browser: Client, **sent: str) -> str:
    reply = browser.post(TOKENS, {"name": "laptop", "scope": "read", "workspace": "", "expires": "7", **sent})
    assert reply.status_code == 200
    found = re.search(r'id="new-token"[^>]*>(assay_[\w-]+)<', reply.content.decode())
    assert found is not None
    assert "no-store" in reply.headers["Cache-Control"] and reply.content.decode().count(found[1]) == 1
    return found[1]


def test_a_token_is_shown_once_and_kept_nowhere() -> None:
    browser = pages_of("ann", "w-one", Role.EDITOR)
    text = made_token(browser)
    client = bearing(text)
    assert client.get("/apis/entities/v2/workspaces/w-one").status_code == 200
    assert client.post("/apis/entities/v2/workspaces/w-one/projects", {"name": "p-one"}).status_code == 403
    again = browser.get(TOKENS).content.decode()
    assert text not in again and "laptop" in again and text[-4:] in again
    kept = [*(str(session.get_decoded()) for session in Session.objects.all()), str(browser.cookies)]
    kept += [str(vars(event)) for event in AuditEvent.objects.all()]
    assert text not in " ".join(kept)
    repeated = browser.post(TOKENS, {"name": "laptop", "scope": "read", "expires": "7"})
    assert repeated.status_code == 422 and "new-token" not in repeated.content.decode()
    assert browser.post(f"{TOKENS}revoke/", {"name": "laptop"}).status_code == 302
    assert client.get("/apis/entities/v2/workspaces/w-one").status_code == 401
    assert "revoked" in browser.get(TOKENS).content.decode()


def test_a_token_may_be_for_one_workspace_and_for_ever() -> None:
    browser = pages_of("ann", "w-one", Role.EDITOR)
    person("ann", "w-two", Role.EDITOR)
    client = bearing(made_token(browser, workspace="w-one", expires="never"))
    assert client.get("/apis/entities/v2/workspaces/w-one").status_code == 200
    assert client.get("/apis/entities/v2/workspaces/w-two").status_code == 404
    assert AccessToken.objects.get().expires_at is None


@pytest.mark.parametrize(
    "sent",
    [{"name": ""}, {"name": "a" * 64}, {"name": "a\tb"}, {"scope": "everything"}, {"scope": "metrics"},
     {"expires": "8"}, {"workspace": "w-two"}],
)  # fmt: skip
def test_what_no_token_can_be_made_of_is_said(sent: dict[str, str]) -> None:
    browser = pages_of("ann", "w-one", Role.ADMIN)
    Workspace.objects.create(name="w-two")
    reply = browser.post(TOKENS, {"name": "t", "scope": "read", "expires": "7", **sent})
    assert reply.status_code == 422 and not AccessToken.objects.exists()
    assert 'class="wrong"' in reply.content.decode() or "note bad" in reply.content.decode()


def test_a_token_is_nobody_elses_to_see_or_revoke() -> None:
    made_token(pages_of("ann"))
    bob = pages_of("bob")
    assert "You have none yet" in bob.get(TOKENS).content.decode()
    assert bob.post(f"{TOKENS}revoke/", {"name": "laptop"}).status_code == 404
    assert AccessToken.objects.get().revoked_at is None


def test_without_sign_in_no_token_is_needed(settings: Settings) -> None:
    settings.AUTH = False
    browser = Client(HTTP_HOST="localhost")
    assert "No token is needed here" in browser.get(TOKENS).content.decode()
    browser.post(TOKENS, {"name": "t", "scope": "read", "expires": "7"})
    assert not AccessToken.objects.exists()


# Members


def test_an_admin_lets_somebody_in_changes_their_role_and_takes_them_out() -> None:
    ann, bob = pages_of("ann", "w-one", Role.ADMIN), pages_of("bob")
    home = "/admin/workspaces/w-one/"
    assert bob.get(home).status_code == 404
    assert ann.post(MEMBERS, {"principal": "bob", "role": "Viewer"}).status_code == 302
    seen = bob.get(home).content.decode()
    assert "Add the member" not in seen and "w-one" in seen
    ann.post(MEMBERS, {"principal": "bob", "role": "Editor"})
    assert Member.objects.get(principal="bob").roles == ["Editor"] and "New fileset" in bob.get(home).content.decode()
    ann.post(f"{MEMBERS}remove/", {"principal": "bob"})
    assert bob.get(home).status_code == 404
    told = AuditEvent.objects.filter(action__startswith="member.").values_list("action", "actor")
    assert sorted(told) == [("member.grant", "ann"), ("member.grant", "ann"), ("member.remove", "ann")]


def test_everybody_can_be_let_in_at_once_but_no_account_that_is_not_there() -> None:
    ann, bob = pages_of("ann", "w-one", Role.ADMIN), pages_of("bob")
    for unfit in ({"principal": "nobody", "role": "Viewer"}, {"principal": "bob", "role": "Owner"}):
        assert ann.post(MEMBERS, unfit).status_code == 422
    ann.post(MEMBERS, {"principal": "*", "role": "Viewer"})
    assert bob.get("/admin/workspaces/w-one/").status_code == 200


def test_the_last_admin_goes_only_when_that_is_said() -> None:
    ann = pages_of("ann", "w-one", Role.ADMIN)
    person("gone", "w-one", Role.ADMIN, is_active=False)
    demoted, gone = {"principal": "ann", "role": "Viewer"}, {"principal": "ann"}
    refused = ann.post(MEMBERS, demoted)
    assert refused.status_code == 409 and "only Admin" in refused.content.decode()
    assert ann.post(f"{MEMBERS}remove/", gone).status_code == 409
    person("bob", "w-one", Role.ADMIN)
    assert ann.post(MEMBERS, demoted).status_code == 302
    bob = pages_of("bob")
    assert bob.post(f"{MEMBERS}remove/", {"principal": "bob"}).status_code == 409
    assert bob.post(f"{MEMBERS}remove/", {"principal": "bob", "last": "1"}).status_code == 302
    assert not Member.objects.filter(principal="bob").exists()


# People


def made_account(browser: Client, name: str, **sent: str) -> str:
    """Return the password that the page shows; none where the administrator chose it."""
    reply = browser.post(PEOPLE, {"name": name, "email": "", "password": "", **sent})
    assert reply.status_code == 200, reply.content.decode()
    found = re.search(r'id="new-password"[^>]*>([^<]+)<', reply.content.decode())
    return found[1] if found else ""


def test_a_password_that_was_given_is_changed_before_anything_else() -> None:
    root = pages_of("root", is_superuser=True)
    given = made_account(root, "ann", to_change="1")
    assert given and given not in root.get(PEOPLE).content.decode()
    browser, led = sign_in("ann", given)
    assert led == "/admin/"
    for page in ("/admin/", "/admin/tokens/", "/admin/tables/"):
        assert browser.get(page).headers["Location"] == CHANGE
    assert "Choose a password of your own" in browser.get(CHANGE).content.decode()
    same = {"old_password": given, "new_password1": given, "new_password2": given}
    assert browser.post(CHANGE, same).status_code == 200
    changed = browser.post(CHANGE, {**same, "new_password1": OTHER, "new_password2": OTHER})
    assert changed.headers["Location"] == "/admin/" and browser.get("/admin/").status_code == 200
    again, _ = sign_in("ann", OTHER)
    assert again.get("/admin/").status_code == 200
    assert not User.objects.filter(groups__name="password to be changed").exists()


def test_a_password_that_was_set_may_stay() -> None:
    root = pages_of("root", is_superuser=True)
    assert made_account(root, "ann", password=OTHER) == ""
    browser, _ = sign_in("ann", OTHER)
    assert browser.get("/admin/").status_code == 200
    reset = root.post(f"{PEOPLE}ann/password/", {"password": "", "to_change": "1"}).content.decode()
    assert browser.get("/admin/").status_code == 302  # that session is over
    found = re.search(r'id="new-password"[^>]*>([^<]+)<', reset)
    assert found is not None and sign_in("ann", found[1])[0].get("/admin/").headers["Location"] == CHANGE


@pytest.mark.parametrize(
    "sent",
    [{"name": ""}, {"name": "an n"}, {"name": "*"}, {"name": "root"}, {"name": "local"}, {"email": "nowhere"},
     {"password": "12345"}, {"name": "a\x00"}],
)  # fmt: skip
def test_what_no_account_can_be_made_of_is_said(sent: dict[str, str]) -> None:
    root = pages_of("root", is_superuser=True)
    reply = root.post(PEOPLE, {"name": "ann", "email": "", "password": "", **sent})
    made = set(User.objects.values_list("username", flat=True)) - {"root"}
    assert (reply.status_code == 422 and not made) or (sent == {"name": "a\x00"} and made == {"a"})


def test_who_is_deactivated_is_out_at_once_and_so_are_their_tokens() -> None:
    root, ann = pages_of("root", is_superuser=True), pages_of("ann", "w-one", Role.EDITOR)
    client = bearing(made_token(ann))
    page = root.get(f"{PEOPLE}ann/").content.decode()
    assert "laptop" in page and "w-one" in page
    root.post(f"{PEOPLE}ann/do/deactivate/")
    assert ann.get("/admin/").status_code == 302
    assert client.get("/apis/entities/v2/workspaces").status_code == 401
    assert sign_in("ann", PASSWORD)[1] == ""
    root.post(f"{PEOPLE}ann/do/activate/")
    assert sign_in("ann", PASSWORD)[1] == "/admin/" and client.get("/apis/entities/v2/workspaces").status_code == 200
    root.post(f"{PEOPLE}ann/tokens/revoke/", {"name": "laptop"})
    assert client.get("/apis/entities/v2/workspaces").status_code == 401


def test_the_last_administrator_stays_one() -> None:
    root = pages_of("root", is_superuser=True)
    make_account("local-one", "", OTHER)
    for verb in ("demote", "deactivate"):
        said = root.post(f"{PEOPLE}root/do/{verb}/", follow=True).content.decode()
        assert "only administrator who can sign in" in said
    root.post(f"{PEOPLE}local-one/do/promote/")
    root.post(f"{PEOPLE}root/do/demote/")
    assert not User.objects.get(username="root").is_superuser and root.get(PEOPLE).status_code == 403
    assert pages_of("local-one").get(PEOPLE).status_code == 200


def test_accounts_can_be_made_before_sign_in_is_turned_on(settings: Settings) -> None:
    settings.AUTH = False
    browser = Client(HTTP_HOST="localhost")
    assert "Nobody signs in on this server now" in browser.get(PEOPLE).content.decode()
    given = made_account(browser, "ann", administrator="1")
    settings.AUTH = True
    assert sign_in("ann", given)[0].get(PEOPLE).status_code == 200


# Audit


def test_admins_read_what_happened_in_their_workspace_and_administrators_all_of_it() -> None:
    person("ann", "w-one", "Admin"), person("vera", "w-one", "Viewer"), person("bob", "w-two", "Admin")
    person("root", is_superuser=True)
    for name, project in (("ann", "p-of-one"), ("bob", "p-of-two")):
        home = "w-one" if name == "ann" else "w-two"
        browser, _ = sign_in(name, PASSWORD)
        made = browser.post(
            f"/apis/entities/v2/workspaces/{home}/projects", {"name": project}, content_type="application/json"
        )
        assert made.status_code == 201
    seen = {name: sign_in(name, PASSWORD)[0].get("/admin/audit/") for name in ("ann", "bob", "vera", "root")}
    assert seen["vera"].status_code == 403
    told = {name: reply.content.decode() for name, reply in seen.items()}
    assert "w-one/p-of-one" in told["ann"] and "p-of-two" not in told["ann"] and "account.sign_in" not in told["ann"]
    assert "w-two/p-of-two" in told["bob"] and "p-of-one" not in told["bob"]
    assert all(word in told["root"] for word in ("p-of-one", "p-of-two", "account.sign_in"))
    assert "p-of-two" not in sign_in("ann", PASSWORD)[0].get("/admin/audit/?workspace=w-two").content.decode()


def test_what_is_changed_in_the_tables_is_written_down() -> None:
    person("root", is_superuser=True, is_staff=True)
    browser, _ = sign_in("root", PASSWORD)
    fields = ("requests_per_minute", "tokens_per_minute", "calls_in_flight", "price_in", "price_out")
    form = {"address": "https://judge.example/v1", "model": "m", **dict.fromkeys(fields, "")}
    added = browser.post("/admin/tables/jobs/terms/add/", {**form, "calls_in_flight": "4"})
    assert added.status_code == 302, added.content
    (terms,) = Terms.objects.all()
    changed = browser.post(f"/admin/tables/jobs/terms/{terms.pk}/change/", {**form, "calls_in_flight": "8"})
    assert changed.status_code == 302
    assert browser.post(f"/admin/tables/jobs/terms/{terms.pk}/delete/", {"post": "yes"}).status_code == 302
    assert browser.post("/admin/tables/auth/group/add/", {"name": "readers"}).status_code == 302
    told = {event.action: event for event in AuditEvent._base_manager.filter(actor="root", via="session")}
    flights = [told["terms.update"].before["calls_in_flight"], told["terms.update"].after["calls_in_flight"]]
    assert flights == [4, 8] and told["terms.delete"].before["calls_in_flight"] == 8
    assert told["terms.create"].before is None
    assert "readers" in AuditEvent._base_manager.filter(action="table.create").latest("pk").target
