"""Prompt templates beyond the golden vectors: safety of the row, and messages that say what to fix."""

from typing import Any

import pytest

from assay_sdk.engine.errors import TemplateFailure
from assay_sdk.engine.template import compile_template

ITEM: dict[str, Any] = {"q": "why", "values": "mine", "items": [1, 2], "meta": {"keys": "k", "tags": ["a"]}, "n": 3}


def render(source: Any, item: dict[str, Any] | None = None) -> Any:
    item = ITEM if item is None else item
    return compile_template(source)({**item, "item": item, "sample": {}})


def failure(source: Any) -> TemplateFailure:
    with pytest.raises(TemplateFailure) as caught:
        render(source)
    return caught.value


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("{{item.values}}", "mine"),
        ("v: {{item.values}}", "v: mine"),
        ("{{item.meta.keys}}", "k"),
        ("{{item.items | length}}", 2),
        ("{{item.meta.keys() | list}}", ["keys", "tags"]),
        ("{% for k, v in item.items() %}{{k}} {% endfor %}", "q values items meta n "),
        ("{{ item.meta.tags | map('upper') }}", ["A"]),
        ("{{- item.n -}}", 3),
        ({"a": ["{{item.n}}", 5, None], "{{k}}": True}, {"a": [3, 5, None], "{{k}}": True}),
    ],
)
def test_columns_come_before_methods_and_values_keep_their_type(source: Any, expected: Any) -> None:
    assert render(source) == expected


def test_missing_column_is_named_with_those_that_are_there() -> None:
    error = failure("Q: {{item.question}}")
    assert str(error) == "Template needs column 'question', which is missing; columns: q, values, items, meta, n"
    assert (error.missing, error.available) == ("question", tuple(ITEM))
    assert failure("{{question}}").missing == "question"
    assert "there is: keys, tags" in str(failure("{{item.meta.lang}}"))
    assert "text column 'output'" in str(failure("{{sample.output_text}}"))


def test_many_columns_do_not_drown_the_message() -> None:
    wide = {f"column_{i}": i for i in range(500)}
    with pytest.raises(TemplateFailure) as caught:
        render("{{item.q}}", wide)
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize("source", ["{{item.q", "{{item.q | shout}}", "{% if x %}", "{{ 1 + }}", ["{{ok}}", "{% %}"]])
def test_broken_syntax_is_found_before_any_row(source: Any) -> None:
    with pytest.raises(TemplateFailure, match="does not compile"):
        compile_template(source)


@pytest.mark.parametrize(
    "source",
    [
        "{{item.__class__}}",
        "{{ ''.__class__.__mro__ }}",
        "{{item.q.format.__globals__}}",
        "{{ 1 / 0 }}",
        "{{ item.q() }}",
        "{{ item.meta.tags.append }}",
        "{% macro m() %}{{m()}}{% endmacro %}{{m()}}",
    ],
)
def test_what_must_not_or_cannot_be_done_is_a_failure_of_the_row(source: str) -> None:
    assert failure(source).missing is None


def test_what_is_done_to_the_result_does_not_reach_the_row() -> None:
    item = {"messages": [{"role": "user", "content": "hi"}]}
    rendered = render("{{item.messages}}", item)
    rendered[0]["content"] = "changed"
    rendered.append("more")
    assert item == {"messages": [{"role": "user", "content": "hi"}]}
