"""What a job's shards run with: its metrics, its target, its keys. Made in the worker, for as long as a shard runs."""

from dataclasses import dataclass, field
from typing import Any

from assay.jobs.models import Job
from assay.platform.egress import check
from assay.secrets.vault import open_secret
from assay_sdk.engine.spec import FieldMapping, Metric, Model, RunConfig, RunConfigOnlineModel, parse_metric


@dataclass(frozen=True)
class Setup:
    metrics: list[Metric]
    target: Model | None
    prompt_template: str | dict[str, Any] | None
    params: dict[str, Any]
    mapping: FieldMapping
    api_keys: dict[str, str] = field(repr=False)

    @classmethod
    def of(cls, job: Job) -> "Setup":
        """Raises ``EgressRefused`` for an address that is not to be called, ``SecretUnreadable`` for a lost key."""
        target = job.spec.get("target")
        setup = cls(
            metrics=[parse_metric(definition) for definition in job.metrics],
            target=Model.model_validate(target) if target else None,
            prompt_template=job.spec.get("prompt_template"),
            params=job.spec.get("params") or {},
            mapping=FieldMapping.model_validate(job.spec.get("field_mapping") or {}),
            api_keys={
                use.reference: open_secret(use.secret).reveal()
                for use in job.job_secrets.select_related("secret__workspace")
            },
        )
        for address in setup.addresses():
            check(address)
        return setup

    def addresses(self) -> list[str]:
        """Return every URL that the shards will call."""
        found = [address for metric in self.metrics for address in metric.addresses()]
        return found + ([self.target.url] if self.target else [])

    def config(self, parallelism: int) -> RunConfig:
        """Return how a shard runs that has this share of the job's parallelism; its rows are chosen already."""
        if self.target is None:
            return RunConfig(parallelism=parallelism)
        return RunConfigOnlineModel.model_validate({**self.params, "parallelism": parallelism, "limit_samples": None})
