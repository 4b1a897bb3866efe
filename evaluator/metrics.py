"""Stored metrics: a bundle under a name, for jobs to name instead of sending it."""

from typing import Any

from pydantic import ValidationError

from assay.evaluator.models import StoredMetric
from assay.evaluator.wire import Bundle, InlinePayload
from assay.platform.api import mistakes
from assay.platform.audit import record
from assay.platform.errors import Invalid, NotFound
from assay.workspaces.lookup import inserting
from assay.workspaces.models import Project, Workspace
from assay_sdk.engine.spec import parse_metric

PICKLED = (
    "pickled metrics are never unpickled on this server, since unpickling runs whatever code the sender put in. "
    'Send the metric as an inline payload, {"kind": "inline", "metric": {"type": "llm-judge", ...}}, '
    "as clients from 0.2.0 on do by themselves"
)


class UnusableBundle(Exception):
    """The metric of a bundle cannot be used; the message says why."""


def inline_metric(bundle: Bundle) -> dict[str, Any]:
    """Return the definition in the bundle. Raises ``UnusableBundle`` for a pickled one, without reading it."""
    if not isinstance(bundle.payload, InlinePayload):
        raise UnusableBundle(PICKLED)
    return bundle.payload.metric


def keep(workspace: Workspace, name: str, bundle: Bundle, project: str | None = None) -> StoredMetric:
    """Store the bundle for good. Raises ``Invalid`` where no job could use it, ``Conflict`` for a taken name.

    Its secrets need not exist yet.
    """
    try:
        definition = inline_metric(bundle)
        parse_metric(definition)
    except UnusableBundle as error:
        where = {"type": "value_error", "loc": ["body", "payload"], "msg": f"Value error, {error}", "input": None}
        raise Invalid([where]) from None
    except ValidationError as error:
        raise Invalid(mistakes(error, "body", "payload", "metric")) from None
    if project is not None and not Project.objects.filter(workspace=workspace, name=project).exists():
        raise Invalid(f"Project '{project}' not found in workspace '{workspace.name}'")
    with inserting(workspace, f"Metric with workspace '{workspace.name}' and name '{name}' already exists"):
        metric = StoredMetric.objects.create(
            workspace=workspace,
            name=name,
            project=project,
            metric_type=bundle.metric_type,
            description=bundle.metadata.description,
            bundle=bundle.model_dump(mode="json"),
        )
        record("metric.create", metric, after={"type": metric.metric_type, "description": metric.description})
    return metric


def find_metric(workspace: str, name: str) -> StoredMetric:
    """Return the stored metric; raises ``NotFound``."""
    found = StoredMetric.objects.select_related("workspace").filter(workspace__name=workspace, name=name).first()
    if found is None:
        raise NotFound(f"Metric not found: {workspace}/{name}")
    return found


def stored_bundle(workspace: Workspace, reference: str) -> Bundle:
    """Return the bundle that a job in ``workspace`` means by ``[workspace/]name``; raises ``UnusableBundle``."""
    owner, _, name = reference.rpartition("/")
    try:
        return Bundle.model_validate(find_metric(owner or workspace.name, name).bundle)
    except NotFound as error:
        raise UnusableBundle(str(error.detail)) from None
