"""What a job is made of: parts, each with rows and metrics of its own. A v1 job has one a task, any other job just one.

Rows are numbered through all parts, so that a row's index is one of the job's.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice
from typing import Any

from pydantic import ValidationError

from assay.filesets import rows
from assay.filesets.models import Fileset, Storage
from assay.jobs.models import Dialect, Job, JobPart, Shard
from assay_sdk.engine.cached import cached_sample
from assay_sdk.engine.dataset import PLAIN, Reading
from assay_sdk.engine.mapping import apply_field_mapping
from assay_sdk.engine.names import LooseRow
from assay_sdk.engine.pace import Retry
from assay_sdk.engine.result import Row
from assay_sdk.engine.spec import (
    FieldMapping,
    Metric,
    RunConfig,
    RunConfigAsAsked,
    RunConfigOnlineModel,
    keyed,
    parse_metric,
)

TIMEOUT_SECONDS = 60.0
RETRIES = 3
"""Of a v1 job that does not say."""
FORMATS = {name: f".{name}" for name in ("json", "jsonl", "csv", "parquet")}
"""Values of a v1 dataset's ``format`` that name a file's format; others name a record schema, and change nothing."""


class BadMapping(Exception):
    """The job's field mapping cannot be understood; the message names the place."""


@dataclass(frozen=True)
class Part:
    """Rows, and what is done with them."""

    job: Job
    index: int = 0
    name: str = ""
    """The task's key in a v1 job."""
    metrics: dict[str, Metric] = field(default_factory=dict)
    """Its metrics by their result keys."""
    inline: list[dict[str, Any]] | None = None
    """The rows themselves, where they came with the job."""
    url: str = ""
    """What a v1 job's data were named by."""
    fileset: Fileset | None = None
    revision: str = ""
    fragment: str = ""
    named: str = ""
    """What the paths of its files must hold."""
    offset: int = 0
    limit: int | None = None
    reading: Reading = PLAIN
    prompt_template: str | dict[str, Any] | None = None
    params: dict[str, Any] = field(default_factory=dict)
    cached: bool = False
    """Whether its rows hold what a model answered."""

    @cached_property
    def mapping(self) -> FieldMapping:
        """The names that columns also go by; raises ``BadMapping``."""
        try:
            return FieldMapping.model_validate(self.job.spec.get("field_mapping") or {})
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, ("field_mapping", *first["loc"])))
            raise BadMapping(f"{where}: {first['msg']}") from None

    def first_row(self) -> int:
        """Return the index of its first row; the job has been planned."""
        first = Shard.objects.filter(job=self.job, part=self.index).order_by("start").values_list("start", flat=True)
        return first[0]

    def read(self, start: int, stop: int) -> Iterator[tuple[int, dict[str, Any]]]:
        """Yield (index, item) for its rows from ``start`` up to ``stop``, from the inputs pinned by the plan."""
        base = self.first_row()
        if self.inline is not None:
            yield from islice(enumerate(self.inline, base), start - base, stop - base)
            return
        assert self.fileset is not None
        shift = self.offset - base
        pinned = list(self.job.inputs.filter(part=self.index).order_by("position").select_related("blob"))
        for index, item in rows.stream(self.fileset, self.revision, pinned, start + shift, stop + shift, self.reading):
            yield index - shift, item

    def row(self, index: int, item: dict[str, Any]) -> Row:
        """Return a row as the engine takes it."""
        if self.job.dialect != Dialect.CUSTOM:
            return Row(index, apply_field_mapping(item, self.mapping))
        return Row(index, LooseRow(item), cached_sample(item) if self.cached else None)

    def config(self, parallelism: int, *, asks_target: bool) -> RunConfig:
        """Return how a shard of it runs that has this share of the job's parallelism; its rows are chosen already."""
        if not asks_target:
            return RunConfig(parallelism=parallelism)
        form = RunConfigAsAsked if self.job.dialect == Dialect.CUSTOM else RunConfigOnlineModel
        return form.model_validate({**self.params, "parallelism": parallelism, "limit_samples": None})

    def patience(self) -> dict[str, Any]:
        """Return what the engine is told of timeouts and retries, as arguments: of a v1 job, for its judges too."""
        if self.job.dialect != Dialect.CUSTOM:
            return {}
        retries = self.params.get("max_retries", RETRIES)
        # A server that worked before is given as long as in any other job.
        retry = Retry(
            attempts=retries + 1,
            patience=max(retries + 1, Retry().patience) if retries else 1,
            after_silence=True,
        )
        return {"timeout": self.params.get("request_timeout", TIMEOUT_SECONDS), "retry": retry}


def parts_of(job: Job) -> list[Part]:
    """Return the job's parts in order."""
    if job.dialect == Dialect.CUSTOM:
        metrics = metrics_of(job)
        stored = job.parts.select_related("fileset__workspace").order_by("index")
        return [part_from(job, part, {key: metrics[key] for key in part.metrics}) for part in stored]
    dataset = job.spec["dataset"]
    part = Part(
        job,
        metrics=metrics_of(job),
        inline=dataset if isinstance(dataset, list) else None,
        fileset=job.dataset_fileset,
        revision=job.dataset_revision,
        fragment=job.dataset_fragment,
        limit=job.limit_samples,
        prompt_template=job.spec.get("prompt_template"),
        params=job.spec.get("params") or {},
    )
    return [part]


def part_of(job: Job, index: int) -> Part:
    return parts_of(job)[index]


def metrics_of(job: Job) -> dict[str, Metric]:
    """Return all metrics of the job by their result keys; in a v1 job these are ``<task>.<metric>``."""
    metrics = [parse_metric(definition) for definition in job.metrics]
    if job.dialect != Dialect.CUSTOM:
        return keyed(metrics)
    listed = job.parts.order_by("index").values_list("metrics", flat=True)
    return dict(zip((key for keys in listed for key in keys), metrics, strict=True))


def hub_fileset(part: JobPart) -> Fileset | None:
    """Return where the task's rows are on another hub, as a fileset that is not saved; None if they are here."""
    dataset = part.dataset
    if not dataset.get("hf_endpoint"):
        return None
    token = part.job.job_secrets.filter(reference=dataset["hf_token"]).first() if dataset.get("hf_token") else None
    return Fileset(
        workspace=part.job.workspace,
        name=dataset["repository"],
        storage_type=Storage.HUGGINGFACE,
        storage={
            "endpoint": dataset["hf_endpoint"],
            "repo_type": "dataset",
            "repo_id": f"{dataset['namespace']}/{dataset['repository']}",
        },
        revision=part.revision,
        token_secret=token.secret if token else None,
    )


def part_from(job: Job, stored: JobPart, metrics: dict[str, Metric]) -> Part:
    """Return a task of a v1 job."""
    stored.job = job
    dataset = stored.dataset
    suffix = FORMATS.get(dataset.get("format") or "")
    return Part(
        job,
        index=stored.index,
        name=stored.name,
        metrics=metrics,
        url=dataset.get("files_url") or "",
        inline=stored.rows,
        fileset=hub_fileset(stored) or stored.fileset,
        revision=stored.revision,
        fragment=dataset.get("path") or "",
        named=dataset.get("split") or "",
        offset=dataset.get("offset") or 0,
        limit=dataset.get("limit"),
        reading=Reading(suffix=suffix, cells_as_text=True, unwrap=True),
        prompt_template=stored.prompt_template,
        params=stored.params,
        cached=bool(dataset.get("cached")),
    )
