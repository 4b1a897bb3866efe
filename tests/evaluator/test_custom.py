"""Custom configs in the words of the engine: what is asked, with which parameters, and how replies are read."""

from typing import Any

import pytest

from assay.evaluator.custom import Evaluation, check_config, check_target, translate
from assay.evaluator.custom_data import FilesUrl, is_own
from assay.evaluator.sealing import SEALED
from assay.platform.errors import Invalid
from assay_sdk.engine.spec import parse_metric

MODEL: dict[str, Any] = {"api_endpoint": {"url": "http://a.test/v1", "model_id": "m"}}
SCORES = {"s": {"type": "int", "parser": {"type": "regex", "pattern": r"(\d)"}}}
TEMPLATE = {"messages": [{"role": "user", "content": "{{ item.q }}"}]}
CHECK = {"type": "string-check", "params": {"check": ["a", "==", "b"]}}
DATASET = {"files_url": "hf://datasets/n/d"}
TARGET = {"type": "model", "model": MODEL}


def read(target: Any = TARGET, overall: Any = None, **task: Any) -> Evaluation:
    task = {
        "type": "chat-completion",
        "params": {"template": TEMPLATE},
        "metrics": {"m": CHECK},
        "dataset": DATASET,
    } | task
    return translate({"type": "custom", "params": overall, "tasks": {"t": task}}, target)


def judge(**params: Any) -> dict[str, Any]:
    metric = {"type": "llm-judge", "params": {"model": MODEL, "template": TEMPLATE, "scores": SCORES, **params}}
    definition = read(metrics={"m": metric}).tasks[0].metrics["m"]
    assert parse_metric(definition)
    return definition


def check(kind: str, **params: Any) -> dict[str, Any]:
    return read(metrics={"m": {"type": kind, "params": params}}).tasks[0].metrics["m"]


def test_the_template_comes_before_the_task_and_the_task_before_the_evaluation() -> None:
    params = {"temperature": 0.1, "top_p": 0.2, "max_tokens": 30, "stop": "end", "extra": {"seed": 4, "hf_token": "x"}}
    task = {"template": {**TEMPLATE, "max_tokens": 200, "extra_body": {"top_k": 5}, "stream": True}, "temperature": 0.5}
    [found] = read(overall=params, params=task).tasks
    assert found.prompt_template == {**TEMPLATE, "max_tokens": 200, "top_k": 5}
    assert found.params["inference"] == {"temperature": 0.5, "top_p": 0.2, "stop": ["end"], "seed": 4}


def test_what_nobody_set_is_not_sent() -> None:
    evaluation = read()
    assert "inference" not in evaluation.tasks[0].params
    assert (evaluation.parallelism, evaluation.limit_samples) == (4, None)
    assert evaluation.target == {"url": "http://a.test/v1", "name": "m", "format": "nim"}


@pytest.mark.parametrize(
    ("kind", "template", "wanted"),
    [
        ("completion", "say {{ item.q }}", "say {{ item.q }}"),
        ("chat-completion", "say", {"messages": [{"role": "user", "content": "say"}]}),
        ("completion", {"prompt": "\nsay\n"}, {"prompt": "\nsay\n\n"}),
        ("completion", TEMPLATE, TEMPLATE),
    ],
)
def test_the_shape_of_a_template_decides_what_is_asked(kind: str, template: Any, wanted: Any) -> None:
    """The engine drops one newline at the end of a text, which v1 keeps: so one more is put there."""
    assert read(type=kind, params={"template": template}).tasks[0].prompt_template == wanted


def test_a_server_of_prompts_is_known_by_its_address() -> None:
    for url, wanted in (("/completions", True), ("/chat/completions", False), ("", False)):
        endpoint = {"url": f"http://a.test/v1{url}", "model_id": "m"}
        target = read(target={"type": "model", "model": {"api_endpoint": endpoint}}).target
        assert target is not None
        assert target.get("takes_prompts_only", False) is wanted


def test_a_judge_is_asked_once_and_its_number_is_what_it_says() -> None:
    found = judge(reasoning={"end_token": "</think>"}, structured_output={"schema": {"type": "object"}, "x": 1})
    assert (found["retries_unscored"], found["ignore_request_failure"]) == (0, True)
    assert found["reasoning"] == {"end_token": "</think>", "include_if_not_finished": False}
    assert found["structured_output"] == {"schema": {"type": "object"}}
    parser = {"type": "regex", "pattern": r"(\d)", "method": "search"}
    assert found["scores"] == [{"name": "s", "kind": "integer", "parser": parser}]


@pytest.mark.parametrize(
    ("pattern", "wanted"),
    [(r"\d+", r"(\d+)"), (r"(?i)score \d", r"(?i)(score \d)"), ("a|b", "(a|b)"), (r"x(\d)", r"x(\d)")],
)
def test_without_a_group_the_whole_match_is_the_score(pattern: str, wanted: str) -> None:
    scores = {"s": {"type": "float", "parser": {"type": "regex", "pattern": pattern}}}
    assert judge(scores=scores)["scores"][0]["parser"]["pattern"] == wanted


def test_both_spellings_of_a_tolerance() -> None:
    wanted = {"left_template": "1", "operation": "absolute difference", "right_template": "2", "epsilon": 0.5}
    for parts in (["absolute difference", 1, "2", "epsilon", 0.5], [1, "absolute difference", "2", "epsilon", "0.5"]):
        assert wanted.items() <= check("number-check", check=parts).items()


def test_references_and_candidates_go_by_several_names() -> None:
    for kind in ("rouge", "f1", "em", "accuracy"):
        for reference in ({"ground_truth": "r"}, {"reference": "r"}, {"references": ["r", "s"]}):
            assert check(kind, **reference)["reference"] == "r"
        assert check(kind, reference="r", prediction="c")["candidate"] == "c"
        assert "candidate" not in check(kind, reference="r")
    assert check("bleu", references="r")["references"] == ["r"]


def test_sides_of_a_check_are_texts_whatever_they_hold() -> None:
    found = check("string-check", check=["{{ item.n }}", "equals", 3])
    assert (found["left_template"], found["right_template"]) == ("{{ item.n }}{{ '' }}", "3")


def test_the_smaller_limit_holds() -> None:
    for limit, overall, wanted in ((25, 10, 10), (5, 10, 5), (None, 10, 10), (5, None, 5), (None, None, None)):
        dataset = DATASET | ({"limit": limit} if limit else {})
        found = read(overall={"limit_samples": overall}, dataset=dataset).tasks[0].dataset
        assert found["limit"] == wanted


def test_a_sealed_key_is_named_without_its_workspace() -> None:
    endpoint = {**MODEL["api_endpoint"], "api_key": {SEALED: "Team.A@x/inline-Abc"}}
    target = read(target={"type": "model", "model": {"api_endpoint": endpoint}}).target
    assert target is not None
    assert target["api_key_secret"] == "inline-Abc"


@pytest.mark.parametrize(
    ("url", "wanted"),
    [
        ("hf://datasets/n/d", ("n", "d", "", "")),
        ("hf://datasets/n/d/", ("n", "d", "", "")),
        ("hf://datasets/n/d@v1/a/b.csv", ("n", "d", "v1", "a/b.csv")),
        ("hf://datasets/n/d@refs%2Fheads%2Fx/a/", ("n", "d", "refs/heads/x", "a")),
        ("hf://datasets/n", None),
        ("hf://models/n/d", None),
        ("https://h.test/x.jsonl", None),
        ("hf://datasets/n/d\n", None),
        ("", None),
    ],
)
def test_where_files_are(url: str, wanted: tuple[str, ...] | None) -> None:
    if wanted is None:
        with pytest.raises(ValueError, match="hf://datasets"):
            FilesUrl.parse(url)
    else:
        assert FilesUrl.parse(url) == FilesUrl(*wanted)


def test_our_own_hub_is_known_by_host_and_path() -> None:
    hosts = frozenset({"127.0.0.1:8080"})
    for endpoint, wanted in (
        ("http://127.0.0.1:8080/v1/hf", True),
        ("http://127.0.0.1:8080/prefix/v1/hf", True),
        ("http://127.0.0.1:8081/v1/hf", False),
        ("https://huggingface.co", False),
    ):
        assert is_own(endpoint, hosts) is wanted


def test_results_of_two_tasks_are_never_mixed_up() -> None:
    task = {"type": "data", "metrics": {"b.c": CHECK}}
    tasks = {"a": task, "a.b": {**task, "metrics": {"c": CHECK}}}
    with pytest.raises(Invalid, match="mixed up"):
        translate({"type": "custom", "tasks": tasks}, {"type": "rows", "rows": [{}]})


def test_other_types_are_stored_and_not_run() -> None:
    assert check_config({"type": "gsm8k"}) == check_target({"type": "rag", "rag": {}}) == []
    with pytest.raises(Invalid, match="not run here"):
        translate({"type": "gsm8k"}, TARGET)
