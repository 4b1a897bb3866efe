"""What is sent when an evaluation is submitted, against what the reference client sent."""

import hashlib
import json
from typing import Any

import pytest

from assay_sdk import (
    FilesetRef,
    InferenceParams,
    JSONScoreParser,
    LLMJudgeMetric,
    Model,
    RangeScore,
    RubricScore,
    RunConfig,
    StructuredOutput,
)
from assay_sdk.client.submission import bundle, dataset_spec, job_spec
from tests.sdk.conftest import Either, recorded
from tests.sdk.stub import Stub, reply

SUBMITTED = next(
    found
    for found in recorded("evaluate-job-0.6")
    if found["path"].endswith("evaluate/jobs") and found["status"] == 201
)
JOBS = "/apis/evaluator/v2/workspaces/llm-as-judge-tutorial/evaluate/jobs"
SPEC = SUBMITTED["request"]["spec"]


def tutorial_metric() -> LLMJudgeMetric:
    schema = {"type": "object", "properties": {"helpfulness": {"type": "integer", "minimum": 0, "maximum": 4}}}
    return LLMJudgeMetric(
        model=Model(
            url="http://judge.example:9091/v1/chat/completions",
            name="nvidia/nemotron-3-nano-30b-a3b",
            api_key_secret="nvidia-api-key",
        ),
        scores=[
            RangeScore(
                name="helpfulness",
                description="How well does the response help the user?",
                minimum=0,
                maximum=4,
                parser=JSONScoreParser(json_path="helpfulness"),
            )
        ],
        prompt_template=SPEC["metrics"][0]["payload"]["metric"]["prompt_template"],
        structured_output=StructuredOutput(schema={**schema, "required": ["helpfulness"]}),
        inference=InferenceParams(temperature=0.0, max_tokens=32768),
        ignore_request_failure=True,
        job_type="online",
    )


def without_nulls(content: Any) -> Any:
    if isinstance(content, dict):
        return {key: without_nulls(value) for key, value in content.items() if value is not None}
    return [without_nulls(value) for value in content] if isinstance(content, list) else content


def test_the_tutorial_submits_what_the_reference_client_submits(stub: Stub, either: Either) -> None:
    stub.on("POST", JOBS, reply(SUBMITTED["response"], 201))
    dataset = FilesetRef(root="llm-as-judge-tutorial/helpsteer2-eval").with_fragment("validation.jsonl.gz")
    config = RunConfig(parallelism=1, limit_samples=5)
    job = either("evaluator.submit", tutorial_metric(), dataset, config=config, workspace="llm-as-judge-tutorial")
    ours, theirs = stub.asked[0].json["spec"], json.loads(json.dumps(SPEC))
    for spec in (ours, theirs):
        spec["metrics"][0]["payload"].pop("digest")
    assert without_nulls(ours) == without_nulls(theirs)
    assert ours.keys() == theirs.keys()
    assert ours["publication"] is None
    assert (job.name, job.workspace, job.info.status) == ("nemo-evaluator-mvjbmqrc", "llm-as-judge-tutorial", "created")


def test_the_digest_is_of_the_metric_as_it_is_sent() -> None:
    payload = bundle(tutorial_metric())["payload"]
    canonical = json.dumps(payload["metric"], sort_keys=True, separators=(",", ":"))
    assert payload["digest"] == hashlib.sha256(canonical.encode()).hexdigest()


def test_a_rubric_declares_its_label() -> None:
    rubric = [{"label": "good", "value": 1}, {"label": "bad", "value": 0}]
    metric = LLMJudgeMetric(
        model=Model(url="http://j/v1", name="m", api_key_secret="team/my-key"),
        scores=[RubricScore(name="tone", rubric=rubric)],
    )
    sent = bundle(metric)
    assert [output["name"] for output in sent["outputs"]] == ["tone", "tone.label"]
    assert sent["secrets"] == {"team_my_key": "team/my-key"}


def test_datasets() -> None:
    rows = [{"prompt": "a"}, {"prompt": "b"}]
    assert dataset_spec(rows, "w") == rows
    assert dataset_spec("other/data#x.jsonl", "w") == "other/data#x.jsonl"
    assert dataset_spec("data#x.jsonl", "w") == "w/data#x.jsonl"
    assert dataset_spec(FilesetRef(root="data"), "w") == "w/data"


def test_stored_metrics_are_named_and_none_is_a_mistake() -> None:
    assert job_spec("m1", [{}], workspace="w")["metrics"] == ["m1"]
    assert [type(found) for found in job_spec([tutorial_metric(), "w/m2"], [{}], workspace="w")["metrics"]] == [
        dict,
        str,
    ]
    with pytest.raises(ValueError, match="no metric"):
        job_spec([], [{}], workspace="w")


def test_a_stored_metric_is_the_same_bundle(stub: Stub, either: Either) -> None:
    [made] = [
        found for found in recorded("metrics-store") if found["method"] == "POST" and found["path"].endswith("/m4")
    ]
    stub.on("POST", "/apis/evaluator/v2/workspaces/default/metrics/m4", reply(made["response"], 201))
    stored = either("evaluator.metrics.create", "m4", tutorial_metric(), project="p")
    assert stub.asked[0].json == bundle(tutorial_metric())
    assert stub.asked[0].query == {"project": "p"}
    assert job_spec(stored, [{}], workspace="w")["metrics"] == ["ha-j1/m4"]
