"""A job as the form that would make it again, and in words what of it the form cannot say."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from assay.jobs.models import Dialect, Job
from assay.ui.judge_form import OWN_OF_MODEL, GradeFields, JudgeForm, ScoreFields
from assay_sdk.engine.spec import LLMJudgeMetric, SelfConsistencyMetric, parse_metric

SHOWN_ROWS = 3
"""Rows of a spec that holds its rows."""


@dataclass(frozen=True)
class Clone:
    """What became of the attempt."""

    form: JudgeForm
    notes: list[str]
    """What was left out, one sentence each; none for a whole copy."""
    spec: dict[str, Any]
    """As submitted, to be copied by hand."""


class _Inexpressible(Exception):
    """The form has no fields for this; the message says for what."""


def clone_of(job: Job) -> Clone:
    """Return the form filled in from a job, as far as it goes."""
    if job.dialect == Dialect.CUSTOM:
        note = "It is an evaluation of the v1 API, of tasks with metrics of their own, which this form does not make."
        return Clone(JudgeForm(workspace=job.workspace.name), [note], dict(job.submitted))
    spec = dict(job.spec)
    notes: list[str] = []
    judge = _judge(job.metrics, notes)
    for name, what in (("target", "a model that answers each row first"), ("field_mapping", "a field mapping")):
        if spec.get(name):
            notes.append(f"It has {what} ('{name}'), which this form does not take over.")
    return Clone(JudgeForm(**{**_run(job, spec, notes), **judge}), notes, _shown(spec))


def _run(job: Job, spec: Mapping[str, Any], notes: list[str]) -> dict[str, Any]:
    fileset = file = ""
    dataset = spec.get("dataset")
    if isinstance(dataset, str):
        place, _, file = dataset.partition("#")
        fileset = place if "/" in place else f"{job.workspace.name}/{place}"
    else:
        notes.append("Its rows came with the request. Put them into a fileset, and choose it here.")
    return {
        "workspace": job.workspace.name,
        "fileset": fileset,
        "file": file,
        "description": job.description or "",
        "parallelism": str(job.parallelism),
        "limit_samples": _text(job.limit_samples),
        "cache": "on" if job.uses_cache else "",
        "budget_tokens": _text(job.budget_tokens),
        "budget_cost": "" if job.budget_cost is None else f"{job.budget_cost.normalize():f}",
    }


def _judge(metrics: list[dict[str, Any]], notes: list[str]) -> dict[str, Any]:
    """Return the fields of the first metric, if it is a judge's; note what is not."""
    if len(metrics) != 1:
        notes.append(f"It has {len(metrics)} metrics; this form makes evaluations of one. Only the first is filled in.")
    samples = "1"
    try:
        metric = parse_metric(metrics[0])
        if isinstance(metric, SelfConsistencyMetric):
            given = sorted(metric.model_dump(exclude_defaults=True).keys() - {"judge", "samples"})
            if given:
                notes.append(f"How its samples are combined ({', '.join(given)}) is not taken over.")
            samples = str(metric.samples)
            metric = metric.judge
        if isinstance(metric, LLMJudgeMetric):
            return {**_fields(metric), "samples": samples}
        notes.append(f"Its metric is of the kind '{metric.type}'; this form makes LLM judges only.")
    except ValidationError:
        notes.append("Its metric is of another version of this platform.")
    except _Inexpressible as error:
        notes.append(str(error))
    return {}


def _fields(metric: LLMJudgeMetric) -> dict[str, Any]:
    """Return the judge's fields; what they do not hold goes into ``more``."""
    rest = metric.model_dump(mode="json", by_alias=True, exclude_none=True, exclude_defaults=True)
    model, inference = rest.pop("model"), rest.pop("inference", {})
    scores = tuple(_score(number, score) for number, score in enumerate(rest.pop("scores")))
    prompts = _prompts(rest.get("prompt_template"))
    if prompts:
        del rest["prompt_template"]
    read = {name: _text(inference.pop(name, None)) for name in ("temperature", "max_tokens")}
    others = {name: value for name, value in model.items() if name not in OWN_OF_MODEL}
    more = {**rest, **({"model": others} if others else {}), **({"inference": inference} if inference else {})}
    return {
        "url": model["url"],
        "model": model["name"],
        "secret": model.get("api_key_secret", ""),
        **read,
        **prompts,
        "scores": scores,
        "more": json.dumps(more, indent=2, ensure_ascii=False) if more else "",
    }


def _prompts(template: Any) -> dict[str, str]:
    """Return a template of one user message, perhaps with a system message before it; of any other form nothing."""
    if not isinstance(template, Mapping) or template.keys() != {"messages"}:
        return {}
    messages = template["messages"]
    if not isinstance(messages, list) or not 1 <= len(messages) <= 2:
        return {}
    if any(not isinstance(each, Mapping) or each.keys() != {"role", "content"} for each in messages):
        return {}
    if [each["role"] for each in messages] != ["system", "user"][2 - len(messages) :]:
        return {}
    if any(not isinstance(each["content"], str) or not each["content"].strip() for each in messages):
        return {}
    return {each["role"]: each["content"] for each in messages}


def _score(number: int, score: Mapping[str, Any]) -> ScoreFields:
    if "kind" in score:
        raise _Inexpressible(f"Its score '{score['name']}' is a number without a scale, which this form does not make.")
    parser = score.get("parser") or {}
    regex = "pattern" in parser
    path = parser.get("json_path", "")
    grades = tuple(
        GradeFields(str(index), grade["label"], _text(grade["value"]), grade.get("description") or "")
        for index, grade in enumerate(score.get("rubric") or [])
    )
    return ScoreFields(
        number=str(number),
        name=score["name"],
        kind="rubric" if grades else "range",
        description=score.get("description") or "",
        min=_text(score.get("minimum")),
        max=_text(score.get("maximum")),
        parser="regex" if regex else "json",
        path="" if path == score["name"] else path,
        pattern=parser.get("pattern", ""),
        method=parser.get("method", "match"),
        grades=grades or ScoreFields.grades,
    )


def _shown(spec: dict[str, Any]) -> dict[str, Any]:
    rows = spec.get("dataset")
    if not isinstance(rows, list) or len(rows) <= SHOWN_ROWS:
        return spec
    return {**spec, "dataset": [*rows[:SHOWN_ROWS], f"… and {len(rows) - SHOWN_ROWS} more rows"]}


def _text(value: object) -> str:
    return "" if value is None else str(value)
