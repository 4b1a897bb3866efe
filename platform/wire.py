"""Replies and field types that every app's wire models share."""

import re
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, Field
from pydantic_core import PydanticKnownError

from assay.platform.ids import NAME_PATTERN


class Mistake(BaseModel):
    type: str
    loc: list[str | int]
    msg: str
    input: Any = None
    ctx: dict[str, Any] | None = None


class ErrorReply(BaseModel):
    """Why the request was refused: a sentence, or the mistakes found in it and their places."""

    detail: str | list[Mistake]


def _well_formed(name: str) -> str:
    # Not pydantic's own pattern: its engine has no look-ahead, and Python's `$` lets a last newline through.
    if not re.fullmatch(NAME_PATTERN.removeprefix("^").removesuffix("$"), name):
        raise PydanticKnownError("string_pattern_mismatch", {"pattern": NAME_PATTERN})
    return name


Name = Annotated[str, AfterValidator(_well_formed), Field(json_schema_extra={"pattern": NAME_PATTERN})]
"""A name of 2 to 63 characters; a longer one is a pattern mismatch, as for workspaces and projects."""

LimitedName = Annotated[
    str, Field(max_length=63, json_schema_extra={"pattern": NAME_PATTERN}), AfterValidator(_well_formed)
]
"""The same, where 64 characters are ``string_too_long``, as for secrets and filesets."""
