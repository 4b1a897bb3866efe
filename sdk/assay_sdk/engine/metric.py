"""What every metric has in common, whatever it measures with.

A new metric is a subclass of `Metric` and a line in `spec.METRICS`: a run, a job and the aggregates know no more.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol

from pydantic import Field

from assay_sdk.engine.model import Spec
from assay_sdk.engine.result import Score
from assay_sdk.engine.scores import RubricScore

if TYPE_CHECKING:
    from assay_sdk.engine.run import Lines
    from assay_sdk.engine.scoring import Scorer

JobType = Literal["online", "offline"]


class MetricOutput(Spec):
    """One value a metric gives for each row."""

    name: str
    description: str | None
    value_json_schema: dict[str, Any]


class Corpus(Protocol):
    """One score of all rows together, which is not a statistic of theirs. Folding them in any split gives the same."""

    name: str

    def add(self, scores: Sequence[Score]) -> None: ...

    def merge(self, other: Any) -> None: ...

    def value(self) -> float | None:
        """The score, or None as long as no row is scored."""


class Metric(Spec):
    """What every metric has in common. `type` names it on the wire and keys its results."""

    NUMBER: ClassVar = {"description": "Continuous numeric metric value.", "title": "ContinuousScore", "type": "number"}
    LABEL: ClassVar = {"description": "String label metric value.", "title": "Label", "type": "string"}

    type: str
    description: str | None = None
    labels: dict[str, Any] = Field(default_factory=dict)
    supported_job_types: list[JobType] = ["online", "offline"]
    job_type: JobType | None = None
    ignore_request_failure: bool = False

    @property
    def key(self) -> str:
        return self.type

    def scales(self) -> dict[str, RubricScore | None]:
        """The scores each row gets, in their order: by name, with its rubric for one that is a grade of a rubric."""
        raise NotImplementedError

    def outputs(self) -> list[MetricOutput]:
        """The values each row gets, as the wire contract derives them from a definition."""
        schema = dict(self.NUMBER)
        return [MetricOutput(name=name, description=None, value_json_schema=schema) for name in self.scales()]

    def corpus(self) -> Corpus | None:
        """What is to be computed from all rows together, for a metric that has such a thing."""
        return None

    def secret_refs(self) -> list[str]:
        """The secrets this metric needs in order to run."""
        return []

    def addresses(self) -> list[str]:
        """The URLs that this metric calls."""
        return []

    def calls_per_row(self) -> int:
        """How many model calls a row takes at most, repeated ones not counted; exact but where the metric says so."""
        return 0

    def scorer(self, lines: "Lines", *, online: bool) -> "Scorer":
        """The metric, ready to score the rows of a run. Raises RunAborted if it cannot work as it is set up."""
        raise NotImplementedError
