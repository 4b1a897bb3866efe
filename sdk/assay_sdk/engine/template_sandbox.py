"""The sandbox in which templates run: Jinja, charged for all that it does (`template_limits`)."""

import json
from collections.abc import Callable, Iterator, MutableMapping
from typing import Any, cast

import jinja2
from jinja2 import nodes
from jinja2.runtime import Context as JinjaContext
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.utils import generate_lorem_ipsum
from jinja2.visitor import NodeTransformer

from assay_sdk.engine.template_limits import (
    BUDGET,
    REFUSED_METHODS,
    TooMuch,
    binary,
    charge_call,
    checked,
    guarded_filter,
    guarded_test,
)

CALL_STEPS = 4
SEARCHES = frozenset(["count", "index"])


class MissingName(jinja2.UndefinedError):
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
        def missing(message: str | None = None) -> MissingName:
            return MissingName(message, name, obj)

        # Jinja only ever calls it; the other errors it passes here (forbidden names) are no missing columns.
        super().__init__(hint, obj, name, missing if exc is jinja2.UndefinedError else exc)  # type: ignore[arg-type]


class _Prepared(NodeTransformer):
    """Charges for loops and for looking into values, and makes `item.values` mean the column of that name, if any.

    `item.values()` stays the method of Python's dict. What is not called is looked up as `item['values']`: that finds
    attributes too, but columns first.
    """

    def visit_Getattr(self, node: nodes.Getattr) -> nodes.Node:
        self.generic_visit(node)
        return nodes.Getitem(node.node, nodes.Const(node.attr), node.ctx, lineno=node.lineno)

    def visit_Getitem(self, node: nodes.Getitem) -> nodes.Node:
        self.generic_visit(node)
        if isinstance(node.arg, nodes.Slice):
            node.node = _through("_sliced", node.node)
        else:
            node.arg = _through("_looked_into", node.arg)  # it may be hashed, however deep it is
        return node

    def visit_Compare(self, node: nodes.Compare) -> nodes.Node:
        self.generic_visit(node)
        node.expr = _through("_looked_into", node.expr)
        for operand in node.ops:
            operand.expr = _through("_looked_into", operand.expr)
        return node

    def visit_Pair(self, node: nodes.Pair) -> nodes.Node:
        self.generic_visit(node)
        node.key = _through("_looked_into", node.key)
        return node

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


def _through(name: str, node: nodes.Expr) -> nodes.Expr:
    """The expression, its value passed through one of our own filters; a constant needs none."""
    if isinstance(node, nodes.Const):
        return node
    return nodes.Filter(node, name, [], [], None, None, lineno=node.lineno)


class Sandbox(ImmutableSandboxedEnvironment):
    """Nothing is computed while compiling: a constant expression can be as large as any other."""

    intercepted_binops = frozenset({"+", "*", "**", "%"})

    def __init__(self) -> None:
        super().__init__(undefined=_Missing, autoescape=False, optimized=False, finalize=_printed)
        stock = {**self.filters, "tojson": _plain_json}
        self.filters = {name: guarded_filter(name, work) for name, work in stock.items()}
        self.filters |= {"_counted": BUDGET.counted, "_concatenated": _concatenated}
        self.filters |= {"_looked_into": BUDGET.looked_into, "_sliced": BUDGET.sliced}
        tests = cast(dict[str, Callable[..., Any]], self.tests)
        self.tests = {name: guarded_test(name, work) for name, work in tests.items()}
        self.globals |= {"range": _range, "lipsum": _lipsum}

    def _generate(self, source: nodes.Template, *args: Any, **kwargs: Any) -> str:
        return super()._generate(_Prepared().visit(source), *args, **kwargs)

    def make_globals(self, d: MutableMapping[str, Any] | None) -> MutableMapping[str, Any]:
        return {**self.globals, **(d or {})}  # no ChainMap: Jinja copies it for each rendering, and that is slow

    def call_binop(self, context: JinjaContext, operator: str, left: Any, right: Any) -> Any:
        binary(operator, left, right)
        return super().call_binop(context, operator, left, right)

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        return attr not in REFUSED_METHODS and super().is_safe_attribute(obj, attr, value)

    def call(self, context: JinjaContext, obj: Any, /, *args: Any, **kwargs: Any) -> Any:
        method = getattr(obj, "__wrapped__", obj)  # the sandbox wraps str.format
        name, owner = getattr(method, "__name__", ""), getattr(method, "__self__", None)
        if name == "join":  # what comes of it depends on how much there is
            args = tuple(list(BUDGET.looked_into(each)) if isinstance(each, Iterator) else each for each in args)
        if isinstance(owner, list | tuple | dict):
            BUDGET.looked_into(owner) if name in SEARCHES else BUDGET.sliced(owner)
        charge_call(name, (owner if isinstance(owner, str) else None, *args), kwargs)
        BUDGET.charge(BUDGET.weight, CALL_STEPS)
        return checked(super().call(context, obj, *args, **kwargs))


@jinja2.pass_context  # also keeps Jinja from printing constants while it compiles
def _printed(_: JinjaContext, value: Any) -> Any:
    return BUDGET.looked_into(value)


def _concatenated(parts: list[Any]) -> str:
    BUDGET.looked_into(parts)
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
    BUDGET.charge(8.0 * n * max, n * max)
    return str(generate_lorem_ipsum(n, html, min, max))
