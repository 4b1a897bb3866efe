"""A template cannot keep a worker busy, fill its memory, or change its row; and honest ones never feel the limits."""

import time
from typing import Any

import pytest

from assay_sdk.engine import template_limits
from assay_sdk.engine.errors import TemplateFailure
from assay_sdk.engine.template import MOST_CHARACTERS, MOST_TOKENS, compile_template
from assay_sdk.engine.worktime import WORK_TIME

ITEM: dict[str, Any] = {"q": "why", "big": "x" * 1_000_000, "list": list(range(1000)), "tags": ["a", "b"]}


TWINS = (
    "{% set n = namespace(x=[1], y=[1]) %}"
    "{% for i in range(60) %}{% set n.x = [n.x, n.x] %}{% set n.y = [n.y, n.y] %}{% endfor %}"
)
"""Two values of a hundred lists, each of which would take longer to look through than there are years."""
DEEP = "{% set n = namespace(x=(1,)) %}{% for i in range(30000) %}{% set n.x = (n.x,) %}{% endfor %}"
"""A tuple so deep that to hash it ends the process."""


def render(source: Any) -> Any:
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
        "{% for i in range(99999) %}{{ 'zz' in item.big }}{% endfor %}",
        "{% for i in range(99999) %}{{ 'zz' in item.list }}{% endfor %}",
        "{% for i in range(99999) %}{% set x = item.big[1:] %}{% endfor %}",
        "{% for i in range(99999) %}{{ item.big is upper }}{% endfor %}",
        "{% for i in range(60000) %}{{ item.list.count('x') }}{% endfor %}",
        "{{ range(99999) | map('string') | select('in', item.big) | list }}",
        TWINS + "{{ n.x == n.y }}",
        TWINS + "{{ n.x is eq n.y }}",
        TWINS + "{{ [{'a': n.x}] | selectattr('a', 'eq', n.y) | list }}",
        "{% set n = namespace(x=(1,)) %}{% for i in range(60) %}{% set n.x = (n.x, n.x) %}{% endfor %}{{ {n.x: 1} }}",
        DEEP + "{{ {n.x: 1} }}",
        DEEP + "{{ n.x in item }}",
        DEEP + "{{ item[n.x] }}",
        DEEP + "{{ item.get(n.x) }}",
        "{% set n = namespace(x=3) %}{% for i in range(40) %}{% set n.x = n.x * n.x %}{% endfor %}{{ n.x > 1 }}",
        "{{ ('f' * 1000000) | int(0, 16) > 1 }}",
        "{{ (1).from_bytes([1], 'big') }}",
        "{{ (1).to_bytes(1000000000, 'big') }}",
        "{{ 'a'.encode() }}",
        "{{ 1 | round(99999999, 'floor') }}",
        "{{ 'a' | attr('encode') }}",
        "{{ ('a' * 1000000) | wordwrap(1) }}",
        "{{ lipsum(n=1, html=false, max=6000000, min=5999999) }}",
        "{{ ('ab' * 3000000) | groupby('x') | list }}",
        "{{ ('ab' * 300000) | list }}",
        "{{ ([1] * 1000000) | batch(1) | list }}",
        "{{ [1] | slice(1000000) | list }}",
        "{{ ([[1] * 1000] * 1000) | sum(start=[]) }}",
        "{{ ([1] * 1000000) | pprint }}",
        "{{ ('a ' * 20000000).split() }}",
        "{{ ('{0:9999}' * 100000).format(1) }}",
        "{{ ('{0}' * 100000).format('x' * 1000) }}",
        "{{ ('%(a)s' * 100000) % {'a': 'x' * 1000} }}",
        "{{ ('%(a)s' * 100000) | format(a='x' * 1000) }}",
        "{{ ('y' * 1000000).join(range(29000) | map('string')) | length }}",
        "{{ range(29000) | map(attribute='x', default=item.big) | join('') | length }}",
        "{{ range(29000) | map(attribute='x', default=item.list) | sum(start=[]) | length }}",
        "{{ range(99999) | map(attribute='" + "a." * 100000 + "', default=1) | list }}",
        "{{ item.q }}" * 100_000,
        "{{ " + ", ".join(f"a{number}" for number in range(50_000)) + " }}",
        "{{ item.q }}" + "x" * MOST_CHARACTERS,
        ["{% for i in range(200000) %}{% endfor %}"] * 40,
    ],
    ids=lambda source: str(source)[:70],
)
def test_what_is_too_much_ends_soon_and_says_so(source: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(template_limits, "SECONDS", 0.5)
    began = time.thread_time()
    with pytest.raises(TemplateFailure, match=r"cannot be rendered|does not compile"):
        render(source)
    assert time.thread_time() - began < 1.5


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


def test_code_of_a_whole_definition_is_counted_together() -> None:
    one = "{{ item.q }} " * (MOST_TOKENS // 12)
    compile_template({"system": one})
    with pytest.raises(TemplateFailure, match="more code"):
        compile_template({"messages": [{"content": one}, {"content": one}, {"content": one}]})


def test_renderings_that_somebody_waits_for_share_their_time() -> None:
    slow = compile_template("{% for i in range(99999) %}{{ 'zz' in item.list }}{% endfor %}")
    began = time.thread_time()
    with WORK_TIME.within(0.3):
        for _ in range(20):
            with pytest.raises(TemplateFailure, match="takes too long"):
                slow({"item": ITEM})
    assert time.thread_time() - began < 1
    assert compile_template("{{ item.q }}!")({"item": ITEM}) == "why!"


def test_limits_are_those_of_one_rendering() -> None:
    template = compile_template("{% for i in item.list %}{{ i }}{% endfor %}" * 3)
    assert len({template({"item": ITEM}) for _ in range(200)}) == 1
