"""What the evaluator's addresses take and give: job requests, metric bundles, stored metrics, eval results.

A client validates the spec that comes back with its own model and forbids keys that it does not know. So a spec is
read into the model of the form it was sent in, and that model holds no key newer than the form.
"""

import hashlib
import json
from typing import Annotated, Any, Literal, Self

import orjson
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    PlainValidator,
    RootModel,
    TypeAdapter,
    ValidationInfo,
    field_validator,
)
from pydantic.json_schema import SkipJsonSchema

from assay.evaluator.models import StoredMetric
from assay.filesets.reference import FilesetReference
from assay.platform.api import WireTime, wire_time
from assay.platform.errors import Invalid
from assay.platform.wire import NUMBER, LimitedName
from assay_sdk.engine.aggregate import NEWER_FIELDS
from assay_sdk.engine.errors import TemplateFailure
from assay_sdk.engine.spec import Model, RunConfigOnlineModel
from assay_sdk.engine.template import compile_template

LARGEST_COUNT = 2**31 - 1
"""The largest number that the database keeps as a count."""
MOST_METRICS = 100
MOST_OUTPUTS = 1000
MOST_SECRETS = 100
WRITTEN_BY_USERS = frozenset(
    {"dataset", "metric", "target", "prompt_template", "field_mapping", "publication", "labels", "value_json_schema"}
)
"""Members of specs and bundles that hold what a user wrote: lists leave their nulls alone."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


# Metric bundles


class MetricOutput(_Strict):
    name: str
    description: str | None = None
    value_json_schema: dict[str, Any]


class BundleMetadata(_Strict):
    description: str | None = None
    labels: dict[str, Any] = Field(default_factory=dict)


class InlinePayload(_Strict):
    kind: Literal["inline"]
    metric: dict[str, Any]
    digest: str | None = None
    """SHA-256 of the metric; a missing or wrong one is set right."""

    def model_post_init(self, context: Any) -> None:
        digests = [_digest(self.metric, ascii_only) for ascii_only in (True, False)]
        if self.digest not in digests:
            self.digest = digests[0]


class PickledPayload(_Strict):
    """Named only to be refused in words: unpickling runs code that the sender chose."""

    kind: Literal["cloudpickle"]
    python_version: str | None = None
    cloudpickle_version: str | None = None
    pickle_protocol: int | None = None
    blob: str
    digest: str | None = None


_CHECK = {
    "type": "string-check",
    "left_template": "{{item.answer}}",
    "operation": "equals",
    "right_template": "{{item.reference}}",
}
EXAMPLE: dict[str, Any] = {
    "metric_type": "string-check",
    "outputs": [
        {
            "name": "string-check",
            "value_json_schema": {
                "description": "Continuous numeric metric value.",
                "title": "ContinuousScore",
                "type": "number",
            },
        }
    ],
    "payload": {"kind": "inline", "metric": _CHECK},
}
"""A metric that needs no judge, as the API description shows it."""


class Bundle(_Strict):
    model_config = ConfigDict(json_schema_extra={"examples": [EXAMPLE]})

    bundle_kind: Literal["metric-bundle"] = "metric-bundle"
    bundle_format_version: Literal["v1"] = "v1"
    metric_type: str = Field(max_length=64)
    metadata: BundleMetadata = Field(default_factory=BundleMetadata)
    outputs: list[MetricOutput] = Field(min_length=1, max_length=MOST_OUTPUTS)
    secrets: dict[str, str] = Field(default_factory=dict, max_length=MOST_SECRETS)
    """Environment name → secret."""
    payload: InlinePayload | SkipJsonSchema[PickledPayload] = Field(discriminator="kind")


def _digest(metric: dict[str, Any], ascii_only: bool) -> str:
    text = json.dumps(metric, sort_keys=True, separators=(",", ":"), ensure_ascii=ascii_only)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


StoredName = Annotated[str, Field(pattern=r"^[\w\-.]+(/[\w\-.]+)?$", max_length=255)]
"""A stored metric as a job names it: ``name`` or ``workspace/name``."""
_STORED_NAME = TypeAdapter(StoredName)


def _bundle_or_name(value: Any) -> Bundle | str:
    return _STORED_NAME.validate_python(value) if isinstance(value, str) else Bundle.model_validate(value)


MetricEntry = Annotated[Bundle | str, PlainValidator(_bundle_or_name, json_schema_input_type=Bundle | StoredName)]
# A plain union would put its branches into the place of every mistake.


# The spec of a job

Dialect = Literal["single", "bundles", "publication"]
"""The form of a spec, which tells the age of its client; the values of ``jobs.models.Dialect``."""


class Params(_Strict):
    parallelism: Annotated[int, NUMBER] = Field(8, ge=1, le=LARGEST_COUNT)
    limit_samples: Annotated[int | None, NUMBER] = Field(None, ge=1, le=LARGEST_COUNT)


def _reference(text: str) -> str:
    try:
        FilesetReference.parse(text)
    except Invalid as error:
        raise ValueError(error.detail) from None
    return text


REFERENCE = r"^([^/#\s]+/)?[^/#\s]+(#[\s\S]*)?$"


class FilesetRef(
    RootModel[
        Annotated[str, Field(max_length=1024, json_schema_extra={"pattern": REFERENCE}), AfterValidator(_reference)]
    ]
):
    """``[workspace/]fileset[#path or pattern]``."""


Items = Annotated[list[dict[str, Any]], Field(min_length=1, fail_fast=True)]


class OnlineParams(RunConfigOnlineModel):
    """How to run when a target model gives the answers."""

    parallelism: Annotated[int, NUMBER] = Field(8, ge=1, le=LARGEST_COUNT)
    limit_samples: Annotated[int | None, NUMBER] = Field(None, ge=1, le=LARGEST_COUNT)


def _target(target: Any) -> Any:
    if target is not None:
        Model.model_validate(target)
    return target


class _Spec(_Strict):
    dataset: Items | FilesetRef
    target: Annotated[dict[str, Any] | None, PlainValidator(_target, json_schema_input_type=Model | None)] = None
    """A model that answers each row first; kept as it was sent."""
    prompt_template: str | dict[str, Any] | None = Field(None, validate_default=True)
    """What the target is asked."""
    params: Params | OnlineParams = Field(None, validate_default=True)

    @field_validator("prompt_template")
    @classmethod
    def _asks_the_target(cls, template: str | dict[str, Any] | None, others: ValidationInfo) -> Any:
        if template is None and others.data.get("target") is not None:
            raise ValueError("a target needs a prompt_template, which says what to ask it")
        try:
            compile_template(template)
        except TemplateFailure as error:
            raise ValueError(str(error)) from None
        return template

    @field_validator("params", mode="before", json_schema_input_type=Params | OnlineParams | None)
    @classmethod
    def _params_for_the_target(cls, params: Any, others: ValidationInfo) -> Any:
        form = Params if others.data.get("target") is None else OnlineParams
        return form.model_validate({} if params is None else params)


class SingleSpec(_Spec):
    """One raw metric: clients 0.1.0 and 0.1.1."""

    metric: dict[str, Any]

    @property
    def dialect(self) -> Dialect:
        return "single"

    def echo(self) -> dict[str, Any]:
        """Return the spec as its client takes it back."""
        return {"metric": self.metric, **self.model_dump(mode="json", by_alias=True, exclude={"metric"})}


class BundlesSpec(_Spec):
    """Metric bundles: clients from 0.1.2 on. Those from 0.6.0 on also send ``publication``."""

    field_mapping: dict[str, Any] | None = None
    publication: dict[str, Any] | None = None
    metrics: list[MetricEntry] = Field(min_length=1, max_length=MOST_METRICS)

    @property
    def dialect(self) -> Dialect:
        return "publication" if "publication" in self.model_fields_set else "bundles"

    def echo(self, bundles: list[Bundle]) -> dict[str, Any]:
        """Return the spec as its client takes it back: stored metrics as their bundles, no key of a newer client."""
        newer = set() if self.dialect == "publication" else {"publication"}
        echo = self.model_dump(mode="json", by_alias=True, exclude={"metrics", *newer})
        return {**echo, "metrics": [bundle.model_dump(mode="json") for bundle in bundles]}


def _spec_of_its_form(value: Any) -> SingleSpec | BundlesSpec:
    single = isinstance(value, dict) and "metric" in value and "metrics" not in value
    return (SingleSpec if single else BundlesSpec).model_validate(value)


Spec = Annotated[
    SingleSpec | BundlesSpec, PlainValidator(_spec_of_its_form, json_schema_input_type=SingleSpec | BundlesSpec)
]
SPEC: TypeAdapter[SingleSpec | BundlesSpec] = TypeAdapter(Spec)


class JobRequest(BaseModel):
    """The body that makes an evaluation job; keys it does not know are ignored at this level."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"spec": {"dataset": [{"answer": "4", "reference": "4"}], "metrics": [EXAMPLE]}}]
        }
    )

    name: LimitedName | None = None
    description: str | None = None
    project: str | None = None
    spec: Spec
    profile: str | None = None
    ownership: dict[str, Any] | None = None
    custom_fields: dict[str, Any] | None = None
    output_location: str | None = Field(None, max_length=1024)


# Replies


class EvaluatorHealthReply(BaseModel):
    plugin: str = "evaluator"
    status: str = "ok"
    mode: str = "assay"
    jobs: list[str] = ["evaluator.evaluate"]


class MetricReply(BaseModel):
    id: str
    name: str
    workspace: str
    project: str | None
    metric_type: str
    description: str | None
    labels: dict[str, Any]
    outputs: list[MetricOutput]
    secrets: dict[str, str]
    payload_kind: str
    payload_digest: str | None
    bundle_ref: str
    derived: bool
    created_at: WireTime
    updated_at: WireTime

    @classmethod
    def of(cls, metric: StoredMetric) -> Self:
        """``metric.workspace`` should be at hand."""
        bundle = Bundle.model_validate(metric.bundle)
        hexadecimal = hashlib.sha256(metric.uid.encode()).hexdigest()[:32]
        return cls(
            id=metric.uid,
            name=metric.name,
            workspace=metric.workspace.name,
            project=metric.project,
            metric_type=metric.metric_type,
            description=metric.description,
            labels=bundle.metadata.labels,
            outputs=bundle.outputs,
            secrets=bundle.secrets,
            payload_kind=bundle.payload.kind,
            payload_digest=bundle.payload.digest,
            bundle_ref=f"{metric.workspace.name}/metric-bundle.{hexadecimal}#bundle.json",
            derived=False,
            created_at=metric.created_at,
            updated_at=metric.updated_at,
        )


class EvalResultReply(BaseModel):
    id: str
    name: str
    workspace: str
    project: str | None
    job_id: str
    target_kind: str | None
    target_name: str | None
    target_url: str | None
    scores: dict[str, Any]
    bundle_ref: str
    created_at: WireTime
    updated_at: WireTime
    dataset_ref: str | None
    metric_types: list[str]


def eval_result_json(result: Any, *, older: bool = False) -> dict[str, Any]:
    """``result.workspace`` should be at hand, and its scores as ``scores_text``.

    ``older``: without the statistics that older clients refuse.
    """
    return {
        "id": result.uid,
        "name": result.name,
        "workspace": result.workspace.name,
        "project": result.project,
        "job_id": result.name,
        "target_kind": None,
        "target_name": None,
        "target_url": None,
        "scores": _shown_scores(result.scores_text, older),
        "bundle_ref": result.bundle_ref,
        "created_at": wire_time(result.created_at),
        "updated_at": wire_time(result.updated_at),
        "dataset_ref": result.dataset_ref,
        "metric_types": result.metric_types,
    }


def _shown_scores(text: str, older: bool) -> Any:
    """Return the scores; where a list would leave nothing out of them, as a piece of JSON that nobody reads."""
    if not older and "null" not in text:
        return orjson.Fragment(text)
    scores = orjson.loads(text)
    return _without_newer(scores) if older else scores


def _without_newer(scores: dict[str, Any]) -> dict[str, Any]:
    kept = [{key: value for key, value in entry.items() if key not in NEWER_FIELDS} for entry in scores["scores"]]
    return {"scores": kept}
