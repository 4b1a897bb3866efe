"""Rows to look at: a table of their first columns, each cell short enough to be read."""

import json
from dataclasses import dataclass, field
from typing import Any

from assay.ui.templatetags.figures import pretty
from assay.ui.trial import TriedRow

CELL_CHARACTERS = 500
SHOWN_COLUMNS = 30
SHOWN_CHARACTERS = 20_000
"""Of a prompt, a request or a response."""


@dataclass(frozen=True)
class Preview:
    """Columns and cells; ``hidden`` columns are not among them."""

    columns: list[str] = field(default_factory=list)
    rows: list[list[str]] = field(default_factory=list)
    hidden: int = 0


def preview_of(items: list[dict[str, Any]]) -> Preview:
    """Return the rows as a table."""
    names = list(dict.fromkeys(name for item in items for name in item))
    shown = names[:SHOWN_COLUMNS]
    rows = [[cell(item[name]) if name in item else "" for name in shown] for item in items]
    return Preview(shown, rows, len(names) - len(shown))


def cell(value: Any) -> str:
    """Return the beginning of a value as text."""
    return clipped("" if value is None else as_text(value), CELL_CHARACTERS)


def as_text(value: Any) -> str:
    """Return text as it is, anything else as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def clipped(text: str, most: int) -> str:
    """Return the text, its end cut off where it is longer than that."""
    return text if len(text) <= most else f"{text[:most]}… ({len(text) - most:,} more characters)"


def shown_row(row: TriedRow) -> dict[str, Any]:
    """Return a tried row as a template shows it: its cells, and each call as text."""
    calls = [
        {
            **vars(call),
            "request": clipped(pretty(call.request), SHOWN_CHARACTERS),
            "response": clipped(pretty(call.response), SHOWN_CHARACTERS) if call.response else "",
            "reply": call.reply if call.reply is None else clipped(call.reply, SHOWN_CHARACTERS),
        }
        for call in row.calls
    ]
    cells = [(name, cell(value)) for name, value in list(row.item.items())[:SHOWN_COLUMNS]]
    return {**vars(row), "cells": cells, "calls": calls}
