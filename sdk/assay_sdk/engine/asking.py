"""Asking again: where a reply gives no score that can be read, the same question may bring one that does."""

from collections.abc import Awaitable, Callable

from assay_sdk.engine.caller import FIRST, Answer, Asking
from assay_sdk.engine.forms import Dialect, Form
from assay_sdk.engine.result import Failure, Score, ScoreState
from assay_sdk.engine.verdict import holds_object

LIMIT_FACTOR = 4
LARGEST_LIMIT = 32_768

Verdict = tuple[list[Score], Failure | None]

# What another reply may cure. Refusals stay refused, and a number outside the range was read well enough.
_CURABLE = frozenset({ScoreState.UNPARSEABLE, ScoreState.EMPTY, ScoreState.TRUNCATED})


async def settled(
    ask: Callable[[Asking], Awaitable[Answer | Failure]],
    read: Callable[[Answer | Failure], Verdict],
    dialect: Dialect,
    retries: int,
    silent: frozenset[str],
) -> Verdict:
    """Ask, and up to `retries` times again; the verdict of the reply that gave most scores, the first of equals.

    Scores named in `silent` can never be read, and are no reason to ask again. A reply that was cut off is asked for
    once more, with room for a longer one.
    """
    asking, best, raised = FIRST, None, False
    doubted: Form | None = None
    while True:
        outcome = await ask(asking)
        verdict = read(outcome)
        if best is None or _scored(verdict) > _scored(best):
            best = verdict
        lost = [s for s in verdict[0] if s.state in _CURABLE and s.name not in silent and not s.flags]
        if isinstance(outcome, Answer) and outcome.form is not None:
            _learn(dialect, outcome, doubted, all_read=not lost)
        if not lost or asking.number > retries:
            return best
        limit = form = None
        if isinstance(outcome, Answer):
            if outcome.finish_reason == "length":
                limit = None if raised else _larger(outcome.limit)
                if limit is None:
                    return best
                raised = True
            elif outcome.form is not None and dialect.doubtful and outcome.form is dialect.form:
                doubted, form = dialect.form, dialect.fallback
        asking = Asking(asking.number + 1, form, limit)


def _learn(dialect: Dialect, answer: Answer, doubted: Form | None, *, all_read: bool) -> None:
    """Notice a server that takes a form of structured output, and ignores it."""
    if answer.finish_reason in ("length", "content_filter"):
        return
    an_object = all_read or holds_object(answer.text or "")
    if answer.form is dialect.form:
        dialect.saw(an_object=an_object)
    elif an_object and doubted is not None and answer.form is not None:
        dialect.ignored(doubted, answer.form)


def _larger(limit: int | None) -> int | None:
    """A larger limit of tokens; None if there is none to raise, or it is so large that more would not help."""
    if limit is None or limit >= LARGEST_LIMIT:
        return None
    return min(limit * LIMIT_FACTOR, LARGEST_LIMIT)


def _scored(verdict: Verdict) -> int:
    return sum(score.state is ScoreState.SCORED for score in verdict[0])
