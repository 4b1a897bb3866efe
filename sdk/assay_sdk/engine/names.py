"""Rows and samples that answer to more names than they hold, for templates only: what is stored stays as it is."""

import json
import re
from collections.abc import Mapping
from typing import Any

_ODD = re.compile(r"[^a-z0-9]")


class LooseRow(dict[str, Any]):
    """A row whose columns can also be named in lower case with `_` for every other sign: "Full Name" as `full_name`.

    A column's own name comes first. Where two columns come to the same, the later ones are `…_1`, `…_2`.
    """

    def __missing__(self, name: str) -> Any:
        return self[self._names[name]]

    @property
    def _names(self) -> Mapping[str, str]:
        # Not kept: few templates need it, and a row that changes after it was made would be misread.
        names: dict[str, str] = {}
        again: dict[str, int] = {}  # hostile tables have thousands of columns that come to the same
        for column in self:
            plain = loose = _ODD.sub("_", column.lower())
            while loose in self or loose in names:
                again[plain] = again.get(plain, 0) + 1
                loose = f"{plain}_{again[plain]}"
            if plain != column:
                names[loose] = column
        return names


class AnswerSample(dict[str, Any]):
    """What a model answered; `output_json` is its text as data, where the text is JSON."""

    def __missing__(self, name: str) -> Any:
        if name == "output_json" and isinstance(text := self.get("output_text"), str):
            try:
                return json.loads(text)
            except (ValueError, RecursionError):
                pass
        raise KeyError(name)
