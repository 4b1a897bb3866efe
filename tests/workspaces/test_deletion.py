"""The deletion rules: what stands in the way, what goes along, and in which order."""

from typing import Any

import pytest
from django.db import connection
from django.db.models import Model
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient
from things import make_fileset, make_job, make_secret

from assay.evaluator.models import EvalResult, StoredMetric
from assay.filesets.models import Blob, File, Fileset
from assay.jobs.models import Job, JobSecret, LogLine, Result, RowScore, Shard, State
from assay.platform.errors import Conflict, NotFound
from assay.secrets.models import Secret
from assay.workspaces import deletion
from assay.workspaces.models import Member, Project, Workspace

pytestmark = pytest.mark.django_db

UNFINISHED = [state for state in State if state.value not in deletion.TERMINAL]


def named(found: list[deletion.Blocker]) -> list[str]:
    return [str(blocker) for blocker in found]


def gone(target: Model) -> bool:
    return not type(target)._default_manager.filter(pk=target.pk).exists()


@pytest.mark.parametrize("state", UNFINISHED)
def test_a_job_that_is_not_over_cannot_be_deleted(workspace: Workspace, state: State) -> None:
    job = make_job(workspace, state=state)
    for cascade in (False, True):
        with pytest.raises(Conflict) as refused:
            deletion.delete(job, cascade=cascade)
        assert refused.value.detail == (
            f"Cannot delete job 'judged' while it is '{state.value}'. "
            "Cancel the job and wait for it to reach a terminal state before deleting."
        )
    assert not gone(job)


@pytest.mark.parametrize("state", [State.COMPLETED, State.ERROR, State.CANCELLED])
def test_a_job_takes_along_what_the_platform_made_for_it(workspace: Workspace, state: State) -> None:
    dataset, secret = make_fileset(workspace), make_secret(workspace)
    job = make_job(workspace, state=state, dataset=dataset, secrets=(secret,))
    blob = Blob.objects.create(sha256="0" * 64, size=1)
    File.objects.create(fileset=job.result_fileset, path="results/x", blob=blob)
    Shard.objects.create(job=job, index=0, start=0, stop=1)
    RowScore.objects.create(job=job, row_index=0, scored=True, scores={})
    Result.objects.create(job=job, name="row-scores")
    LogLine.objects.create(job=job, step="evaluate", message="x")
    kept = EvalResult.objects.create(workspace=workspace, name=job.name, scores=[], bundle_ref="")

    assert deletion.blockers(job) == []
    deletion.delete(job)

    assert gone(job) and gone(job.result_fileset)
    assert not any(model.objects.exists() for model in (Shard, RowScore, Result, LogLine, JobSecret, File))
    assert not gone(dataset) and not gone(secret) and not gone(kept)


def test_a_fileset_waits_for_the_jobs_that_refer_to_it_also_finished_ones(workspace: Workspace) -> None:
    dataset = make_fileset(workspace)
    elsewhere = make_job(Workspace.objects.create(name="w-two"), "theirs", dataset=dataset)
    assert named(deletion.blockers(dataset)) == ["job 'w-two/theirs'"]
    with pytest.raises(Conflict) as refused:
        deletion.delete(dataset)
    assert "job 'w-two/theirs'" in str(refused.value.detail)
    assert "jobs, filesets, secrets, workspace" in str(refused.value.detail)
    deletion.delete(elsewhere)
    deletion.delete(dataset)
    assert gone(dataset)


def test_a_result_fileset_goes_only_with_its_job(workspace: Workspace) -> None:
    job = make_job(workspace)
    with pytest.raises(Conflict):
        deletion.delete(job.result_fileset)
    deletion.delete(job.result_fileset, cascade=True)
    assert gone(job) and gone(job.result_fileset)


def test_a_job_waits_for_the_job_that_judges_its_results(workspace: Workspace) -> None:
    first = make_job(workspace, "first")
    second = make_job(workspace, "second", dataset=first.result_fileset)
    assert named(deletion.blockers(first)) == ["job 'w-one/second'"]
    with pytest.raises(Conflict):
        deletion.delete(first)
    deletion.delete(first, cascade=True)
    assert gone(first) and gone(second)
    assert not Fileset.objects.exists()


def test_a_secret_waits_for_filesets_and_jobs(workspace: Workspace) -> None:
    secret = make_secret(workspace)
    fileset = make_fileset(workspace, token_secret=secret)
    job = make_job(workspace, secrets=(secret,))
    assert named(deletion.blockers(secret)) == ["job 'w-one/judged'", "fileset 'w-one/data'"]
    for blocker in (job, fileset):
        with pytest.raises(Conflict):
            deletion.delete(secret)
        deletion.delete(blocker)
    deletion.delete(secret)
    assert gone(secret)


@pytest.mark.parametrize("kind", ["job", "fileset", "secret", "metric", "project"])
def test_a_workspace_waits_for_whatever_a_user_made(workspace: Workspace, kind: str) -> None:
    made: dict[str, Any] = {
        "job": make_job,
        "fileset": make_fileset,
        "secret": make_secret,
        "metric": lambda holder: StoredMetric.objects.create(
            workspace=holder, name="m-one", metric_type="x", bundle={}
        ),
        "project": lambda holder: Project.objects.create(workspace=holder, name="p-one"),
    }
    thing = made[kind](workspace)
    assert named(deletion.blockers(workspace)) == [f"{kind} '{thing}'"]
    with pytest.raises(Conflict) as refused:
        deletion.delete(workspace)
    assert str(refused.value.detail).startswith(
        f"Workspace 'w-one' still holds {kind} '{thing}'. Delete in this order: "
    )
    deletion.delete(thing)
    deletion.delete(workspace)
    assert gone(workspace)


def test_a_refusal_names_a_few_and_counts_the_rest(workspace: Workspace) -> None:
    for number in range(5):
        make_fileset(workspace, f"data-{number}")
    make_job(workspace)
    with pytest.raises(Conflict) as refused:
        deletion.delete(workspace)
    assert "holds job 'w-one/judged', fileset 'w-one/data-0', fileset 'w-one/data-1' and 3 more." in str(
        refused.value.detail
    )


def test_members_eval_results_and_left_over_result_filesets_block_nothing(workspace: Workspace) -> None:
    Member.objects.create(workspace=workspace, principal="alice", roles=["Editor"])
    EvalResult.objects.create(workspace=workspace, name="judged", scores=[], bundle_ref="")
    make_fileset(workspace, "job-fileset-gone", made_by_job=True)
    assert deletion.blockers(workspace) == []
    deletion.delete(workspace)
    assert gone(workspace)
    assert not Member.objects.exists() and not EvalResult.objects.exists() and not Fileset.objects.exists()


def test_a_cascade_removes_dependents_in_order_across_workspaces(workspace: Workspace) -> None:
    other = Workspace.objects.create(name="w-two")
    secret = make_secret(workspace)
    dataset = make_fileset(workspace, token_secret=secret)
    Project.objects.create(workspace=workspace, name="p-one")
    make_job(other, "theirs", dataset=dataset)
    theirs = make_fileset(other, "theirs")
    with_our_key = make_fileset(other, "with-our-key", token_secret=secret)
    make_job(workspace, "ours", dataset=dataset, secrets=(secret,))

    assert named(deletion.preview(workspace)) == [
        "job 'w-two/theirs'",
        "job 'w-one/ours'",
        "fileset 'w-one/data'",
        "fileset 'w-two/with-our-key'",
        "secret 'w-one/key'",
        "project 'w-one/p-one'",
    ]
    deletion.delete(workspace, cascade=True)

    assert gone(workspace) and gone(with_our_key)
    assert not Job.objects.exists() and not Secret.objects.exists()
    assert not gone(other) and not gone(theirs)


def test_a_cascade_removes_nothing_while_a_job_is_not_over(workspace: Workspace) -> None:
    secret = make_secret(workspace)
    make_job(workspace, "done", secrets=(secret,))
    make_job(Workspace.objects.create(name="w-two"), "busy", state=State.PAUSED, secrets=(secret,))
    with pytest.raises(Conflict, match="Cannot delete job 'busy' while it is 'paused'"):
        deletion.delete(workspace, cascade=True)
    assert Job.objects.count() == 2
    assert not gone(workspace) and not gone(secret)


@pytest.mark.parametrize("cascade", [False, True])
def test_the_default_workspace_stays(cascade: bool) -> None:
    default = Workspace.objects.get(name="default")
    with pytest.raises(Conflict, match="'default' belongs to the platform"):
        deletion.delete(default, cascade=cascade)
    assert not gone(default)


def test_whoever_comes_second_is_told_that_it_is_gone(workspace: Workspace) -> None:
    secret, job = make_secret(workspace), make_job(workspace)
    stale = [Secret.objects.get(pk=secret.pk), Job.objects.get(pk=job.pk)]
    deletion.delete(secret)
    deletion.delete(job)
    for target, sentence in zip(
        stale, ["Secret w-one/key not found", "Job 'judged' not found in workspace 'w-one'."], strict=True
    ):
        with pytest.raises(NotFound) as refused:
            deletion.delete(target)
        assert refused.value.detail == sentence


def test_a_large_job_goes_in_few_statements_without_its_rows_being_read(workspace: Workspace) -> None:
    job = make_job(workspace)
    RowScore.objects.bulk_create(RowScore(job=job, row_index=index, scored=True, scores={}) for index in range(3000))
    with CaptureQueriesContext(
        connection,
    ) as captured:
        deletion.delete(job)
    statements = [query["sql"] for query in captured]
    assert len(statements) < 40
    assert not [sql for sql in statements if sql.startswith("SELECT") and "jobs_rowscore" in sql]
    assert not [sql for sql in statements if sql.startswith("SELECT") and '"jobs_job"."spec"' in sql]
    assert not RowScore.objects.exists()


def test_many_blockers_do_not_break_a_statement(workspace: Workspace) -> None:
    Fileset.objects.bulk_create(Fileset(workspace=workspace, name=f"data-{number}") for number in range(1200))
    assert len(deletion.blockers(workspace)) == 1200
    deletion.delete(workspace, cascade=True)
    assert gone(workspace)


def owner(model: type[Model]) -> str:
    """Return the name under which what a row is part of knows such rows."""
    part_of = next(name for name in ("job", "definition") if name in {field.name for field in model._meta.get_fields()})
    related: str = model._meta.get_field(part_of).remote_field.related_name
    return related


def test_every_model_that_refers_to_something_deletable_is_in_the_table() -> None:
    """A new foreign key that protects its target needs a line in the table, or a delete would end in an error."""
    from django.apps import apps
    from django.db.models import PROTECT

    kinds = {kind.model: kind for kind in deletion.KINDS}
    for model in apps.get_models():
        for field in model._meta.get_fields():
            if not (field.many_to_one or field.one_to_one) or not field.concrete:
                continue
            kind = kinds.get(field.related_model._meta.label)
            if kind is None or field.remote_field.on_delete is not PROTECT:
                continue
            by = kinds.get(model._meta.label)
            listed = {name for names in kind.blocked_by.values() for name in names}
            path = field.name if by else f"{owner(model)}__{field.name}"
            assert path in listed, f"{model._meta.label}.{field.name} protects a {kind.word}"


def test_the_address_takes_cascade(client: APIClient, workspace: Workspace) -> None:
    make_job(workspace)
    address = f"/apis/entities/v2/workspaces/{workspace}"
    refused = client.delete(address)
    assert refused.status_code == 409
    assert refused.headers["x-should-retry"] == "false"
    assert not gone(workspace)
    reply = client.delete(f"{address}?cascade=true")
    assert (reply.status_code, reply.json()) == (200, {"message": "Workspace marked for deletion", "id": "w-one"})
    assert client.get(address).status_code == 404
    assert client.post("/apis/entities/v2/workspaces", {"name": "w-one"}, format="json").status_code == 201
