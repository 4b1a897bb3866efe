"""What a caller wants evaluated, in the form the evaluator takes: metrics as bundles, rows or a reference to them."""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from assay_sdk.client.values import File, Fileset, FilesetRef, StoredMetric
from assay_sdk.engine.spec import Metric, Model, RunConfig

AnyMetric = Metric | StoredMetric | str
"""A metric, or one that is stored: by name, by ``workspace/name``, or itself."""
Metrics = AnyMetric | Sequence[AnyMetric]
Rows = Sequence[Mapping[str, Any]]
Dataset = FilesetRef | Fileset | File | str | Rows
"""Rows, or files of rows in a fileset: ``"workspace/fileset#path"``, a reference, a fileset or a file."""


def listed(metrics: Metrics) -> list[AnyMetric]:
    """Return one metric or several as a list; raises ``ValueError`` if there is none."""
    found: list[AnyMetric] = [metrics] if isinstance(metrics, Metric | StoredMetric | str) else [*metrics]
    if not found:
        raise ValueError("no metric given")
    return found


def definition(metric: Metric) -> dict[str, Any]:
    """Return a metric as it travels: without the members that were not set."""
    return metric.model_dump(mode="json", by_alias=True, exclude_none=True)


def digest(content: Mapping[str, Any]) -> str:
    """Return the SHA-256 of a definition as JSON with sorted keys and without spaces."""
    return hashlib.sha256(json.dumps(content, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def bundle(metric: Metric) -> dict[str, Any]:
    """Return a metric with all that a platform needs to know to run it; of its secrets only the names."""
    content = definition(metric)
    return {
        "bundle_kind": "metric-bundle",
        "bundle_format_version": "v1",
        "metric_type": metric.type,
        "metadata": {"description": metric.description, "labels": metric.labels},
        "outputs": [output.model_dump(mode="json") for output in metric.outputs()],
        "secrets": {re.sub(r"\W", "_", reference): reference for reference in metric.secret_refs()},
        "payload": {"kind": "inline", "metric": content, "digest": digest(content)},
    }


def reference(metric: AnyMetric) -> dict[str, Any] | str:
    """Return a metric as a job's spec names it: a bundle, or the name of a stored one."""
    if isinstance(metric, Metric):
        return bundle(metric)
    return metric if isinstance(metric, str) else f"{metric.workspace}/{metric.name}"


def dataset_spec(dataset: Dataset, workspace: str) -> str | list[dict[str, Any]]:
    """Return a dataset as a job's spec has it; a reference without a workspace is to the one given."""
    match dataset:
        case Fileset():
            return dataset.ref.root
        case File():
            return dataset.file_ref
        case FilesetRef() | str():
            ref = FilesetRef(root=str(dataset))
            place = "/".join(ref.place(workspace))
            return f"{place}#{ref.fragment}" if ref.fragment else place
        case rows:
            return [dict(row) for row in rows]


def job_spec(
    metrics: Metrics,
    dataset: Dataset,
    *,
    workspace: str,
    config: RunConfig | None = None,
    target: Model | None = None,
    prompt_template: str | Mapping[str, Any] | None = None,
    field_mapping: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Return the spec of an evaluation job."""
    return {
        "dataset": dataset_spec(dataset, workspace),
        "params": (config or RunConfig()).model_dump(mode="json", by_alias=True),
        "target": target.model_dump(mode="json", by_alias=True, exclude_none=True) if target else None,
        "prompt_template": prompt_template,
        "field_mapping": field_mapping,
        "publication": None,
        "metrics": [reference(metric) for metric in listed(metrics)],
    }


def with_options(
    custom_fields: Mapping[str, Any] | None, *, cache: bool | None = None, budget: Mapping[str, Any] | None = None
) -> dict[str, Any] | None:
    """Return a job's custom fields with the platform's own options among them; None if there are neither."""
    options = {"cache": cache, "budget": None if budget is None else dict(budget)}
    given = {name: value for name, value in options.items() if value is not None}
    if not given:
        return None if custom_fields is None else dict(custom_fields)
    others = dict(custom_fields or {})
    return {**others, "assay": {**(others.get("assay") or {}), **given}}
