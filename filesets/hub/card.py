"""The metadata at the head of a repository's README.md: YAML between two lines of dashes."""

import re
from typing import Any

import orjson
import yaml

from assay.filesets import history
from assay.filesets.models import Commit

LONGEST = 64 * 1024
"""Bytes of a README that are looked at."""
FRONT = re.compile(r"---\r?\n(.*?)\r?\n---\s*(?:\n|$)", re.DOTALL)


class _Loader(yaml.SafeLoader):
    """Knows no aliases: a few lines of them can stand for more than any memory holds."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError("aliases are not read")
        return super().compose_node(parent, index)


def card_data(commit: Commit) -> dict[str, Any] | None:
    """Return the metadata of the README; None where there is none that can be read."""
    if history.tree_of(commit).get("README.md") is None:
        return None
    with history.content(commit, "README.md")[1].open("rb") as file:
        text = file.read(LONGEST).decode("utf-8", "replace").removeprefix("\ufeff")
    front = FRONT.match(text)
    if front is None:
        return None
    try:
        found = yaml.load(front[1], _Loader)  # a safe loader  # nosec B506
        # Dates become text, as they are on the wire; what JSON cannot hold is not shown.
        return orjson.loads(orjson.dumps(found, default=str)) if isinstance(found, dict) else None
    except (yaml.YAMLError, ValueError, TypeError, RecursionError):
        return None
