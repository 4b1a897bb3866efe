"""Replies and field types that every app's wire models share."""

import re
from functools import cache
from typing import Annotated, Any, get_args

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, RootModel, create_model
from pydantic_core import PydanticCustomError, PydanticKnownError

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


def is_name(text: str) -> bool:
    """Return whether ``text`` can be a name (platform-v2 section 2)."""
    # Not pydantic's own pattern: its engine has no look-ahead, and Python's `$` lets a last newline through.
    return re.fullmatch(NAME_PATTERN.removeprefix("^").removesuffix("$"), text) is not None


def _well_formed(name: str) -> str:
    if not is_name(name):
        raise PydanticKnownError("string_pattern_mismatch", {"pattern": NAME_PATTERN})
    return name


Name = Annotated[str, AfterValidator(_well_formed), Field(json_schema_extra={"pattern": NAME_PATTERN})]
"""A name of 2 to 63 characters; a longer one is a pattern mismatch, as for workspaces and projects."""

LimitedName = Annotated[
    str, Field(max_length=63, json_schema_extra={"pattern": NAME_PATTERN}), AfterValidator(_well_formed)
]
"""The same, where 64 characters are ``string_too_long``, as for secrets and filesets."""


def _is_number(value: Any) -> Any:
    if isinstance(value, bool | str):
        raise PydanticCustomError("number_type", "Input should be a number")
    return value


NUMBER = BeforeValidator(_is_number)
"""Beside the type of a number in a body: JSON's texts and truths are none, though pydantic would read some as one."""


class Cascade(BaseModel):
    """What a deletion may be asked beside."""

    cascade: bool = Field(False, description="Delete what stands in the way first; refused while a job runs.")


class Pagination(BaseModel):
    page: int
    page_size: int
    current_page_size: int
    total_pages: int
    total_results: int


@cache
def page_of(entry: type[BaseModel], *, sorted_and_filtered: bool = True, omit_null: bool = False) -> type[BaseModel]:
    """Return the reply model of a list of ``entry``, for the API description; ``omit_null`` as its ``Listing`` says."""
    noun = entry.__name__.removesuffix("Reply")
    shown = _without_nulls(entry, f"{noun}Listed") if omit_null else entry
    echo: dict[str, Any] = {"sort": (str, ...), "filter": (dict[str, Any] | None, None)} if sorted_and_filtered else {}
    return create_model(f"{noun}Page", data=(list[shown], ...), pagination=(Pagination, ...), **echo)  # type: ignore[valid-type]


def _without_nulls(entry: type[BaseModel], name: str) -> type[BaseModel]:
    """Return the model of an entry that leaves out what is null."""
    optional = {
        field: (about.annotation, None)
        for field, about in entry.model_fields.items()
        if type(None) in get_args(about.annotation)
    }
    return create_model(name, __base__=entry, **optional)  # type: ignore[call-overload, no-any-return]


@cache
def list_of(entry: type[BaseModel]) -> type[BaseModel]:
    """Return the reply model of a bare list of ``entry``, for the API description."""
    return create_model(entry.__name__ + "List", __base__=RootModel[list[entry]])  # type: ignore[valid-type]
