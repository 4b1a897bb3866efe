"""A job's scores against a column of its dataset in which people said what they think."""

from assay.jobs.judged import check_size, judged_rows, score_of
from assay.jobs.models import Job
from assay.platform.errors import Invalid
from assay_sdk.engine.agree import Agreement
from assay_sdk.engine.errors import NotComparable
from assay_sdk.engine.people import agreement_with_people


def agreement_of(job: Job, column: str, *, score: str | None, resamples: int, seed: int) -> Agreement:
    """Return how well the job agrees with people on the rows judged so far.

    Raises ``Invalid`` if there is no such score or column, or the column holds something else than ratings.
    """
    check_size(job)
    try:
        chosen = score_of(job, score, like=column)
        return agreement_with_people(
            judged_rows(job, chosen),
            column,
            score=chosen.full_name,
            labels=chosen.labels,
            resamples=resamples,
            seed=seed,
        )
    except NotComparable as error:
        raise Invalid(f"Job '{job.name}': {error}.") from None
