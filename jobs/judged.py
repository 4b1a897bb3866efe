"""The stored rows of a job, streamed: whole, or with the one score that is to be held against something else."""

from collections.abc import Iterator
from typing import NamedTuple

import orjson
from pydantic import ValidationError

from assay.jobs.models import Job
from assay.jobs.packs import whole_rows
from assay.jobs.parts import metrics_of
from assay.jobs.stored import from_stored
from assay.platform.errors import Invalid, NotFound
from assay_sdk.engine.errors import NotComparable
from assay_sdk.engine.people import Judged, find_score, labels_of
from assay_sdk.engine.spec import RubricScore

MOST_ROWS = 200_000
"""So many rows one request reads at most, which takes about twenty seconds."""


class JobScore(NamedTuple):
    """A score of a job: its full name, where it stands in the rows, and its labels, from the lowest value up."""

    full_name: str
    metric: str
    name: str
    labels: list[str]


def find_job(workspace: str, name: str) -> Job:
    """Return the job without its spec, which may be megabytes; raises ``NotFound``."""
    job = Job.objects.defer("spec").filter(workspace__name=workspace, name=name).first()
    if job is None:
        raise NotFound(f"Job '{name}' not found in workspace '{workspace}'.")
    return job


def check_size(*jobs: Job) -> None:
    """Raise ``Invalid`` if the jobs have more rows than one request reads."""
    rows = sum(job.rows_done for job in jobs)
    if rows > MOST_ROWS:
        raise Invalid(
            f"{rows} rows are more than the {MOST_ROWS} that one request reads; the SDK does the same on the results "
            "that it downloads, however many rows they have."
        )


def score_of(job: Job, wanted: str | None, *, like: str = "") -> JobScore:
    """Return the score of the job that is meant, see ``find_score``; raises ``NotComparable``."""
    try:
        metrics = metrics_of(job)
    except ValidationError:
        raise NotComparable("its metrics are of another version of this platform") from None
    scores = {
        f"{key}.{name}": JobScore(f"{key}.{name}", key, name, _labels(rubric))
        for key, metric in metrics.items()
        for name, rubric in metric.scales().items()
    }
    return scores[find_score(list(scores), wanted, like=like)]


def _labels(rubric: RubricScore | None) -> list[str]:
    return labels_of({item.label: item.value for item in rubric.rubric}) if rubric else []


def judged_rows(job: Job, score: JobScore) -> Iterator[Judged]:
    """Yield the rows stored so far with that score, in row order."""
    for index, scores, line in whole_rows(job, "scores"):
        row = from_stored(index, {score.metric: scores.get(score.metric, [])})
        found = next((entry for entry in row.metrics[score.metric] if entry.name == score.name), None)
        yield Judged(index, orjson.loads(line)["item"], found)
