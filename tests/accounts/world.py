"""Two workspaces with one of everything, for the test of every route: one that most callers see, one that they do not.

Every text of a workspace holds its ``tag``, a word that stands nowhere else: a reply that holds it shows something of
that workspace. A third one is not there: its names have the same length, so that replies can be compared.
"""

import io
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from string import Template
from typing import Any

from django.apps import apps
from django.db import connection
from django.utils import timezone

from assay.accounts.models import AccessToken
from assay.evaluator.definitions import create_definition
from assay.evaluator.metrics import keep
from assay.evaluator.models import DefinitionKind, EvalResult
from assay.evaluator.posted import ResultCreate, post_result
from assay.evaluator.wire import Bundle
from assay.filesets import blobs, datasets, history, local
from assay.filesets.hub import repos
from assay.filesets.models import Fileset, Storage
from assay.jobs import logs, publish_v1, results
from assay.jobs.custom_results import fold
from assay.jobs.models import Job, JobSecret, Reply, State, Usage
from assay.jobs.steps import task_name
from assay.jobs.submit_v1 import submit_v1
from assay.platform.caller import Scope
from assay.secrets.store import create_secret
from assay.workspaces.making import create_workspace
from assay.workspaces.models import Member, Project, Workspace
from tests.accounts.signing_in import person
from tests.jobs.made import AGGREGATES, job_in, judged
from tests.rest import bundle

NOWHERE = "http://127.0.0.1:9/v1"
"""Nothing listens there."""
COLUMN = "helpfulness"
ENDPOINT = {"url": f"{NOWHERE}/chat/completions", "model_id": "m"}


def check_config(tag: str) -> dict[str, Any]:
    """Return a config that needs no judge."""
    metric = {"type": "string-check", "params": {"check": ["{{item.q}}", "equals", tag]}}
    return {
        "type": "custom",
        "description": f"{tag} config",
        "tasks": {"qa": {"type": "data", "metrics": {"m": metric}}},
    }


def rows_target(tag: str) -> dict[str, Any]:
    return {"type": "rows", "description": f"{tag} target", "rows": [{"q": tag}, {"q": f"{tag} again"}]}


@dataclass(frozen=True)
class Place:
    """A workspace and how what is in it is addressed: ``$name`` in an address or a body stands for a value of it."""

    tag: str
    values: dict[str, str]

    def fill(self, given: Any) -> Any:
        """Return an address or a body with the values in their places."""
        if isinstance(given, str):
            return Template(given).safe_substitute(self.values)
        if isinstance(given, dict):
            return {self.fill(key): self.fill(value) for key, value in given.items()}
        return [self.fill(entry) for entry in given] if isinstance(given, list) else given

    def absent(self, tag: str) -> "Place":
        """Return a place that nobody has made, called ``tag``, its ids such as nothing has."""
        assert len(tag) == len(self.tag)
        return Place(tag, {name: _unlike(value, self.tag, tag) for name, value in self.values.items()})

    def beside(self, far: "Place") -> "Place":
        """Return this place with ``far`` at hand: its values are ``$far_name``."""
        return Place(self.tag, self.values | {f"far_{name}": value for name, value in far.values.items()})

    def as_if(self, other: "Place", text: str) -> str:
        """Return what a reply about this place would be about ``other``."""
        for name in sorted(self.values, key=lambda each: -len(self.values[each])):
            if self.tag not in self.values[name]:
                text = text.replace(self.values[name], other.values[name])
        return text.replace(self.tag, other.tag)


def _unlike(value: str, tag: str, other: str) -> str:
    """Return another name, or an id of the same form that nothing has."""
    return value.replace(tag, other) if tag in value else value[:-8] + "0" * 8 if _hex(value) else value[:-8] + "z" * 8


def _hex(value: str) -> bool:
    return len(value) in {40, 64} and not set(value) - set("0123456789abcdef")


def furnish(tag: str) -> Place:
    """Make a workspace that holds one of everything, and return how it is addressed."""
    home = create_workspace(
        f"{tag}-w",
        description=f"{tag} workspace",
        project=f"{tag}-project",
        custom_fields={"note": f"{tag} note"},
        ownership={"created_by": f"{tag}-owner"},
    )
    guest = person(f"{tag}-guest")
    Member.objects.create(workspace=home, principal=guest.username, roles=["Viewer"], granted_by=f"{tag}-owner")
    Project.objects.create(workspace=home, name=f"{tag}-project", description=f"{tag} project")
    AccessToken.objects.create(
        owner=guest, name=f"{tag}-token", digest=f"{tag}", hint=tag[-4:], scope=Scope.READ, workspace=home
    )
    values = {"tag": tag, "ws": home.name, "member": guest.username, "project": f"{tag}-project"}
    values |= _secrets(home, tag) | _filesets(home, tag) | _definitions(home, tag) | _jobs(home, tag)
    return Place(tag, values)


def _secrets(home: Workspace, tag: str) -> dict[str, str]:
    for name in ("key", "spare-key"):
        create_secret(home, f"{tag}-{name}", f"sk-{tag}-{name}", f"{tag} secret")
    return {"secret": f"{tag}-key", "spare_secret": f"{tag}-spare-key"}


def _filesets(home: Workspace, tag: str) -> dict[str, str]:
    about: dict[str, Any] = {"description": f"{tag} data", "project": f"{tag}-project"}
    data = Fileset.objects.create(
        workspace=home, name=f"{tag}-data", custom_fields={"n": tag}, metadata={"labels": {"n": tag}}, **about
    )
    rows = "".join(f'{{"prompt": "{tag} {n}", "{COLUMN}": {n}}}\n' for n in range(2))
    local.put(data, f"{tag}.jsonl", io.BytesIO(rows.encode()))
    commit = history.settle(data)
    history.create_branch(data, f"{tag}-branch")
    history.create_tag(data, f"{tag}-label")
    large = blobs.put(io.BytesIO(f"{tag} large".encode()))
    history.hold(data, large)
    Fileset.objects.create(workspace=home, name=f"{tag}-spare", **about)
    Fileset.objects.create(
        workspace=home,
        name=f"{tag}-pinned",
        storage_type=Storage.HUGGINGFACE,
        storage={"repo_id": f"{tag}/repo", "repo_type": "dataset", "endpoint": NOWHERE, "token_secret": f"{tag}-key"},
        revision="1" * 40,
        original_revision="main",
        token_secret=home.secrets.get(name=f"{tag}-key"),
        **about,
    )
    weights = repos.create("model", home.name, f"{tag}-weights", private=True, by="")
    local.put(weights, f"{tag}.jsonl", io.BytesIO(f"{tag} weights".encode()))
    history.settle(weights)
    datasets.register(home, f"{tag}-set", {"files_url": f"hf://datasets/{home.name}/{tag}-data", "split": tag, **about})
    return {
        "fileset": f"{tag}-data", "spare": f"{tag}-spare", "pinned": f"{tag}-pinned", "model_repo": f"{tag}-weights",
        "dataset": f"{tag}-set", "file": f"{tag}.jsonl", "oid": commit.oid,
        "branch": f"{tag}-branch", "label": f"{tag}-label", "large": large.sha256,
    }  # fmt: skip


def _definitions(home: Workspace, tag: str) -> dict[str, str]:
    metric = bundle(NOWHERE, secret=f"{tag}-key", model=f"{tag}-model")
    metric["metadata"] = {"description": f"{tag} metric", "labels": {"n": tag}}
    keep(home, f"{tag}-metric", Bundle.model_validate(metric))
    named = {"namespace": home.name, "custom_fields": {"n": tag}, "description": f"{tag} definition"}
    endpoint = {**ENDPOINT, "model_id": f"{tag}-m", "api_key": f"sk-{tag}-inline"}
    bodies = {
        DefinitionKind.MODEL: {"name": f"{tag}-model", "api_endpoint": endpoint},
        DefinitionKind.TARGET: {"name": f"{tag}-target", "type": "model", "model": {"api_endpoint": endpoint}},
        DefinitionKind.CONFIG: {"name": f"{tag}-config", **check_config(tag)},
    }
    for kind, body in bodies.items():
        create_definition(kind, {**body, **named})
    posted = post_result(
        ResultCreate(
            job=f"{tag}-run",
            namespace=home.name,
            tasks={"n": tag},
            description=f"{tag} result",
            files_url=f"hf://{tag}",
        )
    )
    return {
        "metric": f"{tag}-metric", "model": f"{tag}-model", "target": f"{tag}-target", "config": f"{tag}-config",
        "posted": posted.uid,
    }  # fmt: skip


def _jobs(home: Workspace, tag: str) -> dict[str, str]:
    about: dict[str, Any] = {"description": f"{tag} job", "custom_fields": {"n": tag}, "created_by": f"{tag}-owner"}
    about |= {"spec": {"dataset": [{"prompt": f"{tag} 0"}, {"prompt": f"{tag} 1"}]}}
    done, again = (_completed(job_in(home, f"{tag}-{name}", **about), tag) for name in ("judged", "again"))
    JobSecret.objects.create(job=done, secret=home.secrets.get(name=f"{tag}-key"), reference=f"{tag}-key")
    waiting = job_in(home, f"{tag}-waiting", message=f"{tag} waits", **about)
    Reply.objects.create(workspace=home, key=tag.encode(), model=f"{tag}-model", address=f"http://{tag}", body=b"")
    given: dict[str, Any] = {"namespace": home.name, "own_hosts": frozenset(), "principal": f"{tag}-owner"}
    v1, v1_waiting = (
        submit_v1(check_config(tag), rows_target(tag), name=f"{tag}-v1-{name}", description=f"{tag} v1 job", **given)
        for name in ("done", "waiting")
    )
    publish_v1.publish(v1, fold(v1))
    Job.objects.filter(pk=v1.pk).update(state=State.COMPLETED, finished_at=timezone.now(), message=f"{tag} done")
    return {
        "job": done.name, "job2": again.name, "waiting": waiting.name, "uid": done.uid, "v1": v1.uid,
        "task": task_name(done, "evaluate"), "v1_waiting": v1_waiting.uid, "v2": v1.uid.replace("eval-", "job-"),
        "v2_waiting": v1_waiting.uid.replace("eval-", "job-"),
        "v1_result": v1.uid.replace("eval-", "evaluation_result-"),
    }  # fmt: skip


def _completed(job: Job, tag: str) -> Job:
    for index in range(2):
        judged(job, index, item={"prompt": f"{tag} {index}", COLUMN: index}, sample={"output_text": f"{tag} said"})
    Job.objects.filter(pk=job.pk).update(rows_total=2, rows_done=2, active_at=timezone.now() - timedelta(seconds=5))
    results.write_artifacts(job, {"scores": [{**AGGREGATES["scores"][0], "name": f"{tag}.{COLUMN}"}]})
    Job.objects.filter(pk=job.pk).update(
        state=State.COMPLETED, finished_at=timezone.now(), message=f"{tag}: 2 rows scored", error=""
    )
    job.refresh_from_db()
    logs.write(job, f"{tag} log line")
    Usage.objects.create(job=job, model=f"{tag}-model", address=f"http://{tag}.test/v1", calls=2, tokens_in=20)
    EvalResult.objects.create(
        workspace=job.workspace,
        name=job.name,
        scores=AGGREGATES,
        metric_types=[f"{tag}-type"],
        dataset_ref=f"{tag}-data",
        bundle_ref=f"{tag}#bundle.json",
    )
    return job


# What stands in the database

Rows = dict[tuple[str, Any], tuple[Any, ...]]
"""Every row by its table and key."""


def rows_now() -> Rows:
    found: Rows = {}
    with connection.cursor() as cursor:
        for table, columns, _ in TABLES:
            cursor.execute(f'SELECT {", ".join(map(connection.ops.quote_name, columns))} FROM "{table}"')
            found |= {(table, row[0]): tuple(map(_plain, row)) for row in cursor.fetchall()}
    return found


def _plain(value: Any) -> Any:
    return bytes(value) if isinstance(value, memoryview) else str(value) if isinstance(value, dict | list) else value


@dataclass(frozen=True)
class Holdings:
    """The rows that belong to a workspace, among all that there are."""

    rows: Rows
    among: Rows

    @cached_property
    def ids(self) -> set[str]:
        """What names one of them and nothing else: it is as telling as their texts."""
        found = set()
        for table, columns, _ in TABLES:
            named = [place for place, name in enumerate(columns) if name in {"uid", "oid", "sha256", "git_oid"}]
            found |= {row[place] for (at, _), row in self.rows.items() if at == table for place in named if row[place]}
        return found

    def harmed(self, now: Rows) -> list[str]:
        """Return what became of them: which are gone or changed, and which new rows refer to one of them."""
        found = [
            f"{table} {key} is changed or gone"
            for (table, key), row in self.rows.items()
            if now.get((table, key)) != row
        ]
        links = {
            table: [(columns.index(column), to) for column, to in found_links] for table, columns, found_links in TABLES
        }
        for (table, key), row in now.items():
            if (table, key) not in self.among:
                met = [(to, row[place]) for place, to in links[table] if (to, row[place]) in self.rows]
                found += [f"new {table} {key} refers to {to} {there}" for to, there in met]
        return found


def _tables() -> list[tuple[str, list[str], list[tuple[str, str]]]]:
    """Return each table with its columns, and which of these lead to which table."""
    found = []
    for model in apps.get_models(include_auto_created=True):
        fields = model._meta.concrete_fields
        links = [(each.column, each.related_model._meta.db_table) for each in fields if each.related_model is not None]
        # Counts and the audit keep the key of a workspace that may be gone.
        links += [(each.column, Workspace._meta.db_table) for each in fields if each.column == "workspace"]
        found.append((model._meta.db_table, [each.column for each in fields], links))
    return found


TABLES = _tables()
