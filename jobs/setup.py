"""What a job's shards run with: its metrics, its target, its keys. Made in the worker, for as long as a shard runs."""

from dataclasses import dataclass, field
from functools import cached_property

from assay.jobs.models import Dialect, Job
from assay.jobs.parts import Part, part_of
from assay.jobs.stored import TARGET
from assay.platform.egress import check
from assay.secrets.vault import open_secret
from assay_sdk.engine.spec import Model


@dataclass(frozen=True)
class Setup:
    part: Part
    target: Model | None
    """Who answers the part's rows first; nobody where they hold the answers."""
    api_keys: dict[str, str] = field(repr=False)
    secret_ids: dict[str, str]
    """Which secret each reference of the job stands for."""

    @classmethod
    def of(cls, job: Job, part: int = 0) -> "Setup":
        """Return what shards of that part run with.

        Raises ``EgressRefused`` for an address that is not to be called, ``SecretUnreadable`` for a lost key.
        """
        target = job.spec.get("target")
        own = part_of(job, part)
        asked = Model.model_validate(target) if target and own.prompt_template is not None else None
        needed = {reference for metric in own.metrics.values() for reference in metric.secret_refs()}
        needed.update(asked.secret_refs() if asked else [])
        uses = list(job.job_secrets.filter(reference__in=needed).select_related("secret__workspace"))
        setup = cls(
            part=own,
            target=asked,
            api_keys={use.reference: open_secret(use.secret).reveal() for use in uses},
            secret_ids={use.reference: use.secret.uid for use in uses},
        )
        for address in setup.addresses():
            check(address)
        return setup

    @cached_property
    def askers(self) -> list[str]:
        """Who makes the calls of a row of a v1 job, in their order: there each asks once."""
        if self.part.job.dialect != Dialect.CUSTOM:
            return []
        judges = [key for key, metric in self.part.metrics.items() if metric.calls_per_row()]
        return [TARGET, *judges] if self.target else judges

    def addresses(self) -> list[str]:
        """Return every URL that the shards will call."""
        found = [address for metric in self.part.metrics.values() for address in metric.addresses()]
        return found + ([self.target.url] if self.target else [])
