"""When a run should end early: it would only go on failing, row after row, in the same way."""

from assay_sdk.engine.result import Failure, ScoreState

# The model was reached and answered; only this reply was of no use.
_ANSWERED = frozenset({ScoreState.UNPARSEABLE, ScoreState.TRUNCATED, ScoreState.EMPTY, ScoreState.OUT_OF_RANGE})


class FailFast:
    """Watches one metric or target: so many identical hopeless failures in a row, no success between, is enough."""

    def __init__(self, limit: int = 5) -> None:
        self.limit = limit
        self._cause: str | None = None
        self._seen = 0

    def enough(self, failure: Failure | None) -> bool:
        """Take in how a row ended; True if the run should not go on."""
        if failure is None or (failure.kind in _ANSWERED and not failure.hopeless):
            self._cause, self._seen = None, 0
            return False
        if not failure.hopeless:
            return False
        same = failure.cause == self._cause
        self._cause, self._seen = failure.cause, self._seen + 1 if same else 1
        return self._seen >= self.limit
