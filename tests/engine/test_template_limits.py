"""A template cannot keep a worker busy, fill its memory, or change its row; and honest ones never feel the limits."""

import time
from typing import Any

import pytest

from assay_sdk.engine.errors import TemplateFailure
from assay_sdk.engine.template import compile_template

ITEM: dict[str, Any] = {"q": "why", "big": "x" * 1_000_000, "list": list(range(1000)), "tags": ["a", "b"]}


def render(source: str) -> Any:
    return compile_template(source)({"item": ITEM, **ITEM})


@pytest.mark.parametrize(
    "source",
    [
        "{{ 'a' * 100000000 }}",
        "x{{ 'a' * 100000000 }}",
        "{{ [0] * 10**9 }}",
        "{{ 2 ** 99999 }}",
        "x{{ 9 ** 99999999 }}",
        "x{{ 'a' | center(1000000000) }}",
        "x{{ 'a'.ljust(1000000000) }}",
        "x{{ 'a'.zfill(1000000000) }}",
        "x{{ '%1000000000d' % 1 }}",
        "x{{ '%*d' % (1000000000, 1) }}",
        "x{{ '%1000000000d' | format(1) }}",
        "x{{ '{:1000000000}'.format(1) }}",
        "x{{ '{:{}}'.format(1, 1000000000) }}",
        "x{{ item.big | replace('x', 'x' * 1000) }}",
        "x{{ ('y' * 100000).join(item.big) }}",
        "x{{ [1] | batch(1000000000, 'x') | list }}",
        "x{{ lipsum(100000000) }}",
        "x{{ item | tojson(indent=100000000) }}",
        "{% for i in range(10**18) %}{% endfor %}",
        "{% for i in range(9999) %}{% for j in range(9999) %}{% for k in range(9999) %}{% endfor %}{% endfor %}"
        "{% endfor %}",
        "{% for i in item.list %}{% for j in item.list %}{% for k in item.list %}.{% endfor %}{% endfor %}{% endfor %}",
        "{% for i in range(9999) %}{{ range(9999) | sum }}{% endfor %}",
        "{% for i in range(9999) %}{{ item.big | length }}{% endfor %}",
        "{% for i in item.list %}{{ item.big }}{% endfor %}",
        "{% set ns = namespace(x='ab') %}{% for i in range(60) %}{% set ns.x = ns.x + ns.x %}{% endfor %}{{ ns.x }}",
        "{% set ns = namespace(x='ab') %}{% for i in range(60) %}{% set ns.x = ns.x ~ ns.x %}{% endfor %}{{ ns.x }}",
        "{% set ns = namespace(x=['ab']) %}{% for i in range(60) %}{% set ns.x = [ns.x, ns.x] %}{% endfor %}{{ ns.x }}",
        "{% macro m(n) %}{% if n %}{{ m(n - 1) }}{{ m(n - 1) }}{% endif %}{% endmacro %}{{ m(60) }}",
        "{% set x %}{% for i in item.list %}{{ item.big }}{% endfor %}{% endset %}{{ x }}",
        "{{ " + "(" * 5000 + "1" + ")" * 5000 + " }}",
        "{{ " + "9" * 10000 + " }}",
        "{% for a in [1] %}" * 30 + "{% endfor %}" * 30,
    ],
)
def test_what_is_too_much_ends_soon_and_says_so(source: str) -> None:
    began = time.perf_counter()
    with pytest.raises(TemplateFailure, match=r"cannot be rendered|does not compile"):
        render(source)
    assert time.perf_counter() - began < 3


@pytest.mark.parametrize(
    "source",
    [
        "{{ item.tags.append('c') }}",
        "{{ item.update({'q': 'how'}) }}",
        "{{ item.pop('q') }}",
        "{% set item.q = 'how' %}",
        "{{ item.tags.clear() }}",
        "{{ item.tags.sort(reverse=true) }}",
    ],
)
def test_row_cannot_be_changed(source: str) -> None:
    with pytest.raises(TemplateFailure):
        render(source)
    assert (ITEM["q"], ITEM["tags"]) == ("why", ["a", "b"])


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("{% for i in item.list %}{{ i }},{% endfor %}", "".join(f"{i}," for i in range(1000))),
        ("{{ item.big }}!", "x" * 1_000_000 + "!"),
        ("{{ item.big | truncate(100000) | length }}", 100_000),
        ("{{ '%05.1f' % 3.14159 }}!", "003.1!"),
        ("{{ '{:>8}'.format('a') }}!", "       a!"),
        ("{{ item.list | map('string') | join(', ') | length }}", 4888),
        ("{{ 'ab' * 3 ~ 1 }}!", "ababab1!"),
        ("{% for k, v in item.items() %}{{ loop.index }}{% endfor %}", "1234"),
        ("{{ 123456789 | tojson }}", 123456789),
        ("{{ item.tags | join(', ') | indent(4) | center(10) }}!", "   a, b   !"),
    ],
)
def test_honest_templates_are_not_held_up(source: str, expected: Any) -> None:
    assert render(source) == expected


def test_limits_are_those_of_one_rendering() -> None:
    template = compile_template("{% for i in item.list %}{{ i }}{% endfor %}" * 3)
    assert len({template({"item": ITEM}) for _ in range(200)}) == 1
