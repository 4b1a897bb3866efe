"""From a spec as a client sent it to what a job needs, checked as far as it can be before any row is read."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

from pydantic import ValidationError

from assay.evaluator.metrics import UnusableBundle, inline_metric, stored_bundle
from assay.evaluator.wire import SPEC, Bundle, BundlesSpec, Dialect, MetricOutput, SingleSpec
from assay.filesets.reference import FilesetReference
from assay.platform.api import mistakes
from assay.platform.errors import Conflict, Invalid
from assay.secrets.models import Secret
from assay.secrets.store import SecretsMissing, look_up
from assay.workspaces.models import Workspace
from assay_sdk.engine.spec import Metric, Model, parse_metric

REFUSED = "Failed to transform nemo-evaluator job input to output: "
MISSING_SECRET = (
    "Unable to create job because one or more referenced secrets were not found or are not accessible. "
    "Verify each platform_spec secret reference uses the expected workspace/name and that you have access."
)


@dataclass(frozen=True)
class Submission:
    """What was asked for, in the words of the job; nothing in it refers back to the request."""

    dialect: Dialect
    spec: dict[str, Any]
    """To send back to the client: in the form it came in, defaults filled in."""
    metrics: list[dict[str, Any]]
    """Definitions that ``parse_metric`` accepts."""
    dataset: list[dict[str, Any]] | FilesetReference
    """Rows, or a fileset that may not exist: as the contract has it, the job then ends in ``error``."""
    parallelism: int
    limit_samples: int | None
    secret_references: list[str]
    """As written, ``name`` or ``workspace/name``, each once; every one existed when it was looked up."""


def read_submission(workspace: Workspace, spec: SingleSpec | BundlesSpec | Mapping[str, Any]) -> Submission:
    """Return what a job in ``workspace``, which need not be saved, needs in order to do what ``spec`` asks.

    Raises ``Invalid`` with every mistake of form and its place, or with every metric that cannot be used and why;
    ``Conflict`` with the contract's sentence for a missing secret.
    """
    form = spec if isinstance(spec, SingleSpec | BundlesSpec) else _read_form(spec)
    definitions, references, echo = (
        _read_single(form) if isinstance(form, SingleSpec) else _read_bundles(workspace, form)
    )
    if form.target:
        references = references | set(Model.model_validate(form.target).secret_refs())
    secrets_of(workspace, references)
    return Submission(
        dialect=form.dialect,
        spec=echo,
        metrics=definitions,
        dataset=form.dataset if isinstance(form.dataset, list) else FilesetReference.parse(form.dataset.root),
        parallelism=form.params.parallelism,
        limit_samples=form.params.limit_samples,
        secret_references=sorted(references),
    )


def secrets_of(workspace: Workspace, references: Iterable[str]) -> dict[str, Secret]:
    """Return the secrets that a job in ``workspace`` refers to, unopened; raises ``Conflict`` for a missing one."""
    try:
        return look_up(references, workspace.name)
    except SecretsMissing:
        raise Conflict(MISSING_SECRET) from None


def _read_form(spec: Mapping[str, Any]) -> SingleSpec | BundlesSpec:
    try:
        return SPEC.validate_python(dict(spec))
    except ValidationError as error:
        raise Invalid(mistakes(error, "body", "spec")) from None


Read = tuple[list[dict[str, Any]], set[str], dict[str, Any]]
"""The metrics' definitions, the secrets they refer to, and the spec to send back."""


def _read_single(form: SingleSpec) -> Read:
    try:
        metric = parse_metric(form.metric)
    except ValidationError as error:
        raise Invalid(REFUSED + "; ".join(_told(error, "spec.metric"))) from None
    return [form.metric], set(metric.secret_refs()), form.echo()


def _read_bundles(workspace: Workspace, form: BundlesSpec) -> Read:
    bundles: list[Bundle] = []
    references: set[str] = set()
    complaints: list[str] = []
    for index, entry in enumerate(form.metrics):
        place = f"spec.metrics.{index}"
        try:
            bundle = entry if isinstance(entry, Bundle) else stored_bundle(workspace, entry)
            metric = parse_metric(inline_metric(bundle))
            _agree(bundle, metric)
            bundles.append(bundle)
            references.update(metric.secret_refs(), bundle.secrets.values())
        except ValidationError as error:
            complaints += _told(error, f"{place}.payload.metric")
        except UnusableBundle as error:
            complaints.append(f"{place}: {error}" if len(form.metrics) > 1 else str(error))
    if complaints:
        raise Invalid(REFUSED + "; ".join(complaints))
    return [inline_metric(bundle) for bundle in bundles], references, form.echo(bundles)


def _told(error: ValidationError, place: str) -> list[str]:
    """Return pydantic's findings as text: where and what, never the value, which may be a key put there by mistake."""
    found = error.errors(include_url=False, include_context=False, include_input=False)
    return [".".join([place, *map(str, each["loc"])]) + f": {each['msg']}" for each in found]


def _agree(bundle: Bundle, metric: Metric) -> None:
    """Raise ``UnusableBundle`` where the bundle says of its metric what the metric does not say itself."""
    if bundle.metric_type != metric.type:
        raise UnusableBundle(f"the bundle's metric_type is '{bundle.metric_type}', its metric's type '{metric.type}'")
    pairs = zip_longest([output.model_dump() for output in metric.outputs()], [o.model_dump() for o in bundle.outputs])
    differing = {
        field
        for ours, theirs in pairs
        for field in MetricOutput.model_fields
        if (ours or {}).get(field) != (theirs or {}).get(field)
    }
    if differing:
        raise UnusableBundle(
            f"unbundled metric output spec does not match bundle metadata (mismatched fields: {sorted(differing)})"
        )
