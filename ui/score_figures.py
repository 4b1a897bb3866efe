"""What a job's scores come to, as numbers and charts: of all rows that are stored by now."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from pydantic import ValidationError

from assay.jobs.custom_results import fold
from assay.jobs.models import Job, RowScore
from assay.ui.charts import Chart
from assay.ui.histograms import Bar, bars_of, chart_of
from assay.ui.job_scores import MEANINGS, JobScore, scores_of
from assay.ui.recent import Recent, Rest
from assay.ui.row_text import clipped
from assay_sdk.engine.aggregate import ScoreSummary, Summary, percentile, statistics_of
from assay_sdk.engine.intervals import CONFIDENCE, wilson
from assay_sdk.engine.result import ScoreState
from assay_sdk.engine.student import t_quantile

PERCENTILES = (10, 25, 50, 75, 90)
QUICK_VALUES = 30_000
"""So many scores are folded and shown at once; figures of more are made after the page."""
EXAMPLES = 300
"""Unscored rows that are looked at for examples of their reasons."""
REASON_CHARACTERS = 200
_made: Recent[Rest, "Figures"] = Recent(64)


@dataclass(frozen=True)
class Row:
    """A bar as a line of the table: what it stands for, and where its rows are."""

    bar: Bar
    share: float
    query: str


@dataclass(frozen=True)
class Panel:
    """One score."""

    score: JobScore
    count: int
    unscored: int
    mean: float | None
    interval: tuple[float, float] | None
    """Where the mean of all possible rows probably is, with 95 % confidence."""
    method: str
    std_dev: float | None
    least: float | None
    most: float | None
    percentiles: list[tuple[int, float]]
    rows: list[Row]
    query: str
    """Finds the rows that have it."""
    chart: Chart | None
    summary: str
    """What the chart shows, for who does not see it."""


@dataclass(frozen=True)
class Lacking:
    """Why scores are missing: one reason."""

    state: str
    words: str
    tone: str
    meaning: str
    counts: list[int]
    """By score, in the order of the panels."""
    example: str
    number: int | None
    """The row that the example is of."""


@dataclass(frozen=True)
class Figures:
    rows: int
    panels: list[Panel]
    beside: list[Panel]
    """What stands beside other scores: spreads, single votes."""
    whole: list[tuple[str, float]]
    """Scores of all rows together."""
    lacking: list[Lacking]


def known_figures(job: Job) -> Figures | None:
    """Return the figures if that is quick: they were made before and still hold, or the rows are few."""
    key = Rest.of(job)
    found = _made.get(key) if key else None
    return found or (figures_of(job) if job.rows_done * max(1, len(scores_of(job))) <= QUICK_VALUES else None)


def figures_of(job: Job) -> Figures:
    """Return the figures of the rows stored so far; none if the metrics cannot be read any more."""
    key = Rest.of(job)
    if key and (found := _made.get(key)):
        return found
    try:
        summary = fold(job)
    except ValidationError:
        return Figures(0, [], [], [], [])
    scores = scores_of(job)
    panels = [_panel(score, summary.scores[score.metric][score.name]) for score in scores]
    main = [panel for panel in panels if panel.score.main]
    found = Figures(
        rows=summary.rows,
        panels=main,
        beside=[panel for panel in panels if not panel.score.main],
        whole=[
            (f"{key}.{corpus.name}", value)
            for key, corpus in summary.corpora.items()
            if (value := corpus.value()) is not None
        ],
        lacking=_lacking(job, summary, [panel.score for panel in main]),
    )
    if key:
        _made.put(key, found)
    return found


def _panel(score: JobScore, summary: ScoreSummary) -> Panel:
    values = sorted(summary.values)
    wire = statistics_of(values)
    bars = bars_of(score, values, summary.labels) if score.main else []
    interval, method = _interval(values, wire)
    return Panel(
        score=score,
        count=len(values),
        unscored=summary.states.total() - len(values),
        mean=wire["mean"],
        interval=interval,
        method=method,
        std_dev=wire["std_dev"],
        least=wire["min"],
        most=wire["max"],
        percentiles=[(share, percentile(values, share)) for share in PERCENTILES] if values else [],
        rows=[Row(bar, bar.rows / len(values) if values else 0.0, _query(score, bar)) for bar in bars],
        query=_query(score, Bar("", len(values), values[0], values[-1])) if values else "",
        chart=chart_of(score, bars) if values and bars else None,
        summary=", ".join(f"{bar.name}: {bar.rows:,}" for bar in bars),
    )


def _interval(values: Sequence[float], wire: dict[str, float | None]) -> tuple[tuple[float, float] | None, str]:
    """Return the interval of the mean, and how it was found."""
    mean, spread, rows = wire["mean"], wire["sample_std_dev"], len(values)
    if mean is None or spread is None or rows < 2:
        return None, ""
    if values[0] in {0, 1} and values[-1] in {0, 1} and not any(0 < value < 1 for value in values):
        found = wilson(round(math.fsum(values)), rows)
        return (found.low, found.high), "Wilson's interval of a share"
    if not spread:
        return None, ""
    half = t_quantile((1 + CONFIDENCE) / 2, rows - 1) * spread / math.sqrt(rows)
    return (mean - half, mean + half), "Student's t"


def _query(score: JobScore, bar: Bar) -> str:
    """Return the query that finds a bar's rows."""
    if bar.label:
        return urlencode({"label": f"{score.full}={bar.label}"})
    if bar.low is None or bar.high is None:
        return ""
    return urlencode({"score": score.full, "from": repr(bar.low), "to": repr(bar.high)})


def _lacking(job: Job, summary: Summary, scores: Sequence[JobScore]) -> list[Lacking]:
    counts = [summary.scores[score.metric][score.name].states for score in scores]
    states = [state for state in ScoreState if state is not ScoreState.SCORED and any(each[state] for each in counts)]
    examples = _examples(job) if states else {}
    return [
        Lacking(
            state=state.value,
            words=state.replace("_", " "),
            tone=MEANINGS[state][0],
            meaning=MEANINGS[state][1],
            counts=[each[state] for each in counts],
            example=clipped(examples.get(state, ("", None))[0], REASON_CHARACTERS),
            number=examples.get(state, ("", None))[1],
        )
        for state in states
    ]


def _examples(job: Job) -> dict[str, tuple[str, int | None]]:
    """Return for each state the reason in the first row that is seen to be in it, and that row."""
    found: dict[str, tuple[str, int | None]] = {}
    rows = RowScore.objects.filter(job=job, scored=False).order_by("row_index").values_list("row_index", "scores")
    for number, scores in rows[:EXAMPLES]:
        for _, _, _, state, reason, *_ in (entry for entries in scores.values() for entry in entries):
            found.setdefault(state, (reason or "", number))
    return found
