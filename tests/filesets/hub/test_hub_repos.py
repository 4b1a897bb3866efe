"""Repositories are made, moved, set, listed and deleted as the Hub's clients expect; workspaces come on the way."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from rest_framework.test import APIClient

from assay.filesets.hub.wire import hub_time
from assay.filesets.models import Fileset, Purpose, Storage
from assay.workspaces.models import Workspace
from tests.filesets.hub.conftest import HF, REPO, WEB, HubClient, file
from tests.things import make_job

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


def names(reply: Any) -> list[str]:
    return [entry["id"] for entry in reply.json()]


def test_a_new_repository_has_relative_addresses_and_an_empty_commit(hf: HubClient) -> None:
    reply = hf.create("ns/fresh")
    assert reply.json() == {"url": "datasets/ns/fresh", "name": "ns/fresh", "id": "ns/fresh"}
    assert hf.create("ns/m", kind="model").json()["url"] == "ns/m"
    info = hf.get(f"{HF}/api/datasets/ns/fresh").json()
    assert re.fullmatch("[0-9a-f]{40}", info["sha"])
    assert info["siblings"] == [] and info["private"] is False and info["author"] == "ns"
    assert TIME.fullmatch(info["lastModified"]) and TIME.fullmatch(info["createdAt"])
    assert hf.get(f"{HF}/api/datasets/ns/fresh/tree/main").json() == []


def test_a_second_one_is_refused_with_the_address_of_the_first(hf: HubClient) -> None:
    reply = hf.create()
    assert reply.status_code == 409
    assert reply.json() == {"error": "You already created this dataset repo", "url": "datasets/ns/data"}
    other = hf.create(kind="model")
    assert other.status_code == 409 and other.json()["url"] == "datasets/ns/data"


def test_the_type_left_out_is_a_model_and_the_namespace_the_callers_own(hf: HubClient) -> None:
    assert hf.post(f"{HF}/api/repos/create", {"name": "mine"}).json()["url"] == "default/mine"
    with_token = {"HTTP_AUTHORIZATION": "Bearer hf_any"}
    assert hf.post(f"{HF}/api/repos/create", {"name": "mine"}, **with_token).json()["url"] == "local/mine"
    assert hf.get(f"{HF}/api/models/mine").json()["id"] == "default/mine"
    empty = {"HTTP_AUTHORIZATION": "Bearer "}
    assert hf.get(f"{HF}/api/models/mine", **empty).json()["id"] == "default/mine"


def test_a_missing_workspace_is_made_for_the_data_store_alone(hf: HubClient) -> None:
    assert not Workspace.objects.get(name="ns").in_entity_store
    known = Workspace.objects.create(name="known", in_data_store=False)
    hf.create("known/data")
    known.refresh_from_db()
    assert known.in_data_store and known.in_entity_store


@pytest.mark.parametrize(
    "repo_id",
    [
        "ns/a--b",
        "ns/a..b",
        "ns/.a",
        "ns/-a",
        "ns/a.git",
        "ns/a.ipynb",
        "ns/" + "a" * 94,
        "n s/a",
        "ns/ä",
        "ns/a\n",
        "ns/",
    ],
)
def test_ids_that_cannot_be_are_refused_and_nothing_is_made(hf: HubClient, repo_id: str) -> None:
    before = Workspace.objects.count(), Fileset.objects.count()
    assert hf.create(repo_id).status_code == 400
    assert (Workspace.objects.count(), Fileset.objects.count()) == before


def test_private_in_the_old_words_and_the_new(hf: HubClient) -> None:
    hf.create("ns/p", visibility="private")
    hf.create("ns/q", private=True)
    hf.create("ns/r", private=False)
    private = [hf.get(f"{HF}/api/datasets/ns/{name}").json()["private"] for name in "pqr"]
    assert private == [True, True, False]
    for body, now in (({"private": True}, True), ({"visibility": "public"}, False), ({"gated": False}, False)):
        assert hf.client.put(f"{REPO}/settings", body, format="json").json()["private"] is now
        assert hf.get(REPO).json()["private"] is now


def test_a_moved_repository_is_where_it_went_and_nowhere_else(hf: HubClient) -> None:
    hf.commit(file("a.txt"))
    sha = hf.sha()
    hf.create("ns/taken")
    move = {"fromRepo": "ns/data", "type": "dataset"}
    assert hf.post(f"{HF}/api/repos/move", {**move, "toRepo": "ns/taken"}).status_code == 409
    assert hf.post(f"{HF}/api/repos/move", {**move, "toRepo": "ns/a--b"}).status_code == 400
    assert hf.sha() == sha
    assert hf.post(f"{HF}/api/repos/move", {**move, "toRepo": "other/new"}).status_code == 200
    assert hf.get(REPO)["X-Error-Code"] == "RepoNotFound"
    assert hf.get(f"{HF}/api/datasets/other/new").json()["sha"] == sha


def test_a_repository_that_a_job_needs_stays(hf: HubClient) -> None:
    fileset = Fileset.objects.get(name="data")
    job = make_job(fileset.workspace, dataset=fileset)
    gone = {"name": "data", "organization": "ns", "type": "dataset"}
    reply = hf.delete(f"{HF}/api/repos/delete", gone)
    assert reply.status_code == 409 and "job 'ns/judged'" in reply.json()["error"]
    move = {"fromRepo": str(job.result_fileset), "toRepo": "ns/b", "type": "dataset"}
    assert hf.post(f"{HF}/api/repos/move", move).status_code == 409
    job.delete()
    assert hf.delete(f"{HF}/api/repos/delete", gone).status_code == 200
    assert hf.get(REPO)["X-Error-Code"] == "RepoNotFound"


def test_a_fileset_on_another_hub_is_no_repository(hf: HubClient) -> None:
    Fileset.objects.filter(name="data").update(storage_type=Storage.HUGGINGFACE)
    assert hf.get(REPO)["X-Error-Code"] == "RepoNotFound"
    assert names(hf.get(f"{HF}/api/datasets")) == []
    assert hf.create().status_code == 409


def test_lists_by_author_search_and_kind(hf: HubClient) -> None:
    for repo_id in ("ns/alpha", "other/alphabet", "other/b_ta"):
        hf.create(repo_id)
    hf.create("ns/weights", kind="model")
    datasets = f"{HF}/api/datasets"
    assert names(hf.get(datasets)) == ["other/b_ta", "other/alphabet", "ns/alpha", "ns/data"]
    assert names(hf.get(f"{datasets}?author=other")) == ["other/b_ta", "other/alphabet"]
    assert names(hf.get(f"{datasets}?search=ALPHA&search=ns")) == ["ns/alpha"]
    assert names(hf.get(f"{datasets}?search=b_t")) == ["other/b_ta"]
    assert names(hf.get(f"{datasets}?filter=language:en")) == []
    assert names(hf.get(f"{datasets}?author=a%00")) == names(hf.get(f"{datasets}?search=%00")) == []
    assert names(hf.get(f"{HF}/api/models?full=True")) == ["ns/weights"]
    assert all(entry["sha"] for entry in hf.get(datasets).json())
    assert "siblings" not in hf.get(datasets).json()[0] and hf.get(f"{datasets}?full=true").json()[0]["siblings"] == []


@pytest.mark.parametrize(
    "query", ["", "&sort=createdAt", "&sort=createdAt&direction=1", "&sort=downloads&direction=-1"]
)
def test_lists_go_on_where_the_page_before_ended(hf: HubClient, query: str) -> None:
    workspace = Workspace.objects.get(name="ns")
    start = datetime(2026, 1, 1, tzinfo=UTC)
    for number in range(7):
        made = start + timedelta(days=number // 2)  # two of each day
        Fileset.objects.create(workspace=workspace, name=f"n{number}", purpose=Purpose.DATASET, created_at=made)
    hf.commit(file("a"))
    every = names(hf.get(f"{HF}/api/datasets?x=1{query}"))
    assert len(every) == 8
    found, address = [], f"http://localhost{HF}/api/datasets?limit=3{query}"
    while address:
        reply = hf.get(address.removeprefix("http://localhost"))
        found += names(reply)
        address = reply["Link"].partition(">")[0][1:] if reply.has_header("Link") else ""
        assert not address or (
            address.startswith(f"http://localhost{HF}/api/datasets?limit=3&") and "&cursor=" in address
        )
    if "createdAt" in query:
        assert found == every
    else:  # without a commit, the last change is the first look at it
        assert sorted(found) == sorted(every)


def test_a_list_costs_two_queries_however_long(hf: HubClient, django_assert_num_queries: Any) -> None:
    for number in range(5):
        hf.create(f"ns/n{number}")
    hf.get(f"{HF}/api/datasets")
    with django_assert_num_queries(1):
        assert len(names(hf.get(f"{HF}/api/datasets"))) == 6


def test_the_card_is_the_yaml_of_the_readme(hf: HubClient) -> None:
    cards: dict[bytes, Any] = {
        b"---\nlicense: mit\nday: 2026-01-02\ntags: [a, b]\n---\n# Data\n": {
            "license": "mit",
            "day": "2026-01-02",
            "tags": ["a", "b"],
        },
        b"# No card\n": None,
        b"---\na: [\n---\n": None,
        b"---\n- a\n---\n": None,
        b"---\na: &x [1]\nb: *x\n---\n": None,
        b"---\na: .nan\n---\n": {"a": None},
        b"---\n" + b"[" * 5000 + b"\n---\n": None,
        b"---\na: \xff\n---\n": {"a": "\ufffd"},
    }
    for text, card in cards.items():
        hf.commit(file("README.md", text))
        assert hf.get(REPO).json()["cardData"] == card, text
    assert hf.post(f"{HF}/api/validate-yaml", {"content": "---", "repoType": "dataset"}).json() == {
        "errors": [],
        "warnings": [],
    }


def test_whoever_has_a_token_is_the_local_user(client: APIClient, db: None) -> None:
    reply = client.get(f"{HF}/api/whoami-v2", HTTP_AUTHORIZATION="Bearer hf_any")
    assert reply.json()["name"] == "local" and reply.json()["auth"]["accessToken"]["role"] == "write"
    for header in ({}, {"HTTP_AUTHORIZATION": "Bearer "}, {"HTTP_AUTHORIZATION": "Bearer"}):
        assert client.get(f"{HF}/api/whoami-v2", **header).status_code == 401


def test_auth_checks(hf: HubClient) -> None:
    assert hf.get(f"{REPO}/auth-check").json() == hf.get(f"{REPO}/auth-check/write").json() == {}


def test_xet_is_named_and_never_offered(hf: HubClient) -> None:
    assert "HF_HUB_DISABLE_XET=1" in hf.get(f"{REPO}/xet-read-token/main")["X-Error-Message"]
    hf.commit(file("a"))
    for reply in (hf.get(f"{REPO}?expand=xetEnabled"), hf.get(f"{WEB}/resolve/main/a"), hf.get(f"{REPO}/tree/main")):
        assert "xet" not in (str(reply.headers) + str(getattr(reply, "content", ""))).lower()


def test_times_have_milliseconds_and_a_z() -> None:
    assert hub_time(datetime(2025, 5, 8, 17, 19, 35, 999, tzinfo=UTC)) == "2025-05-08T17:19:35.000Z"
