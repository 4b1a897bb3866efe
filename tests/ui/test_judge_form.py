"""The form of a new evaluation: what was typed becomes a metric, a request and code that say the same."""

import json
import time
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

import assay_sdk
from assay.evaluator.wire import Bundle, BundlesSpec, JobRequest
from assay.jobs.models import Job
from assay.jobs.terms import set_terms
from assay.ui.as_code import Place, rest_call, sdk_code
from assay.ui.judge_form import GradeFields, JudgeForm, ScoreFields
from assay.ui.new_clone import clone_of
from assay.ui.new_data import Count
from assay.ui.new_outlook import outlook
from assay.ui.new_prompt import all_rendered, rendered
from assay.ui.new_request import FormWrong, read_request
from assay.workspaces.models import Workspace

HERE = Place("http://platform.example", "demo", signs_in=False)
NASTY = "Say \"why\" in {{item.prompt}}\\n\n\tor 'not' $HOME `id` – {# ü #} \N{LINE SEPARATOR}done\n"
SENT = {
    "workspace": " demo ",
    "fileset": "demo/answers",
    "file": "answers.csv",
    "url": "http://judge.example/v1/chat/completions ",
    "model": "some-model",
    "secret": "judge-key",
    "temperature": "0.5",
    "max_tokens": "300",
    "samples": "1",
    "system": "Rate it.\r\nReply with JSON.",
    "user": NASTY,
    "more": '{"retries_unscored": 0, "inference": {"top_p": 0.9, "extra-key": [1]}, "model": {"format": "nim"}}',
    "name": "my-judge",
    "description": "",
    "parallelism": "4",
    "limit_samples": "10",
    "budget_tokens": "1000",
    "budget_cost": "2.5",
    "score-0-name": "helpfulness",
    "score-0-kind": "range",
    "score-0-min": "0",
    "score-0-max": "4",
    "score-0-parser": "regex",
    "score-0-pattern": r"Score: (\d) ",
    "score-0-method": "last",
    # A range has no grades, whatever was typed before its kind was changed.
    "score-0-label-0": "left over",
    "score-7-name": "tone",
    "score-7-kind": "rubric",
    "score-7-description": "How it sounds",
    "score-7-label-0": "rude",
    "score-7-value-0": "0",
    "score-7-meaning-0": "It insults",
    "score-7-label-4": "kind",
    "score-7-value-4": "1.5",
    "score-7-meaning-4": "",
    "score-7-label-5": "",
    "score-7-value-5": "",
    "score-7-path": "verdict.tone",
}
BROKEN_PATTERN = ScoreFields("3", "a", min="0", max="1", parser="regex", pattern="(")
UNEVEN = (GradeFields("1", "x", "0"), GradeFields("2"), GradeFields("5", "y", "b"))


def plain(**changes: Any) -> JudgeForm:
    """A form in which nothing is wrong."""
    score = ScoreFields(name="helpfulness", min="0", max="4")
    form = JudgeForm("demo", "demo/answers", "a.csv", "http://judge.example/v1", "m", scores=(score,))
    return replace(form, **{"user": "{{item.x}}", **changes})


def test_all_that_can_be_typed_arrives_in_the_request() -> None:
    asked = read_request(JudgeForm.of(SENT))
    spec = asked.body["spec"]
    assert spec["dataset"] == "demo/answers#answers.csv"
    assert spec["params"] == {"parallelism": 4, "limit_samples": 10}
    assert asked.body["name"] == "my-judge" and "description" not in asked.body
    assert asked.body["custom_fields"] == {"assay": {"cache": False, "budget": {"tokens": 1000, "cost_usd": 2.5}}}
    metric = spec["metrics"][0]["payload"]["metric"]
    assert metric["model"] == {
        "url": "http://judge.example/v1/chat/completions",
        "name": "some-model",
        "api_key_secret": "judge-key",
        "format": "nim",
    }
    assert metric["inference"] == {"temperature": 0.5, "max_tokens": 300, "top_p": 0.9, "extra-key": [1]}
    assert metric["retries_unscored"] == 0
    assert metric["prompt_template"] == {
        "messages": [{"role": "system", "content": "Rate it.\nReply with JSON."}, {"role": "user", "content": NASTY}]
    }
    first, second = metric["scores"]
    assert first["parser"] == {"type": "regex", "pattern": r"Score: (\d) ", "method": "last"}
    assert (first["minimum"], first["maximum"]) == (0, 4) and "rubric" not in first
    assert second["parser"] == {"type": "json", "json_path": "verdict.tone"}
    grades = [{"label": "rude", "value": 0, "description": "It insults"}, {"label": "kind", "value": 1.5}]
    assert second["rubric"] == grades and second["description"] == "How it sounds"


def test_what_nobody_says_is_left_to_the_engine() -> None:
    body = read_request(plain(user="", temperature="")).body
    metric = body["spec"]["metrics"][0]["payload"]["metric"]
    assert not {"prompt_template", "inference", "structured_output"} & metric.keys()
    assert metric["scores"][0]["parser"] == {"type": "json", "json_path": "helpfulness"}
    assert "name" not in body and "custom_fields" not in body


@pytest.mark.parametrize(
    "form",
    [
        JudgeForm.of(SENT),
        plain(),
        plain(samples="3", temperature="1", user="one line\n"),
        plain(user="", more='{"prompt_template": {"prompt": "{{item.x}}"}, "expectation": {"mode": "prefer"}}'),
        plain(more='{"structured_output": {"schema": {"type": "object", "properties": {"helpfulness": {}}}}}'),
    ],
    ids=["everything", "plain", "samples", "another template", "a schema of its own"],
)
def test_the_sdk_code_makes_the_same_request(form: JudgeForm, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = read_request(form)
    sent: list[dict[str, Any]] = []
    tokens: list[str | None] = []

    class Recorder(assay_sdk.Assay):
        """Sends nothing: what it would send is kept."""

        def __init__(self, url: str, workspace: str, token: str | None = None) -> None:
            super().__init__(url, workspace)
            assert (url, workspace) == (HERE.url, HERE.workspace)
            tokens.append(token)
            self._transport.send = self.keep  # type: ignore[method-assign]
            self.evaluator._transport = self._transport

        def keep(self, call: Any) -> Any:
            sent.append(json.loads(json.dumps(call.json)))
            raise InterruptedError

    monkeypatch.setattr(assay_sdk, "Assay", Recorder)
    with pytest.raises(InterruptedError):
        exec(sdk_code(asked.metric, asked.body, HERE), {})
    monkeypatch.setenv("ASSAY_TOKEN", "assay_one")
    with pytest.raises(InterruptedError):
        exec(sdk_code(asked.metric, asked.body, replace(HERE, signs_in=True)), {})
    assert sent == [asked.body, asked.body]
    assert tokens == [None, "assay_one"]
    assert '-H "Authorization: Bearer $ASSAY_TOKEN"' in rest_call(asked.body, replace(HERE, signs_in=True))
    rest = rest_call(asked.body, HERE)
    assert json.loads(rest.partition("<<'JSON'\n")[2].removesuffix("JSON\n")) == asked.body


@pytest.mark.parametrize(
    ("changes", "field", "part"),
    [
        ({"url": "judge.example"}, "url", "http://"),
        ({"url": "http://me:pw@judge.example"}, "url", "secret"),
        ({"model": ""}, "model", "needed"),
        ({"temperature": "hot"}, "temperature", "number"),
        ({"temperature": "3"}, "temperature", "less than or equal to 2"),
        ({"max_tokens": "0"}, "max_tokens", "greater than or equal to 1"),
        ({"samples": "many"}, "samples", "number"),
        ({"samples": "3"}, "samples", "temperature is 0"),
        ({"fileset": ""}, "fileset", "Choose"),
        ({"user": "{{item.x"}, "user", "Line 1"),
        ({"user": "a\n\n{% if %}"}, "user", "Line 3"),
        ({"system": "{{ oops", "user": "ok"}, "system", "Line 1"),
        ({"system": "Rate it", "user": " "}, "user", "shown of each row"),
        ({"more": "{"}, "more", "not JSON"),
        ({"more": "[]"}, "more", "object"),
        ({"more": '{"scores": []}'}, "more", "field of its own"),
        ({"more": '{"model": {"name": "x"}}'}, "more", "field of its own"),
        ({"more": '{"retries_unscored": 9}'}, "more", "less than or equal to 3"),
        ({"name": "My Judge"}, "name", "small letters"),
        ({"parallelism": "0"}, "parallelism", "greater than or equal to 1"),
        ({"limit_samples": "x"}, "limit_samples", "number"),
        ({"budget_tokens": "1.5"}, "budget_tokens", "number"),
        ({"budget_cost": "-1"}, "budget_cost", "greater than 0"),
        ({"scores": ()}, "scores", "Add a score"),
        ({"scores": (ScoreFields("3", min="0", max="1"),)}, "score-3-name", "needed"),
        ({"scores": (ScoreFields("3", name="Big One", min="0", max="1"),)}, "score-3-name", "small letters"),
        ({"scores": (ScoreFields("3", name="a", max="1"),)}, "score-3-min", "needed"),
        ({"scores": (ScoreFields("3", name="a", min="zero", max="1"),)}, "score-3-min", "Give a number."),
        ({"scores": (ScoreFields("3", name="a", min="2", max="1"),)}, "score-3-max", "below"),
        ({"scores": (BROKEN_PATTERN,)}, "score-3-pattern", "does not compile"),
        ({"scores": (ScoreFields("3", "a", "rubric"),)}, "score-3-label-0", "at least two"),
        ({"scores": (ScoreFields("3", "a", "rubric", grades=UNEVEN),)}, "score-3-value-5", "Give a number."),
    ],
)  # fmt: skip
def test_a_mistake_is_told_at_its_field(changes: dict[str, Any], field: str, part: str) -> None:
    with pytest.raises(FormWrong) as wrong:
        read_request(plain(**changes))
    assert list(wrong.value.mistakes) == [field], wrong.value.mistakes
    assert part in wrong.value.mistakes[field]


def test_every_mistake_is_told_at_once() -> None:
    form = plain(url="", parallelism="x", more="{", name="-", scores=(ScoreFields(min="1", max="0"), ScoreFields("1")))
    with pytest.raises(FormWrong) as wrong:
        read_request(form)
    assert {"url", "parallelism", "more", "name", "score-0-name", "score-1-min"} <= wrong.value.mistakes.keys()


def job_of(form: JudgeForm) -> Job:
    """A job as the form makes it, not saved."""
    asked = read_request(form)
    spec = JobRequest.model_validate(asked.body).spec
    assert isinstance(spec, BundlesSpec)
    options = (form.custom_fields() or {}).get("assay", {})
    return Job(
        workspace=Workspace(name="demo"),
        dialect="publication",
        spec=spec.echo([Bundle.model_validate(each) for each in spec.metrics]),
        metrics=[asked.body["spec"]["metrics"][0]["payload"]["metric"]],
        description=asked.body.get("description"),
        parallelism=spec.params.parallelism,
        limit_samples=spec.params.limit_samples,
        uses_cache=options.get("cache", True),
        budget_tokens=options.get("budget", {}).get("tokens"),
    )


@pytest.mark.parametrize(
    "form",
    [JudgeForm.of(SENT), plain(), plain(samples="4", temperature="0.7"), plain(user="")],
    ids=["everything", "plain", "samples", "no prompt"],
)
def test_a_copy_of_a_job_asks_for_the_same(form: JudgeForm) -> None:
    form = replace(form, name="", budget_cost="")  # a name is given once
    clone = clone_of(job_of(form))
    assert not clone.notes
    assert read_request(clone.form).body == read_request(form).body


def test_a_copy_says_what_it_cannot_take_over() -> None:
    job = job_of(plain())
    job.metrics = [{"type": "exact-match", "reference": "{{item.x}}", "candidate": "{{item.y}}"}, *job.metrics]
    job.spec = {**job.spec, "dataset": [{"x": n} for n in range(9)], "target": {"url": "http://t", "name": "t"}}
    clone = clone_of(job)
    said = " ".join(clone.notes)
    assert "2 metrics" in said and "'exact-match'" in said and "'target'" in said and "came with the request" in said
    assert clone.form.parallelism == "8" and clone.spec["dataset"][-1] == "… and 6 more rows"
    assert "v1 API" in clone_of(Job(workspace=Workspace(name="demo"), dialect="custom", submitted={"a": 1})).notes[0]


def test_a_prompt_is_rendered_as_the_engine_does_it() -> None:
    form = plain(url="", model="", system="Be {{item.how}}")
    shown = rendered(form, 0, {"x": [1, "<b>"], "how": 3})
    assert [(each.role, each.text) for each in shown.messages] == [("system", "Be 3"), ("user", '[1, "<b>"]')]
    default = rendered(plain(user=""), 0, {"x": "hello"})
    assert default.default and "from 0 to 4" in default.messages[0].text and "hello" in default.messages[1].text
    guarded = rendered(plain(more='{"guard": true}'), 0, {"x": "hello"})
    assert "[material" in guarded.messages[1].text


def test_slow_template_holds_a_thread_no_longer_than_it_may(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("assay.ui.new_prompt.LIVE_SECONDS", 0.3)
    slow = "{% for i in range(99999) %}{{ 'zz' in item.x }}{% endfor %}"
    row = {"x": list(range(1000)), "y" * 200_000: 1}
    for form in (plain(user=slow, system=slow), plain(user="{{ item." + "z" * 200_000 + " }}")):
        began = time.thread_time()
        shown = all_rendered(form, [(number, row) for number in range(5)])
        assert time.thread_time() - began < 2
        assert all(each.troubles for each in shown)


def test_time_that_is_used_up_at_any_moment_shows_a_trouble(monkeypatch: pytest.MonkeyPatch) -> None:
    form = plain(user="{{ item.x }}" * 50, system="{{ item.y }}")
    found = set()
    for moment in [*range(60), 4000]:
        monkeypatch.setattr("assay.ui.new_prompt.LIVE_SECONDS", moment / 2000)
        shown = all_rendered(form, [(number, {"x": 1, "y": 2}) for number in range(3)])
        assert all(each.troubles or each.messages for each in shown)
        found |= {bool(each.troubles) for each in shown}
    assert found == {True, False}


@pytest.mark.django_db
def test_the_outlook_says_what_it_will_cost_at_least_and_at_most() -> None:
    form, items = plain(samples="2", limit_samples="1000"), [{"x": "a" * 400}]
    assert outlook(form, Count(5000, False), items).least_cost is None
    set_terms("http://judge.example/v1/chat/completions", "m", price_in=2, price_out=10)
    found = outlook(form, Count(5000, False), items)
    assert (found.rows, found.exact, found.calls, found.tokens_in) == (1000, True, 2000, 200_000)
    assert (found.least_cost, found.most_cost) == (Decimal("0.4"), Decimal("20.88"))
    unsure = outlook(replace(form, limit_samples=""), Count(5000, False), items)
    assert (unsure.rows, unsure.exact) == (5000, False)
    assert outlook(replace(form, limit_samples="9000"), Count(5000, True), items).rows == 5000


@pytest.mark.parametrize(
    ("user", "line", "part"),
    [
        ("Look:\n\nAnswer: {{item.respons}} {{item.x}}", 3, "Did you mean 'response'?"),
        ("\n\n{{ item.respons }}\n", 3, "columns: x, response"),
        ("a\n{{ 1 / 0 }}\nb", 2, "division by zero"),
        ("a\nb {{ item.x | nofilter }}", 2, "nofilter"),
        ("{{ item.x ", 1, "unexpected"),
        ("\n\n{{ item.x + }}", 3, "unexpected"),
    ],
)
def test_trouble_with_a_template_is_told_with_its_line(user: str, line: int, part: str) -> None:
    trouble = rendered(plain(user=user), 0, {"x": 1, "response": "r"}).troubles["user"]
    assert trouble.line == line and part in trouble.why
    assert trouble.source == user.split("\n")[line - 1].strip()
