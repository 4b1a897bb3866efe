"""What a job was asked to do, as its page tells it: the data, who is asked what, the scores, and never a key."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from django.db.models import BooleanField, ExpressionWrapper, Q
from pydantic import ValidationError

from assay.filesets.models import Fileset
from assay.jobs.judges import judged_by_stand_in
from assay.jobs.models import Dialect, Job, JobPart
from assay.jobs.packs import RowLost
from assay.jobs.parts import metrics_of
from assay.jobs.shown_spec import shown_spec
from assay.jobs.terms import plain_address
from assay.platform.v1 import masked
from assay.secrets.models import Secret
from assay_sdk.engine.spec import (
    InferenceParams,
    JSONScoreParser,
    LLMJudgeMetric,
    Metric,
    NumberScore,
    PairwiseMetric,
    PanelMetric,
    RangeScore,
    RubricItem,
    RubricScore,
    SelfConsistencyMetric,
)

UNREADABLE_RETRIES = 2
"""How often a judge is asked again whose reply holds no score, where its definition does not say."""


@dataclass(frozen=True)
class Data:
    """Rows that are judged."""

    fileset: Fileset | None
    text: str
    """The file in the fileset, or what there is instead of one."""
    task: str = ""
    revision: str = ""


@dataclass(frozen=True)
class Message:
    role: str
    text: str


@dataclass(frozen=True)
class Score:
    """A score that a metric gives, and how it is read."""

    name: str
    scale: str
    read: str
    description: str
    labels: list[RubricItem] = field(default_factory=list)


@dataclass(frozen=True)
class Asked:
    """A model that is asked: who, where, with which key, and what."""

    title: str
    model: str
    address: str
    secret: str
    settings: str
    messages: list[Message]
    more: dict[str, Any]
    """What else the request holds."""
    retries: int | None = None


@dataclass(frozen=True)
class Judging:
    """One metric of the job."""

    key: str
    kind: str
    description: str
    asked: list[Asked]
    addresses: list[str]
    """Of services that are no models."""
    scores: list[Score]
    definition: Any


@dataclass(frozen=True)
class Facts:
    data: list[Data]
    target: Asked | None
    metrics: list[Judging]
    secrets: list[Secret]
    stand_in: bool
    online: dict[str, Any]
    """How the target is called."""
    submitted: Any
    """A v1 job's own words; None for others."""


def facts_of(job: Job) -> Facts:
    """Return what the job was asked to do; ``with_spec_text`` has its spec at hand."""
    spec = shown_spec(job)
    params = spec.get("params") or {}
    kept = ("request_timeout", "max_retries", "ignore_request_failure")
    v1 = job.dialect == Dialect.CUSTOM
    return Facts(
        data=_tasks(job) if v1 else [_data(job, spec)],
        target=_target(spec),
        metrics=_metrics(job),
        secrets=[each.secret for each in job.job_secrets.select_related("secret__workspace").order_by("reference")],
        stand_in=_by_stand_in(job),
        online={name: params[name] for name in kept if params.get(name) is not None} if spec.get("target") else {},
        submitted=masked(job.submitted) if v1 else None,
    )


def _by_stand_in(job: Job) -> bool:
    try:
        return job.rows_done > 0 and judged_by_stand_in(job)
    except RowLost:  # the page says what else there is, also of a job whose rows are lost
        return False


def _data(job: Job, spec: dict[str, Any]) -> Data:
    if job.dataset_fileset is not None:
        return Data(job.dataset_fileset, job.dataset_fragment or "all its files", revision=job.dataset_revision)
    dataset = spec.get("dataset")
    if isinstance(dataset, str):
        return Data(None, f"{dataset} (no such fileset)")
    count = "Rows" if job.rows_total is None else "1 row" if job.rows_total == 1 else f"{job.rows_total:,} rows"
    return Data(None, f"{count}, sent with the evaluation")


def _tasks(job: Job) -> list[Data]:
    sent = ExpressionWrapper(Q(rows__isnull=False), BooleanField())
    parts = job.parts.select_related("fileset__workspace").defer("rows", "fileset__metadata").annotate(sent=sent)
    return [_task(part, part.sent) for part in parts.order_by("index")]


def _task(part: JobPart, sent: bool) -> Data:
    if sent:
        return Data(None, "Rows, sent with the target", task=part.name)
    text = part.dataset.get("path") or "all its files"
    if part.fileset is None:
        text = part.dataset.get("files_url") or "nothing that is known here"
    return Data(part.fileset, text, task=part.name, revision=part.revision)


def _target(spec: dict[str, Any]) -> Asked | None:
    target = spec.get("target")
    if not target:
        return None
    messages, more = prompt_of(spec.get("prompt_template"))
    params = spec.get("params") or {}
    if params.get("system_prompt"):
        messages = [Message("system", params["system_prompt"]), *messages]
    return Asked(
        title="The model that answers",
        model=target.get("name", ""),
        address=plain_address(target.get("url", "")),
        secret=target.get("api_key_secret") or "",
        settings=_settings(params.get("inference"), target.get("inference")),
        messages=messages,
        more=more,
    )


def _metrics(job: Job) -> list[Judging]:
    try:
        known = metrics_of(job)
    except ValidationError:  # of another version of this platform
        return [Judging(each.get("type", "?"), each.get("type", "?"), "", [], [], [], each) for each in job.metrics]
    pairs = zip(known.items(), job.metrics, strict=True)
    return [_judging(key, metric, definition) for (key, metric), definition in pairs]


def _judging(key: str, metric: Metric, definition: Any) -> Judging:
    judges = judges_in(metric)
    return Judging(
        key=key,
        kind=metric.type,
        description=metric.description or "",
        asked=[_asked(judge, number if len(judges) > 1 else 0) for number, judge in enumerate(judges, 1)],
        addresses=[] if judges else [plain_address(url) for url in metric.addresses()],
        scores=_scores(metric, judges),
        definition=definition,
    )


def judges_in(metric: Metric) -> list[LLMJudgeMetric]:
    """Return the judges that the metric asks."""
    match metric:
        case LLMJudgeMetric():
            return [metric]
        case SelfConsistencyMetric():
            return [metric.sampler()]
        case PanelMetric():
            return metric.judges
        case PairwiseMetric():
            return [metric.judge()]
    return []


def _asked(judge: LLMJudgeMetric, number: int) -> Asked:
    messages, more = prompt_of(judge.prompt_template)
    if judge.system_prompt:
        messages = [Message("system", judge.system_prompt), *messages]
    return Asked(
        title=f"Judge {number}" if number else "The judge",
        model=judge.model.name,
        address=plain_address(judge.model.url),
        secret=judge.model.api_key_secret or "",
        settings=_settings(_given(judge.inference), _given(judge.model.inference)),
        messages=messages,
        more=more,
        retries=UNREADABLE_RETRIES if judge.retries_unscored is None else judge.retries_unscored,
    )


def _given(inference: InferenceParams | None) -> dict[str, Any]:
    return inference.model_dump(exclude_none=True) if inference else {}


def _settings(over: dict[str, Any] | None, base: dict[str, Any] | None) -> str:
    """Return the request's parameters in a line."""
    both = {**(base or {}), **(over or {})}
    return ", ".join(f"{name} {value}" for name, value in both.items() if value is not None)


def prompt_of(template: Any) -> tuple[list[Message], dict[str, Any]]:
    """Return what a prompt template says, message by message, and what else its request holds."""
    if template is None:
        return [], {}
    if not isinstance(template, dict):
        return [Message("prompt", str(template))], {}
    more = {name: value for name, value in template.items() if name not in ("messages", "prompt")}
    if "messages" not in template:
        return [Message("prompt", _text(template.get("prompt")))], more
    messages = template["messages"]
    if not isinstance(messages, list):
        return [Message("messages", _text(messages))], more
    return [_message(each) for each in messages], more


def _message(entry: Any) -> Message:
    if not isinstance(entry, dict):
        return Message("message", _text(entry))
    return Message(str(entry.get("role", "message")), _text(entry.get("content")))


def _text(content: Any) -> str:
    """Return a message's content as text; of several parts each on its own lines."""
    if isinstance(content, list):
        return "\n\n".join(_text(part) for part in content)
    if isinstance(content, dict):
        return str(content["text"] if isinstance(content.get("text"), str) else content)
    return "" if content is None else str(content)


def _scores(metric: Metric, judges: list[LLMJudgeMetric]) -> list[Score]:
    if judges and not isinstance(metric, PairwiseMetric):
        return [_score(score) for score in judges[0].scores]
    return list(_computed(metric.scales().items()))


def _score(score: RangeScore | NumberScore | RubricScore) -> Score:
    parser = score.parser
    read = f"JSON: {parser.json_path}" if isinstance(parser, JSONScoreParser) else f"{parser.method}: {parser.pattern}"
    description = score.description or ""
    if isinstance(score, RubricScore):
        return Score(score.name, "rubric", read, description, score.rubric)
    bounds = [bound for bound in (score.minimum, score.maximum) if bound is not None]
    kind = score.kind if isinstance(score, NumberScore) else "number"
    scale = f"{score.minimum} to {score.maximum}" if len(bounds) == 2 else kind
    return Score(score.name, scale, read, description)


def _computed(scales: Iterable[tuple[str, RubricScore | None]]) -> Iterable[Score]:
    for name, rubric in scales:
        yield Score(name, "rubric" if rubric else "number", "computed", "", rubric.rubric if rubric else [])
