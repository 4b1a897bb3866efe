"""Prompt templates: sandboxed Jinja, compiled once per metric (compiling per row costs 25 times the rendering).

A template is any JSON value. Its strings are Jinja; a string that is one lone `{{ expression }}` gives the native
value of that expression, every other string gives text.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import jinja2

from assay_sdk.engine.errors import TemplateFailure
from assay_sdk.engine.template_limits import BUDGET, LARGEST_POWER_BITS, TooMuch
from assay_sdk.engine.template_sandbox import MissingName, Sandbox
from assay_sdk.engine.worktime import WORK_TIME

Context = Mapping[str, Any]
Template = Callable[[Context], Any]

SHOWN_NAMES = 20  # a row may have hundreds of columns; an error message should stay readable
LONGEST_NAME = 80
DEEPEST = 100
"""How deep a value may be nested that a template gives: it travels, some levels deeper, as JSON."""
MOST_TOKENS = 20_000
"""Names, numbers, signs and stretches of text in all templates of one definition: half a second of compiling."""
MOST_CHARACTERS = 2_000_000
"""Of a text that is a template; one without any tag may be longer."""

_JINJA = Sandbox()


def compile_template(source: Any) -> Template:
    """Compile any JSON value whose strings are templates.

    Raises TemplateFailure at once for broken syntax; the returned function raises it for a row that cannot fill it.
    All strings together are one rendering to the limits (`template_limits`).
    """
    render = _compiled(source, _Tokens())

    def rendered(context: Context) -> Any:
        BUDGET.begin()
        return render(context)

    return rendered


class _Tokens:
    """Counts what there is to compile in a definition."""

    def __init__(self) -> None:
        self._left = MOST_TOKENS

    def count(self, source: str) -> None:
        """Raises TooMuch when that is more than one definition may have."""
        if len(source) > MOST_CHARACTERS:
            raise TooMuch(f"it is longer than {MOST_CHARACTERS:,} characters")
        if WORK_TIME.over():
            raise TooMuch("there are too many templates and patterns")
        for _ in _JINJA.lexer.tokeniter(source, None):
            self._left -= 1
            if self._left < 0:
                raise TooMuch(f"there is more code than {MOST_TOKENS:,} words and signs")


def _compiled(source: Any, tokens: _Tokens) -> Template:
    match source:
        case str():
            return _compile_text(source, tokens)
        case dict():
            fields = {key: _compiled(value, tokens) for key, value in source.items()}
            return lambda context: {key: render(context) for key, render in fields.items()}
        case list():
            parts = [_compiled(value, tokens) for value in source]
            return lambda context: [render(context) for render in parts]
        case _:
            return lambda context: source


def _compile_text(source: str, tokens: _Tokens) -> Template:
    if "{" not in source and "\r" not in source:  # roles, fixed instructions: nothing to render row by row
        return _json_if_asked(source, lambda context: source.removesuffix("\n"))
    try:
        tokens.count(source)
        if _is_lone_expression(source):
            inner = source.strip()[2:-2].removeprefix("-").removesuffix("-")
            evaluate = _JINJA.compile_expression(inner, undefined_to_none=False)
            render: Template = lambda context: _plain(BUDGET.looked_into(evaluate(context)))  # noqa: E731
        else:
            render = _JINJA.from_string(source).render
    except Exception as error:  # besides syntax errors: nested too deeply, numbers too long to be read…
        raise TemplateFailure(
            f"The template does not compile: {_brief(error)}. Template: {_shorten(source)}"
        ) from error

    def guarded(context: Context) -> Any:
        BUDGET.weight = len(source)
        try:
            return render(context)
        except MissingName as error:
            raise _missing(error, context) from error
        except Exception as error:  # a template may divide by zero, call a string, recurse without end…
            raise TemplateFailure(
                f"The template cannot be rendered: {_brief(error)}. Template: {_shorten(source)}"
            ) from error

    return _json_if_asked(source, guarded)


def _is_lone_expression(source: str) -> bool:
    text = source.strip()
    return (
        text.startswith("{{") and text.endswith("}}") and text.count("{{") == text.count("}}") == 1 and "{%" not in text
    )


def _json_if_asked(source: str, render: Template) -> Template:
    """A template that says `tojson` and renders to JSON means the value; prose with JSON in it stays prose."""
    if "tojson" not in source:
        return render

    def parsed(context: Context) -> Any:
        value = render(context)
        try:
            return _plain(json.loads(value)) if isinstance(value, str) else value
        except (ValueError, RecursionError):
            return value
        except TypeError as error:
            raise TemplateFailure(f"The template cannot be rendered: {error}. Template: {_shorten(source)}") from error

    return parsed


def _plain(value: Any, depth: int = 0) -> Any:
    """A copy as plain JSON data, so that nothing done to a request reaches the row it came from."""
    if depth > DEEPEST:
        raise TypeError(f"it gives a value nested deeper than {DEEPEST} levels")
    match value:
        case jinja2.Undefined():
            return str(value)  # raises for a strict one, as printing it would
        case str():
            return str(value)
        case int() if value.bit_length() > LARGEST_POWER_BITS:
            raise TypeError("it gives a number of thousands of digits")
        case None | bool() | int() | float():
            return value
        case Mapping():
            return {str(key): _plain(inner, depth + 1) for key, inner in value.items()}
        case Iterable() if not callable(value):
            return [_plain(inner, depth + 1) for inner in value]
        case _:
            raise TypeError(f"it gives a {type(value).__name__}, not data")


def _missing(error: MissingName, context: Context) -> TemplateFailure:
    # What was looked up may itself be missing, or forbidden.
    name = str(error.name)[:LONGEST_NAME] if isinstance(error.name, str | int | float) else "of no name"
    item = context.get("item")
    owner = item if error.owner is jinja2.utils.missing else error.owner
    available = [str(key) for key in owner] if isinstance(owner, Mapping) else []
    listed = (
        ", ".join(each[:LONGEST_NAME] for each in available[:SHOWN_NAMES])
        + (", …" if len(available) > SHOWN_NAMES else "")
        or "none"
    )
    if owner is item:
        message = f"Template needs column '{name}', which is missing; columns: {listed}"
    elif owner is context.get("sample"):
        message = (
            f"Template needs sample.{name}, which is missing: without a target model, "
            "sample.output_text is the row's text column 'output'"
        )
    else:
        message = f"Template needs '{name}', which is missing; there is: {listed}"
    return TemplateFailure(message, missing=name, available=available)


def _brief(error: Exception) -> str:
    return " ".join(str(error).split()).rstrip(".") or type(error).__name__


def _shorten(text: str, length: int = 80) -> str:
    return repr(text if len(text) <= length else text[: length - 1] + "…")
