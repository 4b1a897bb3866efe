"""Take in an evaluation of the v1 API: a job like any other, whose tasks are its parts (microservices-v1 section 5)."""

from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from assay.evaluator.custom import Evaluation, Task, translate
from assay.evaluator.custom_models import reference_of
from assay.evaluator.definitions import get_definition, inline_snapshot, snapshot
from assay.evaluator.models import DefinitionKind
from assay.evaluator.sealing import SEALED, seal_keys, sealed_secrets
from assay.evaluator.wire import Bundle, InlinePayload, MetricOutput, OnlineParams, Params
from assay.filesets.models import Fileset, Purpose
from assay.jobs import logs
from assay.jobs.allowed import refuse_over_quota
from assay.jobs.models import Dialect, Job, JobPart, JobSecret
from assay.jobs.options import Options
from assay.jobs.wake import wake
from assay.platform.audit import record
from assay.platform.errors import Invalid, NotFound
from assay.platform.ids import new_id
from assay.platform.v1 import fault
from assay.secrets.models import Secret
from assay.workspaces.lookup import inserting
from assay.workspaces.models import Workspace
from assay.workspaces.namespaces import Store, namespace_for
from assay_sdk.engine.spec import parse_metric

RESULTS = "evaluation-results"
"""The namespace of the repositories that jobs publish their results in."""
KINDS = {"config": DefinitionKind.CONFIG, "target": DefinitionKind.TARGET}


def submit_v1(
    config: str | Mapping[str, Any],
    target: str | Mapping[str, Any],
    *,
    namespace: str,
    own_hosts: frozenset[str],
    name: str | None = None,
    principal: str = "",
    **about: Any,
) -> Job:
    """Return the saved job, in state ``created``. Config and target are given inline, or by ``namespace/name``.

    Raises ``Invalid`` with every fault, ``NotFound`` for what is named and not there, and ``Conflict`` where a key that
    is referred to was deleted meanwhile, or the name is taken.
    """
    options = Options.of(about.get("custom_fields"))
    given = {"config": config, "target": target}
    read = read_both(given)
    workspace = namespace_for(Store.ENTITIES, namespace, principal)
    # Where people sign in, results belong to those whose job it was.
    results = workspace if settings.AUTH else namespace_for(Store.DATA, RESULTS)
    uid = new_id("eval")
    with inserting(workspace, f"Job {workspace.name}/{name} already exists"):
        refuse_over_quota(workspace)
        stored = {
            member: found if isinstance(given[member], str) else seal_keys(workspace, found, where=("body", member))[0]
            for member, found in read.items()
        }
        evaluation = translate(stored["config"], stored["target"], own_hosts=own_hosts)
        job = Job.objects.create(
            uid=uid,
            workspace=workspace,
            name=name or uid,
            dialect=Dialect.CUSTOM,
            spec=spec_of(evaluation),
            submitted=stored,
            metrics=[definition for task in evaluation.tasks for definition in task.metrics.values()],
            dataset_fileset=None,
            parallelism=evaluation.parallelism,
            limit_samples=evaluation.limit_samples,
            result_fileset=_result_fileset(results, uid),
            created_by=principal,
            **about,
            **options.fields(),
        )
        JobPart.objects.bulk_create(_part(job, index, task) for index, task in enumerate(evaluation.tasks))
        JobSecret.objects.bulk_create(
            JobSecret(job=job, secret=secret, reference=reference_of({SEALED: reference}))
            for reference, secret in _secrets(stored, evaluation).items()
        )
        logs.write(job, f"Job '{workspace.name}/{uid}' submitted.")
        record("job.submit", job, after={"tasks": [task.name for task in evaluation.tasks]})
        transaction.on_commit(lambda: wake(job.pk))
    return job


def read_both(given: Mapping[str, str | Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return the snapshots of config and target, the keys of inline ones as they were sent.

    Raises ``Invalid`` with the faults of both, ``NotFound``.
    """
    found, faults = {}, []
    for name, kind in KINDS.items():
        body = given[name]
        if isinstance(body, str):
            namespace, _, rest = body.partition("/")
            if not rest:
                raise NotFound(f"{name.capitalize()} {body} not found")
            found[name] = snapshot(get_definition(kind, namespace, rest))
        else:
            found[name], wrong = inline_snapshot(kind, body)
            faults += [fault(["body", name, *each["loc"]], each["msg"], each["type"]) for each in wrong]
    if faults:
        raise Invalid(faults)
    return found


def spec_of(evaluation: Evaluation) -> dict[str, Any]:
    """Return the evaluation in the words of v2's bundles spec, for clients of v2 and the UI to show.

    Of several tasks it names the first one's data and prompt: v2 has no tasks.
    """
    first = evaluation.tasks[0]
    params = {"parallelism": evaluation.parallelism, "limit_samples": evaluation.limit_samples}
    form: Params | OnlineParams = Params.model_validate(params)
    if evaluation.target is not None:
        form = OnlineParams.model_validate(first.params | params)
    return {
        "dataset": first.rows if first.rows is not None else _dataset_name(first),
        "target": evaluation.target,
        "prompt_template": first.prompt_template,
        "params": form.model_dump(mode="json", by_alias=True),
        "field_mapping": None,
        "metrics": [
            _bundle(task, name, definition) for task in evaluation.tasks for name, definition in task.metrics.items()
        ],
    }


def _dataset_name(task: Task) -> str:
    dataset = task.dataset
    fragment = f"#{dataset['path']}" if dataset["path"] else ""
    return f"{dataset['namespace']}/{dataset['repository']}{fragment}"


def _bundle(task: Task, name: str, definition: dict[str, Any]) -> dict[str, Any]:
    metric = parse_metric(definition)
    bundle = Bundle(
        metric_type=metric.type,
        metadata={"labels": {"task": task.name, "metric": name}},
        outputs=[MetricOutput(**output.model_dump()) for output in metric.outputs()],
        secrets={reference.replace("-", "_"): reference for reference in metric.secret_refs()},
        payload=InlinePayload(kind="inline", metric=definition),
    )
    return bundle.model_dump(mode="json")


def _part(job: Job, index: int, task: Task) -> JobPart:
    return JobPart(
        job=job,
        index=index,
        name=task.name,
        metrics=[task.key(name) for name in task.metrics],
        prompt_template=task.prompt_template,
        params=task.params,
        rows=task.rows,
        dataset=task.dataset,
        fileset=_fileset(task.dataset),
    )


def _fileset(dataset: Mapping[str, Any]) -> Fileset | None:
    """Return the fileset that the rows will be read from, so that nobody deletes it meanwhile, if it is there now."""
    if not dataset or dataset["hf_endpoint"]:
        return None
    place = {"workspace__name": dataset["namespace"], "name": dataset["repository"]}
    return Fileset.objects.filter(**place).first()


def _secrets(stored: Mapping[str, Any], evaluation: Evaluation) -> dict[str, Secret]:
    """Return the secrets that the job opens: those in its config and target, and those of models that these name."""
    return sealed_secrets([stored, evaluation.models])


def _result_fileset(workspace: Workspace, uid: str) -> Fileset:
    return Fileset.objects.create(
        workspace=workspace,
        name=uid,
        description=f"Results of evaluation {uid}",
        purpose=Purpose.DATASET,
        made_by_job=True,
        created_at=timezone.now(),
    )
