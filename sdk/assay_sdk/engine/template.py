"""Prompt templates: sandboxed Jinja, compiled once per metric (compiling per row costs 25 times the rendering).

A template is any JSON value. Its strings are Jinja; a string that is one lone `{{ expression }}` gives the native
value of that expression, every other string gives text.
"""

import json
from collections.abc import Callable, Iterable, Mapping, MutableMapping
from typing import Any

import jinja2
from jinja2 import nodes
from jinja2.runtime import Context as JinjaContext
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.utils import generate_lorem_ipsum
from jinja2.visitor import NodeTransformer

from assay_sdk.engine.errors import TemplateFailure
from assay_sdk.engine.template_limits import BUDGET, TooMuch, binary, charge_call, guarded_filter, size

Context = Mapping[str, Any]
Template = Callable[[Context], Any]

SHOWN_NAMES = 20  # a row may have hundreds of columns; an error message should stay readable


class _MissingName(jinja2.UndefinedError):
    """Jinja's complaint, together with what was looked up and where."""

    def __init__(self, message: str | None, name: str | None, owner: Any) -> None:
        super().__init__(message)
        self.name = name
        self.owner = owner


class _Missing(jinja2.StrictUndefined):
    def __init__(
        self,
        hint: str | None = None,
        obj: Any = jinja2.utils.missing,
        name: str | None = None,
        exc: type[jinja2.TemplateRuntimeError] = jinja2.UndefinedError,
    ) -> None:
        def missing(message: str | None = None) -> _MissingName:
            return _MissingName(message, name, obj)

        # Jinja only ever calls it; the other errors it passes here (forbidden names) are no missing columns.
        super().__init__(hint, obj, name, missing if exc is jinja2.UndefinedError else exc)  # type: ignore[arg-type]


class _Prepared(NodeTransformer):
    """Counts the rounds of loops, and makes `item.values` mean the column of that name, if there is one.

    `item.values()` stays the method of Python's dict. What is not called is looked up as `item['values']`: that finds
    attributes too, but columns first.
    """

    def visit_Getattr(self, node: nodes.Getattr) -> nodes.Node:
        self.generic_visit(node)
        return nodes.Getitem(node.node, nodes.Const(node.attr), node.ctx, lineno=node.lineno)

    def visit_Call(self, node: nodes.Call) -> nodes.Node:
        callee = node.node
        self.generic_visit(node)
        if isinstance(callee, nodes.Getattr):
            node.node = callee  # its own parts have been visited
        return node

    def visit_For(self, node: nodes.For) -> nodes.Node:
        self.generic_visit(node)
        node.iter = nodes.Filter(node.iter, "_counted", [], [], None, None, lineno=node.lineno)
        return node

    def visit_Concat(self, node: nodes.Concat) -> nodes.Node:
        self.generic_visit(node)
        return nodes.Filter(nodes.List(node.nodes), "_concatenated", [], [], None, None, lineno=node.lineno)


class _Environment(ImmutableSandboxedEnvironment):
    """Nothing is computed while compiling: a constant expression can be as large as any other."""

    intercepted_binops = frozenset({"+", "*", "**", "%"})

    def __init__(self) -> None:
        super().__init__(undefined=_Missing, autoescape=False, optimized=False, finalize=_printed)
        stock = {**self.filters, "tojson": _plain_json}
        self.filters = {name: guarded_filter(name, work) for name, work in stock.items()}
        self.filters |= {"_counted": BUDGET.counted, "_concatenated": _concatenated}
        self.globals |= {"range": _range, "lipsum": _lipsum}

    def _generate(self, source: nodes.Template, *args: Any, **kwargs: Any) -> str:
        return super()._generate(_Prepared().visit(source), *args, **kwargs)

    def make_globals(self, d: MutableMapping[str, Any] | None) -> MutableMapping[str, Any]:
        return {**self.globals, **(d or {})}  # no ChainMap: Jinja copies it for each rendering, and that is slow

    def call_binop(self, context: JinjaContext, operator: str, left: Any, right: Any) -> Any:
        binary(operator, left, right)
        return super().call_binop(context, operator, left, right)

    def call(self, context: JinjaContext, obj: Any, /, *args: Any, **kwargs: Any) -> Any:
        method = getattr(obj, "__wrapped__", obj)  # the sandbox wraps str.format
        owner = getattr(method, "__self__", None)
        charge_call(getattr(method, "__name__", ""), (owner if isinstance(owner, str) else None, *args), kwargs)
        BUDGET.charge(BUDGET.weight, CALL_STEPS)
        return super().call(context, obj, *args, **kwargs)


CALL_STEPS = 4


@jinja2.pass_context  # also keeps Jinja from printing constants while it compiles
def _printed(_: JinjaContext, value: Any) -> Any:
    BUDGET.charge(0 if isinstance(value, jinja2.Undefined) else size(value))
    return value


def _concatenated(parts: list[Any]) -> str:
    BUDGET.charge(size(parts))
    return "".join(map(str, parts))


def _plain_json(value: Any, indent: int | None = None) -> str:
    """Jinja's `tojson` is made for web pages: it writes `<` as an escape, which a model would take for the text."""
    return json.dumps(value, sort_keys=True, indent=indent)


def _range(*args: int) -> range:
    numbers = range(*args)
    try:
        BUDGET.charge(0, len(numbers))
    except OverflowError:
        raise TooMuch("it counts too far") from None
    return numbers


def _lipsum(n: int = 5, html: bool = True, min: int = 20, max: int = 100) -> str:
    BUDGET.charge(8.0 * n * max)
    return str(generate_lorem_ipsum(n, html, min, max))


_JINJA = _Environment()


def compile_template(source: Any) -> Template:
    """Compile any JSON value whose strings are templates.

    Raises TemplateFailure at once for broken syntax; the returned function raises it for a row that cannot fill it.
    """
    match source:
        case str():
            return _compile_text(source)
        case dict():
            fields = {key: compile_template(value) for key, value in source.items()}
            return lambda context: {key: render(context) for key, render in fields.items()}
        case list():
            parts = [compile_template(value) for value in source]
            return lambda context: [render(context) for render in parts]
        case _:
            return lambda context: source


def _compile_text(source: str) -> Template:
    if "{" not in source and "\r" not in source:  # roles, fixed instructions: nothing to render row by row
        return _json_if_asked(source, lambda context: source.removesuffix("\n"))
    try:
        if _is_lone_expression(source):
            inner = source.strip()[2:-2].removeprefix("-").removesuffix("-")
            evaluate = _JINJA.compile_expression(inner, undefined_to_none=False)
            render: Template = lambda context: _plain(_in_bounds(evaluate(context)))  # noqa: E731
        else:
            render = _JINJA.from_string(source).render
    except Exception as error:  # besides syntax errors: nested too deeply, numbers too long to be read…
        raise TemplateFailure(
            f"The template does not compile: {_brief(error)}. Template: {_shorten(source)}"
        ) from error

    def guarded(context: Context) -> Any:
        BUDGET.begin(source)
        try:
            return render(context)
        except _MissingName as error:
            raise _missing(error, context) from error
        except Exception as error:  # a template may divide by zero, call a string, recurse without end…
            raise TemplateFailure(
                f"The template cannot be rendered: {_brief(error)}. Template: {_shorten(source)}"
            ) from error

    return _json_if_asked(source, guarded)


def _in_bounds(value: Any) -> Any:
    BUDGET.charge(0 if isinstance(value, jinja2.Undefined) else size(value))
    return value


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
            return json.loads(value) if isinstance(value, str) else value
        except ValueError:
            return value

    return parsed


def _plain(value: Any) -> Any:
    """A copy as plain JSON data, so that nothing done to a request reaches the row it came from."""
    match value:
        case jinja2.Undefined():
            return str(value)  # raises for a strict one, as printing it would
        case str():
            return str(value)
        case None | bool() | int() | float():
            return value
        case Mapping():
            return {str(key): _plain(inner) for key, inner in value.items()}
        case Iterable() if not callable(value):
            return [_plain(inner) for inner in value]
        case _:
            raise TypeError(f"it gives a {type(value).__name__}, not data")


def _missing(error: _MissingName, context: Context) -> TemplateFailure:
    name, item = str(error.name), context.get("item")
    owner = item if error.owner is jinja2.utils.missing else error.owner
    available = [str(key) for key in owner] if isinstance(owner, Mapping) else []
    listed = ", ".join(available[:SHOWN_NAMES]) + (", …" if len(available) > SHOWN_NAMES else "") or "none"
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
