"""Results held against people, and against each other, in this process: as the platform does it, by the same code."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from assay_sdk.engine.agree import Agreement, agreement
from assay_sdk.engine.compare import MOST_CHANGED, RunScores, TestName
from assay_sdk.engine.compare import compare as compare_runs
from assay_sdk.engine.comparison import Comparison
from assay_sdk.engine.intervals import RESAMPLES
from assay_sdk.engine.people import Judged, agreement_with_people, find_score, labels_of

if TYPE_CHECKING:
    from assay_sdk.client.result import EvaluationResult

Ratings = str | Sequence[float | str | None]
"""A column of the dataset, or one rating a row."""


def compare(
    results: "Sequence[EvaluationResult] | Mapping[str, EvaluationResult]",
    score: str | None = None,
    *,
    test: TestName = "auto",
    baseline: str | None = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
    changed: int = MOST_CHANGED,
) -> Comparison:
    """Compare results on the rows that they share: each with each, or all with the one named by ``baseline``.

    ``results`` maps names to results; a list is named "run 1", "run 2"… The test fits the score, McNemar's where it has
    two values, else Wilcoxon's; or name one. Raises ``NotComparable`` if two results have no row in common.
    """
    if not isinstance(results, Mapping):
        results = {f"run {number}": result for number, result in enumerate(results, 1)}
    runs = []
    for name, result in results.items():
        chosen = find_score(score_names(result), score)
        scores = RunScores(name, chosen)
        for row in judged_rows(result, chosen):
            scores.add(row.index, row.item, row.score.value if row.score else None)
        runs.append(scores)
    return compare_runs(runs, test=test, baseline=baseline, resamples=resamples, seed=seed, changed=changed)


def agreement_of(
    result: "EvaluationResult", column: Ratings, score: str | None, resamples: int, seed: int
) -> Agreement:
    """Return how well a result agrees with people."""
    like = column if isinstance(column, str) else ""
    chosen = find_score(score_names(result), score, like=like)
    labels = labels_in(result, chosen)
    rows = judged_rows(result, chosen)
    if isinstance(column, str):
        return agreement_with_people(rows, column, score=chosen, labels=labels, resamples=resamples, seed=seed)
    words = any(isinstance(rating, str) for rating in column)
    given = [(found.label or None if words else found.value) if (found := row.score) else None for row in rows]
    return agreement(given, column, categories=labels if words else None, resamples=resamples, seed=seed, score=chosen)


def score_names(result: "EvaluationResult") -> list[str]:
    """Return the names of the scores that rows have, ``metric.score``."""
    found = (
        f"{metric}.{score.name}" for row in result.row_scores for metric in row.metrics for score in row.metrics[metric]
    )
    return list(dict.fromkeys(found))


def labels_in(result: "EvaluationResult", name: str) -> list[str]:
    """Return a rubric score's labels, from the lowest value up; none for any other score."""
    found = (entry for entry in result.aggregate_scores if entry.name == name)
    return labels_of({grade.label: grade.value for entry in found for grade in entry.distribution})


def judged_rows(result: "EvaluationResult", name: str) -> Iterator[Judged]:
    """Yield the rows with one score."""
    for row in result.row_scores:
        scores = {f"{metric}.{score.name}": score for metric, given in row.metrics.items() for score in given}
        yield Judged(row.index, row.item, scores.get(name))
