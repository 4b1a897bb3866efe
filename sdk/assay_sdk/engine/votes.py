"""Several verdicts on one row made into one: the samples of a judge, or the judges of a panel."""

import asyncio
import math
import statistics
from collections import Counter
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from assay_sdk.engine.result import Failure, Score, ScoreState

T = TypeVar("T")

Combine = Literal["mean", "median", "plurality"]
Verdict = tuple[list[Score], Failure | None]
"""What a scorer says of a row: its scores, and what kept it from giving them."""

SPREAD = ("std", "agreement", "votes")


@dataclass(frozen=True, slots=True)
class Tally:
    """What several verdicts on one score come to. It does not depend on their order."""

    value: float
    label: str | None
    std: float
    """The standard deviation of the votes (of these very votes: divided by n)."""
    agreement: float
    """The share of the votes that are for the plurality's value."""
    votes: int


def tally(scores: Sequence[Score], combine: Combine) -> Tally:
    """Combine scored scores, at least one of them.

    A plurality that is tied goes to the tied value nearest to the median of all votes, and then to the lower one. A
    rubric's label is the plurality's, however the value is combined.
    """
    # Sorted, so that not even the last digit depends on who voted first.
    votes = sorted((score.value, score.label or "") for score in scores if score.value is not None)
    values = [value for value, _ in votes]
    counts = Counter(votes)
    most = max(counts.values())
    median = statistics.median(values)
    favourite = min((vote for vote in counts if counts[vote] == most), key=lambda vote: (abs(vote[0] - median), vote))
    mean = math.fsum(values) / len(values)
    value = {"mean": min(max(mean, values[0]), values[-1]), "median": median, "plurality": favourite[0]}[combine]
    spread = math.sqrt(math.fsum((each - mean) ** 2 for each in values) / len(values)) if len(set(values)) > 1 else 0.0
    label = favourite[1] if scores[0].label is not None else None
    return Tally(float(value), label, spread, most / len(votes), len(votes))


def combined(name: str, votes: Sequence[Score], combine: Combine, quorum: int, of: str) -> list[Score]:
    """The score that votes come to, and its spread; all unscored where fewer than `quorum` votes are scores."""
    scored = [vote for vote in votes if vote.state is ScoreState.SCORED]
    flags = tuple(dict.fromkeys(flag for vote in votes for flag in vote.flags))
    if len(scored) >= quorum:
        made = tally(scored, combine)
        spread = {"std": made.std, "agreement": made.agreement, "votes": float(made.votes)}
        first = Score(name, made.value, made.label, ScoreState.SCORED, flags=flags)
        return [first, *(Score(f"{name}.{part}", spread[part], None, ScoreState.SCORED) for part in SPREAD)]
    lost = next(vote for vote in votes if vote.state is not ScoreState.SCORED)
    reason = f"{len(scored)} of {len(votes)} {of} gave a score, {quorum} are needed; one that did not: {lost.reason}"
    return unscored(name, lost.label, lost.state, reason, flags)


def unscored(
    name: str, label: str | None, state: ScoreState, reason: str | None, flags: tuple[str, ...] = ()
) -> list[Score]:
    """A combined score that there is none of, and its spread. `label` is that of any unscored vote."""
    empty = None if label is None else ""
    first = Score(name, None, empty, state, reason, flags)
    return [first, *(Score(f"{name}.{part}", None, None, state, reason) for part in SPREAD)]


async def together(asks: Sequence[Coroutine[Any, Any, T]]) -> list[T]:
    """Await all at once; whichever raises first ends the others."""
    tasks = [asyncio.ensure_future(ask) for ask in asks]
    try:
        return await asyncio.gather(*tasks)
    except BaseException:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        raise
