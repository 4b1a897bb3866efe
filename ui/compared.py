"""Evaluations held against each other, as a page shows it: each by itself, and what their difference means in words."""

import math
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import NamedTuple

from assay.jobs.comparison import comparison_of
from assay.jobs.custom_results import fold
from assay.jobs.judged import check_size, score_of
from assay.jobs.models import Job
from assay.platform.errors import Invalid
from assay.ui.charts import Chart, bars
from assay.ui.rows_shown import RowsAsOf, as_of
from assay.ui.scales import Scale, scales_of
from assay.ui.spreads import Spread, brief, of_numbers, signed
from assay.ui.templatetags.figures import number
from assay_sdk.engine.aggregate import percentile, statistics_of
from assay_sdk.engine.comparison import Comparison, Difference
from assay_sdk.engine.errors import NotComparable
from assay_sdk.engine.intervals import RESAMPLES, TAIL, wilson
from assay_sdk.engine.student import t_quantile

SURE = 0.05
KEPT = 16
"""Comparisons that are kept, so that going back and forth between them and the rows reads nothing again."""
MOST_DRAWN = 4
"""Charts have so many colours that are told apart."""
PERCENTILES = (10, 50, 90)


class Alone(NamedTuple):
    """A job's score by itself, over all rows that have one."""

    job: Job
    score: str
    rows: int
    values: list[float]
    """In order."""
    mean: float | None
    low: float | None
    """The mean's 95 % interval, ``low`` to ``high``."""
    high: float | None
    deviation: float | None
    percentiles: list[float | None]

    @property
    def unscored(self) -> int:
        return self.rows - len(self.values)


def common_scores(jobs: Sequence[Job]) -> list[str]:
    """Return the scores that all of the jobs give: by their full names, or else by what stands behind the metric's."""
    return _shared(jobs, lambda scale: scale.full_name) or _shared(jobs, lambda scale: scale.short)


def scales_by_job(jobs: Sequence[Job], score: str) -> dict[str, Scale]:
    """Return how each job understands the score."""
    found = ((job.name, scale) for job in jobs for scale in scales_of(job).values())
    return {name: scale for name, scale in found if score in (scale.full_name, scale.short)}


def alone(job: Job, score: str) -> Alone:
    """Return the score by itself, on the rows judged so far; raises ``Invalid`` if the job does not give it."""
    try:
        chosen = score_of(job, score)
    except NotComparable as error:
        raise Invalid(f"Job '{job.name}': {error}.") from None
    found = fold(job)
    values = sorted(found.scores[chosen.metric][chosen.name].values)
    measured = statistics_of(values)
    interval = mean_interval(values, measured["mean"], measured["sample_std_dev"])
    low, high = interval or (None, None)
    return Alone(
        job=job,
        score=chosen.full_name,
        rows=found.rows,
        values=values,
        mean=measured["mean"],
        low=low,
        high=high,
        deviation=measured["sample_std_dev"],
        percentiles=[percentile(values, share) if values else None for share in PERCENTILES],
    )


def mean_interval(values: Sequence[float], mean: float | None, deviation: float | None) -> tuple[float, float] | None:
    """Return where the mean of all possible rows probably lies: Student's t, or Wilson's of a score of two values."""
    n = len(values)
    if mean is None or not deviation or not math.isfinite(deviation):
        return None
    low, high = values[0], values[-1]
    highest = sum(value == high for value in values)
    if highest + sum(value == low for value in values) == n:
        share = wilson(highest, n)
        return low + share.low * (high - low), low + share.high * (high - low)
    half = t_quantile(1 - TAIL, n - 1) * deviation / math.sqrt(n)
    return mean - half, mean + half


def spread_of(found: Sequence[Alone]) -> tuple[Spread, Chart]:
    """Return how the scores of the first few jobs are spread, side by side, and the chart of it."""
    drawn = found[:MOST_DRAWN]
    spread = of_numbers(*(each.values for each in drawn))
    series = list(zip((each.job.name for each in drawn), spread.shares(), strict=True))
    return spread, bars(spread.labels, series, x=drawn[0].score, y="% of the scored rows")


def comparison_with(jobs: Sequence[Job], score: str, baseline: str, *, changed: int) -> Comparison:
    """Return how the jobs differ from the one called ``baseline``; raises ``Invalid`` if they cannot be compared."""
    check_size(*jobs)
    return _compared(tuple(as_of(job) for job in jobs), score, baseline, changed)


@lru_cache(maxsize=KEPT)
def _compared(rows: tuple[RowsAsOf, ...], score: str, baseline: str, changed: int) -> Comparison:
    jobs = [each.job() for each in rows]
    return comparison_of(
        jobs, score=score, test="auto", baseline=baseline, resamples=RESAMPLES, seed=0, changed=changed
    )


def in_words(found: Difference, comparisons: int) -> str:
    """Return what the difference comes to, and whether it is more than chance."""
    value = found.difference.value
    rows = f"the same {number(found.n)} rows" if found.n != 1 else "the same row"
    if value is None:
        return f"There is no difference to speak of: {found.difference.reason}."
    if not found.higher and not found.lower:
        return f"{found.second} and {found.first} give the same score on each of {rows}."
    side = f"scores {brief(abs(value))} {'higher' if value > 0 else 'lower'} than" if value else "scores as high as"
    said = f"On average {found.second} {side} {found.first} on {rows}"
    if found.difference.low is not None and found.difference.high is not None:
        said += f"; 95 % interval {signed(found.difference.low, 2)} to {signed(found.difference.high, 2)}"
    return f"{said}. {_chance(found, comparisons)}".strip()


def chance(p: float | None) -> str:
    """Return a p-value as it is written."""
    if p is None:
        return ""
    return "< 0.001" if p < 0.001 else f"{p:.2g}"


def _chance(found: Difference, comparisons: int) -> str:
    if found.p_holm is None:
        return f"Whether that is chance was not tested: {found.untested}." if found.untested else ""
    p = chance(found.p_holm)
    corrected = f", corrected for {comparisons} comparisons" if comparisons > 1 else ""
    tested = f"(p {p if p.startswith('<') else f'= {p}'}, {found.test}{corrected})"
    if found.p_holm < SURE:
        return f"Unlikely to be chance {tested}."
    seen = found.detectable.value
    more = f" So many rows show a true difference of {brief(seen)} four times out of five." if seen else ""
    return f"That may well be chance {tested}.{more}"


def unpaired(found: Difference) -> str:
    """Return why rows are not part of the difference; empty if all are."""
    reasons = (
        (found.only_first, f"only in {found.first}"),
        (found.only_second, f"only in {found.second}"),
        (found.other_item, "at the same place, but with another item"),
        (found.unscored, "without a score in one of the two"),
    )
    said = [f"{number(rows)} {why}" for rows, why in reasons if rows]
    return f"Left out: {', '.join(said)}." if said else ""


def _shared(jobs: Sequence[Job], named: Callable[[Scale], str]) -> list[str]:
    listed = [[named(scale) for scale in scales_of(job).values()] for job in jobs]
    return [name for name in listed[0] if all(names.count(name) == 1 for names in listed)]
