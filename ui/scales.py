"""The scores that a job gives, to choose among: what they are called, and between which values they lie."""

from typing import Any, NamedTuple

from pydantic import ValidationError

from assay.jobs.models import Job
from assay.jobs.parts import metrics_of
from assay.platform.errors import Invalid
from assay_sdk.engine.people import labels_of
from assay_sdk.engine.spec import Metric, RubricScore


class Scale(NamedTuple):
    """A score of a job: its full name, its labels from the lowest value up, and its bounds where it says them."""

    full_name: str
    labels: list[str]
    bounds: tuple[float, float] | None

    @property
    def short(self) -> str:
        """Its name without its metric's."""
        return self.full_name.partition(".")[2]


def scales_of(job: Job) -> dict[str, Scale]:
    """Return the job's scores by their full names; raises ``Invalid`` if there is none that is understood."""
    try:
        metrics = metrics_of(job)
    except ValidationError:
        raise Invalid(f"The metrics of '{job.name}' are of another version of this platform.") from None
    found = [
        _scale(f"{key}.{name}", metric, name, rubric)
        for key, metric in metrics.items()
        for name, rubric in metric.scales().items()
    ]
    if not found:
        raise Invalid(f"'{job.name}' gives no score.")
    return {scale.full_name: scale for scale in found}


def _scale(full_name: str, metric: Metric, name: str, rubric: RubricScore | None) -> Scale:
    if rubric is not None:
        values = {item.label: float(item.value) for item in rubric.rubric}
        return Scale(full_name, labels_of(values), (min(values.values()), max(values.values())))
    scores: list[Any] = getattr(metric, "scores", [])
    for score in scores:
        low, high = getattr(score, "minimum", None), getattr(score, "maximum", None)
        if score.name == name and low is not None and high is not None:
            return Scale(full_name, [], (float(low), float(high)))
    return Scale(full_name, [], None)
