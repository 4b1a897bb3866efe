"""What a row says: its item and the models' replies, to be searched and to be shown."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from assay_sdk.engine.reply import arguments_of, text_of

CUT = "…"
LONGEST = 20_000
"""Characters of one text on a row's page; all of it is in the row's JSON."""


class Needle:
    """A text that is looked for in rows, in whatever case."""

    def __init__(self, text: str) -> None:
        self.text = text.casefold()
        self._written = orjson.dumps(self.text)[1:-1].decode()
        """As it stands within a line of JSON."""

    def within(self, line: bytes) -> bool:
        """Return whether a text or a number of the item, or a reply, holds it."""
        if self._written not in line.decode(errors="replace").casefold():
            return False
        return any(self.text in text.casefold() for text in texts_of(orjson.loads(line)))


def texts_of(row: Mapping[str, Any]) -> Iterator[str]:
    """Yield what a whole row says: the texts and numbers of its item, the sample, the replies."""
    yield from _leaves(row["item"])
    yield (row.get("sample") or {}).get("output_text") or ""
    for call in row.get("requests") or []:
        yield reply_text(call.get("response"))


def reply_text(response: Any) -> str:
    """Return what a reply says, or what a service answered as JSON."""
    if not isinstance(response, Mapping):
        return "" if response is None else orjson.dumps(response).decode()
    said = text_of(response)
    if said is not None and said.strip():
        return said
    given = arguments_of(response)
    return given or said or ("" if "choices" in response else orjson.dumps(response).decode())


def _leaves(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        for each in value.values():
            yield from _leaves(each)
    elif isinstance(value, list):
        for each in value:
            yield from _leaves(each)
    elif value is not None:
        yield value if isinstance(value, str) else orjson.dumps(value).decode()


def clipped(value: Any, most: int) -> str:
    """Return a value as text, no longer than that."""
    if value is None:
        return ""
    text = value if isinstance(value, str) else orjson.dumps(value).decode()
    return text if len(text) <= most else text[: most - 1] + CUT


def cut(text: str, most: int = LONGEST) -> str:
    """Return a text, or its beginning and how much there is after it."""
    return (
        text if len(text) <= most else f"{text[:most]}{CUT}\n\n({len(text) - most:,} characters more in the row's JSON)"
    )


def as_json(value: Any) -> str:
    """Return JSON to read, or its beginning."""
    return cut(json.dumps(value, indent=2, ensure_ascii=False, default=str))
