"""What a log line says beside its message: whom it is about; as text, or as one JSON object a line for collectors.

No line shows a secret: each value that was told to ``conceal`` is masked wherever it turns up.
"""

import logging
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime

import orjson

MASK = "******"
SHORTEST = 8
"""Characters; what is shorter is part of too many words."""
MOST_CONCEALED = 1000

_about: ContextVar[Mapping[str, str]] = ContextVar("about", default={})  # noqa: B039  never changed
_concealed: dict[str, None] = {}
_concealing = threading.Lock()


@contextmanager
def about(**facts: str) -> Iterator[None]:
    """Have the block's lines say these too: ``request_id``, ``job``, ``shard`` or ``trace_id``."""
    before = _about.set({**_about.get(), **facts})
    try:
        yield
    finally:
        _about.reset(before)


def facts() -> Mapping[str, str]:
    """Return what lines written here and now say."""
    return _about.get()


def adopt(facts: Mapping[str, str]) -> None:
    """Have this thread's lines say just these from now on."""
    _about.set(facts)


def conceal(value: str) -> None:
    """Mask the value in every line from now on; of many, the newest thousand."""
    if len(value) < SHORTEST or value in _concealed:
        return
    with _concealing:
        if len(_concealed) >= MOST_CONCEALED:
            del _concealed[next(iter(_concealed))]
        _concealed[value] = None


def masked(text: str) -> str:
    """Return the text without any concealed value."""
    for value in tuple(_concealed):
        if value in text:
            text = text.replace(value, MASK)
    return text


class About(logging.Filter):
    """Notes on each record whom it is about, in ``about``, where it is written; lets all of them through."""

    def __init__(self, conceal: Iterable[str] = ()) -> None:
        """``conceal``: values of the settings that no line may show."""
        super().__init__()
        for value in conceal:
            globals()["conceal"](value)

    def filter(self, record: logging.LogRecord) -> bool:
        record.about = facts()
        return True


class TextFormatter(logging.Formatter):
    """A line for people; whom it is about stands in brackets at the end of its message."""

    def formatMessage(self, record: logging.LogRecord) -> str:
        said = " ".join(f"{name}={value}" for name, value in _about_of(record).items())
        line = super().formatMessage(record)
        return f"{line} [{said}]" if said else line

    def format(self, record: logging.LogRecord) -> str:
        return masked(super().format(record))


class JSONFormatter(logging.Formatter):
    """One object a line; ``extra={"fields": {…}}`` adds members of its own."""

    def format(self, record: logging.LogRecord) -> str:
        entry = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(),
            "level": record.levelname,
            "logger": record.name,
            "message": _storable(record.getMessage()),
            **_about_of(record),
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            entry["exception"] = _storable(self.formatException(record.exc_info))
        return orjson.dumps(entry).decode()


def _about_of(record: logging.LogRecord) -> Mapping[str, str]:
    about: Mapping[str, str] = getattr(record, "about", {})
    return about


def _storable(text: str) -> str:
    """Return the text masked, and as UTF-8 can hold it: a judge may have sent halves of UTF-16 pairs."""
    return masked(text).encode("utf-8", "replace").decode()
