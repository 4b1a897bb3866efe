"""What an evaluation came to: the same class for a local run and for a job."""

import html
import importlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from assay_sdk.client.comparing import Ratings, agreement_of
from assay_sdk.client.errors import AssayError
from assay_sdk.client.values import Value
from assay_sdk.engine.agree import Agreement
from assay_sdk.engine.intervals import RESAMPLES
from assay_sdk.engine.pairwise import PositionBias
from assay_sdk.engine.result import Call, Failure, RowScore, Score, ScoreState
from assay_sdk.engine.run import RunResult
from assay_sdk.engine.tables import table


class Bin(Value):
    """A bar of a histogram."""

    lower_bound: float
    upper_bound: float
    count: int


class Grade(Value):
    """How often a rubric's label was given."""

    label: str
    value: float
    count: int
    description: str | None = None


class AggregateScore(Value):
    """One score over all rows. Statistics that do not exist are None; unscored rows are in none of them."""

    name: str
    """``metric.score``."""
    count: int
    """Scored rows."""
    nan_count: int = 0
    """Unscored rows."""
    score_type: str = "range"
    sum: float | None = None
    mean: float | None = None
    min: float | None = None
    max: float | None = None
    median: float | None = None
    std_dev: float | None = None
    variance: float | None = None
    sample_std_dev: float | None = None
    sample_variance: float | None = None
    percentiles: dict[str, float] | None = None
    """p10, p20 … p100, by the n+1 rule."""
    bins: tuple[Bin, ...] = ()
    """The histogram of a range score."""
    distribution: tuple[Grade, ...] = ()
    """The grades of a rubric score, in the rubric's order."""
    mode_category: str | None = None
    """A rubric's most frequent label."""

    @classmethod
    def from_wire(cls, entry: dict[str, Any]) -> "AggregateScore":
        """Return an entry of the aggregate-scores document."""
        bins = (entry.get("histogram") or {}).get("bins") or ()
        return cls.model_validate({**entry, "bins": bins, "distribution": entry.get("rubric_distribution") or ()})


@dataclass(frozen=True)
class EvaluationResult:
    """Row scores and their aggregates."""

    row_scores: tuple[RowScore, ...] = field(repr=False)
    """One for every row, in the order of the dataset."""
    aggregate_scores: tuple[AggregateScore, ...]
    """One for every score of every metric."""

    @classmethod
    def of_run(cls, result: RunResult) -> "EvaluationResult":
        """Return what a local run came to."""
        return cls(tuple(result.rows), aggregates(result.aggregates))

    @classmethod
    def of_job(cls, rows: Iterable[RowScore], scores: tuple[AggregateScore, ...]) -> "EvaluationResult":
        """Return what a job came to; its rows may come in any order."""
        return cls(tuple(sorted(rows, key=lambda row: row.index)), scores)

    def score(self, name: str) -> AggregateScore:
        """Return an aggregate by its name, ``metric.score`` or just ``score``; raises ``KeyError``."""
        found = [entry for entry in self.aggregate_scores if name in (entry.name, entry.name.partition(".")[2])]
        if len(found) != 1:
            known = ", ".join(entry.name for entry in self.aggregate_scores)
            raise KeyError(f"{'several scores are' if found else 'no score is'} called {name!r}; there are: {known}")
        return found[0]

    def values(self, name: str) -> list[float | None]:
        """Return a score's value for every row, None where the row is unscored."""
        metric, _, score = self.score(name).name.rpartition(".")
        return [_value(row, metric, score) for row in self.row_scores]

    def agreement(
        self, column: Ratings, score: str | None = None, *, resamples: int = RESAMPLES, seed: int = 0
    ) -> Agreement:
        """Compare a score with what people said: in a column of the dataset, or in a list with one rating a row.

        ``score`` is ``metric.score`` or just ``score``; it may be left out where there is only one, or one that is
        called like the column. The same seed gives the same intervals. Raises ``NotComparable``, which says why.
        """
        return agreement_of(self, column, score, resamples, seed)

    @property
    def unscored(self) -> list[RowScore]:
        """The rows that lack a score; each says why in ``failure``."""
        return [row for row in self.row_scores if not row.scored]

    @property
    def flagged(self) -> list[RowScore]:
        """The rows with something suspicious about them, scored or not; ``flags`` says what."""
        return [row for row in self.row_scores if row.flags]

    def position_bias(self, metric: str = "pairwise") -> PositionBias:
        """Return how far the places of the answers decided in a pairwise comparison; raises ``KeyError``."""
        return PositionBias.of({grade.label: grade.count for grade in self.score(f"{metric}.position").distribution})

    def summary(self) -> str:
        """Return the aggregates, and why rows are unscored, as a table to read."""
        lines = table(HEAD, [_cells(entry) for entry in self.aggregate_scores])
        lines += [f"{entry.name}: {_grades(entry)}" for entry in self.aggregate_scores if entry.distribution]
        lines += self._notes()
        return "\n".join(lines)

    def to_pandas(self) -> Any:
        """Return a DataFrame of one line a row: the item's columns, the scores, and why a score is missing.

        Needs pandas, which does not come with this SDK.
        """
        pandas = importlib.import_module("pandas")
        return pandas.DataFrame(self.to_records(), index=[row.index for row in self.row_scores])

    def to_records(self) -> list[dict[str, Any]]:
        """Return one flat dictionary a row: the item's columns, the scores, and why a score is missing."""
        return [_record(row) for row in self.row_scores]

    def _notes(self) -> list[str]:
        notes = [f"unscored, {reason}: {count} rows" for reason, count in self._reasons()]
        compared = [e.name.removesuffix(".position") for e in self.aggregate_scores if e.name.endswith(".position")]
        notes += [f"{key}: {self.position_bias(key)}" for key in compared if key.startswith("pairwise")]
        return [*notes, f"flagged as suspicious: {len(self.flagged)} rows"] if self.flagged else notes

    def _reasons(self) -> list[tuple[str, int]]:
        found = Counter(failure.kind.value for row in self.row_scores if (failure := row.failure))
        return found.most_common()

    def _repr_html_(self) -> str:
        head = "".join(f"<th>{html.escape(name)}</th>" for name in HEAD)
        lines = [[html.escape(cell) for cell in _cells(entry)] for entry in self.aggregate_scores]
        body = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in line)}</tr>" for line in lines)
        notes = [f"{entry.name}: {_grades(entry)}" for entry in self.aggregate_scores if entry.distribution]
        notes += self._notes()
        below = "".join(f"<p>{html.escape(note)}</p>" for note in notes)
        return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{below}"


# From the wire


def aggregates(document: dict[str, Any]) -> tuple[AggregateScore, ...]:
    """Read the aggregate-scores document."""
    return tuple(AggregateScore.from_wire(entry) for entry in document["scores"])


def row_score(line: bytes) -> RowScore:
    """Read a line of the row-scores document; raises ``AssayError`` if it is none."""
    try:
        return read_row(orjson.loads(line))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise AssayError(f"a row score that is not what the platform sends: {type(error).__name__}: {error}") from None


def read_row(row: dict[str, Any]) -> RowScore:
    """Return a row of the row-scores document as a value; what is none raises as it comes."""
    errors = row.get("metric_errors") or {}
    states = row.get("states") or {}
    metrics = {key: _scores(outputs, states.get(key) or {}, errors.get(key)) for key, outputs in row["metrics"].items()}
    return RowScore(
        index=row["row_index"],
        item=row["item"],
        sample=row.get("sample") or {},
        metrics=metrics,
        calls=[
            Call(entry["request"], entry["response"], attempts=1, seconds=0.0) for entry in row.get("requests") or ()
        ],
        failures={key: Failure(_kind(metrics.get(key, ())), text) for key, text in errors.items()},
    )


def _scores(outputs: Sequence[dict[str, Any]], states: dict[str, Any], error: str | None) -> list[Score]:
    given = {output["name"]: output["value"] for output in outputs}
    found = []
    for name, value in given.items():
        if name.endswith(".label") and name.removesuffix(".label") in given:
            continue
        number = float(value) if isinstance(value, int | float) else None
        told = states.get(name) or {}
        # Platforms of other makes send no states: then a missing number is all that is known.
        assumed = ScoreState.SCORED if number is not None else ScoreState.UNPARSEABLE
        state = ScoreState(told["state"]) if told.get("state") in set(ScoreState) else assumed
        reason = told.get("reason") or (None if state is ScoreState.SCORED else error)
        flags = tuple(map(str, told.get("flags") or ()))
        found.append(Score(name, number, given.get(f"{name}.label"), state, reason, flags))
    return found


def _kind(scores: Iterable[Score]) -> ScoreState:
    return next((score.state for score in scores if score.state is not ScoreState.SCORED), ScoreState.UNPARSEABLE)


class Lines:
    """Cuts a stream of bytes into lines."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, chunk: bytes) -> list[bytes]:
        """Return the lines that are complete now, without the empty ones."""
        *whole, self._rest = (self._rest + chunk).split(b"\n")
        return [line for line in whole if line.strip()]

    def end(self) -> list[bytes]:
        """Return the last line, if it had no line break."""
        return [self._rest] if self._rest.strip() else []


# For people

HEAD = ("score", "rows", "unscored", "mean", "std dev", "min", "median", "max")


def _cells(entry: AggregateScore) -> list[str]:
    numbers = (entry.mean, entry.std_dev, entry.min, entry.median, entry.max)
    return [entry.name, str(entry.count), str(entry.nan_count), *("-" if n is None else f"{n:.4g}" for n in numbers)]


def _grades(entry: AggregateScore) -> str:
    return ", ".join(f"{grade.label} {grade.count}" for grade in entry.distribution)


def _value(row: RowScore, metric: str, name: str) -> float | None:
    return next((score.value for score in row.metrics.get(metric, ()) if score.name == name), None)


def _record(row: RowScore) -> dict[str, Any]:
    record = dict(row.item)
    for metric, scores in row.metrics.items():
        for score in scores:
            record[f"{metric}.{score.name}"] = score.value
            if score.label is not None:
                record[f"{metric}.{score.name}.label"] = score.label or None
    failure = row.failure
    record["unscored"] = f"{failure.kind.value}: {failure.text}" if failure else None
    record |= {"flags": "; ".join(dict.fromkeys(sum(row.flags.values(), [])))} if row.flags else {}
    return record
