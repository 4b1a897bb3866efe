"""Jobs against each other, on the rows that they share."""

from collections.abc import Sequence

from assay.jobs.judged import check_size, judged_rows, score_of
from assay.jobs.models import Job
from assay.platform.errors import Invalid
from assay_sdk.engine.compare import RunScores, TestName, compare
from assay_sdk.engine.comparison import Comparison
from assay_sdk.engine.errors import NotComparable


def comparison_of(
    jobs: Sequence[Job],
    *,
    score: str | None,
    test: TestName,
    baseline: str | None,
    resamples: int,
    seed: int,
    changed: int,
) -> Comparison:
    """Return how the jobs differ on the rows judged so far.

    Raises ``Invalid`` if one has no such score, two have no row in common, or the test does not fit the score.
    """
    check_size(*jobs)
    runs = [_scores(job, score) for job in jobs]
    try:
        return compare(runs, test=test, baseline=baseline, resamples=resamples, seed=seed, changed=changed)
    except NotComparable as error:
        raise Invalid(f"The jobs cannot be compared: {error}.") from None


def _scores(job: Job, score: str | None) -> RunScores:
    try:
        chosen = score_of(job, score)
    except NotComparable as error:
        raise Invalid(f"Job '{job.name}': {error}.") from None
    scores = RunScores(job.name, chosen.full_name)
    for row in judged_rows(job, chosen):
        scores.add(row.index, row.item, row.score.value if row.score else None)
    return scores
