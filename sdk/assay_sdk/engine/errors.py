"""What can stop the engine. A failed *row* is never one of these: it is a value (`result.Failure`).

EngineError
├── TemplateFailure    a template that does not compile, or that a row cannot fill
├── TransportFailure   a call that brought no HTTP reply
├── DatasetError       a file that cannot be read as rows
├── NotComparable      scores that cannot be held against people's, or against another run's
└── RunAborted         a run that cannot succeed as it is set up
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from assay_sdk.engine.run import RunResult

TransportKind = Literal["connect", "dns", "timeout", "tls", "protocol"]


class EngineError(Exception):
    """The engine cannot go on. The message is written for the person who has to fix it."""


class TemplateFailure(EngineError):
    """A template does not compile, or a row cannot fill it.

    `missing` is the name that was looked up in vain, if that was the trouble, and `available` what there was instead.
    """

    def __init__(self, message: str, *, missing: str | None = None, available: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.missing = missing
        self.available = tuple(available)


class TransportFailure(EngineError):
    """A call brought no HTTP reply. `temporary` says whether the same call may well succeed a moment later."""

    def __init__(self, kind: TransportKind, message: str, *, temporary: bool = True) -> None:
        super().__init__(message)
        self.kind: TransportKind = kind
        self.temporary = temporary


class DatasetError(EngineError):
    """A file cannot be read as rows; `name` is the file, `line` the first bad line of a text, `row` of another file."""

    def __init__(self, message: str, *, name: str, line: int | None = None, row: int | None = None) -> None:
        place = f", line {line}" if line else f", row {row}" if row else ""
        super().__init__(f"{name}{place}: {message}")
        self.name = name
        self.line = line
        self.row = row


class DatasetUnfinished(DatasetError):
    """More of the file would have to be read than may be while somebody waits (`Glance`)."""


class NotComparable(EngineError):
    """Scores cannot be held against what people said, or against another run's."""


class RunAborted(EngineError):
    """The run cannot succeed as it is set up. Row scores that were finished before have been handed out.

    Raised by `run.run`, it carries them in `result`.
    """

    result: "RunResult | None" = None
