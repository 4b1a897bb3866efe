"""From the spec of a client to what a job needs: every form, and every way to get it wrong."""

import copy
import pickle
from base64 import b64encode
from typing import Any

import pytest

from assay.evaluator.metrics import keep
from assay.evaluator.submission import Submission, read_submission
from assay.evaluator.wire import Bundle
from assay.filesets.reference import FilesetReference
from assay.platform.errors import Conflict, Invalid
from assay.secrets.models import Secret
from assay.workspaces.models import Workspace
from assay_sdk.engine.spec import parse_metric
from tests.contract.replay import exchanges

pytestmark = pytest.mark.django_db
REFUSED = "Failed to transform nemo-evaluator job input to output: "
MODEL = {"url": "http://judge.example/v1", "name": "m"}
RANGE = {"name": "clarity", "minimum": 0, "maximum": 4}
RUBRIC = {"name": "tone", "rubric": [{"label": "good", "value": 1}, {"label": "bad", "value": 0}]}
NUMBER = {"description": "Continuous numeric metric value.", "title": "ContinuousScore", "type": "number"}
LABEL = {"description": "String label metric value.", "title": "Label", "type": "string"}


def metric(*scores: dict[str, Any], **model: Any) -> dict[str, Any]:
    return {"type": "llm-judge", "model": {**MODEL, **model}, "scores": list(scores) or [RANGE]}


def bundle(definition: dict[str, Any] | None = None, **also: Any) -> dict[str, Any]:
    outputs = [{"name": "clarity", "value_json_schema": NUMBER}]
    payload = {"kind": "inline", "metric": definition or metric()}
    return {"metric_type": "llm-judge", "outputs": outputs, "payload": payload, **also}


def spec(*entries: Any, **also: Any) -> dict[str, Any]:
    return {"metrics": list(entries) or [bundle()], "dataset": [{"q": 1}], **also}


def single(definition: dict[str, Any] | None = None, **also: Any) -> dict[str, Any]:
    return {"metric": definition or metric(), "dataset": [{"q": 1}], **also}


def refusal(workspace: Workspace, asked: dict[str, Any]) -> Any:
    with pytest.raises(Invalid) as refused:
        read_submission(workspace, asked)
    return refused.value.detail


def places(detail: list[dict[str, Any]]) -> set[str]:
    return {".".join(map(str, mistake["loc"])) for mistake in detail}


# The forms


@pytest.mark.parametrize(
    ("asked", "dialect"),
    [
        (single(), "single"),
        (spec(), "bundles"),
        (spec(field_mapping=None), "bundles"),
        (spec(publication=None), "publication"),
        (spec(publication={"to": "me"}), "publication"),
    ],
)
def test_the_form_tells_the_dialect_and_comes_back_with_no_newer_key(
    workspace: Workspace, asked: dict[str, Any], dialect: str
) -> None:
    submission = read_submission(workspace, asked)
    assert submission.dialect == dialect
    newer = {"single": {"field_mapping", "publication", "metrics"}, "bundles": {"publication", "metric"}}
    assert not newer.get(dialect, {"metric"}) & submission.spec.keys()
    assert submission.spec["params"] == {"parallelism": 8, "limit_samples": None}


def recorded_specs() -> list[Any]:
    files = [("evaluate-job-0.6.jsonl", "0.6.0"), ("evaluate-job-0.1.jsonl", "0.1.0"), ("errors.jsonl", "0.6.0")]
    files += [(f"evaluate-job-{version}.jsonl", "stub") for version in ("0.1", "0.2", "0.3")]
    return [
        pytest.param(exchange["request"]["spec"], id=f"{file} {position}")
        for file, server in files
        for position, exchange in enumerate(exchanges(file, server=server, path="/evaluate/jobs$"))
        if exchange["method"] == "POST" and exchange["status"] == 201
    ]


@pytest.mark.parametrize("asked", recorded_specs())
def test_what_real_clients_send_is_read_and_comes_back_unchanged(workspace: Workspace, asked: dict[str, Any]) -> None:
    for name in ("nvidia-api-key", "jk"):
        Secret.objects.create(workspace=workspace, name=name, sealed=b"")
    submission = read_submission(workspace, copy.deepcopy(asked))
    for definition in submission.metrics:
        assert parse_metric(definition).type == "llm-judge"
    defaults = {"params": {"parallelism": 8, "limit_samples": None}, "target": None, "prompt_template": None}
    expected = {**defaults, **copy.deepcopy(asked)}
    expected["params"] = {**defaults["params"], **expected["params"]}
    for entry in [*expected.get("metrics", []), *submission.spec.get("metrics", [])]:
        entry["payload"].pop("digest", None)  # the recorded ones are of other host names
    assert {key: submission.spec[key] for key in expected} == expected
    assert submission.spec.keys() - expected.keys() <= {"field_mapping"}


def test_everything_that_a_job_needs_is_told(workspace: Workspace) -> None:
    for name in ("key", "other"):
        Secret.objects.create(workspace=workspace, name=name, sealed=b"")
    asked = spec(
        bundle(metric(api_key_secret="key"), secrets={"KEY": "key"}),
        bundle(metric(api_key_secret="w-one/other")),
        dataset="f-one#data/*.jsonl",
        params={"parallelism": 3, "limit_samples": 5},
        field_mapping={"output": "answer"},
    )
    submission = read_submission(workspace, asked)
    assert submission.dataset == FilesetReference("", "f-one", "data/*.jsonl")
    assert submission.metrics == [metric(api_key_secret="key"), metric(api_key_secret="w-one/other")]
    assert (submission.parallelism, submission.limit_samples) == (3, 5)
    assert submission.spec["field_mapping"] == {"output": "answer"}
    assert submission.secret_references == ["key", "w-one/other"]
    assert isinstance(submission, Submission)


def test_a_digest_is_set_right(workspace: Workspace) -> None:
    sent = next(exchanges("client-helpers-0.6.jsonl", server="stub", path="/evaluate/jobs$"))["request"]["spec"]
    Secret.objects.create(workspace=workspace, name="nvidia-api-key", sealed=b"")
    right = sent["metrics"][0]["payload"]["digest"]
    for digest in (right, "00", None):
        sent["metrics"][0]["payload"]["digest"] = digest
        assert read_submission(workspace, sent).spec["metrics"][0]["payload"]["digest"] == right


# Stored metrics


def test_a_stored_metric_is_named_instead_of_sent(workspace: Workspace) -> None:
    other = Workspace.objects.create(name="w-two")
    keep(workspace, "m-one", Bundle.model_validate(bundle()))
    keep(other, "m-two", Bundle.model_validate(bundle(metric({**RANGE, "maximum": 9}))))
    submission = read_submission(workspace, spec("m-one", "w-two/m-two", bundle()))
    assert [each["scores"][0]["maximum"] for each in submission.metrics] == [4, 9, 4]
    assert [entry["bundle_kind"] for entry in submission.spec["metrics"]] == ["metric-bundle"] * 3


def test_a_stored_metric_that_is_not_there(workspace: Workspace) -> None:
    assert refusal(workspace, spec("m-none")) == REFUSED + "Metric not found: w-one/m-none"
    assert places(refusal(workspace, spec("m none"))) == {"body.spec.metrics.0"}


# Mistakes


@pytest.mark.parametrize(
    ("asked", "place"),
    [
        ({"dataset": [{}]}, "metrics"),
        (spec() | {"metrics": []}, "metrics"),
        (spec(metric=metric()), "metric"),
        (single(publication=None), "publication"),
        (single(field_mapping=None), "field_mapping"),
        (spec(dataset=[]), "dataset.list[dict[str,any]]"),
        (spec(dataset=[1]), "dataset.list[dict[str,any]].0"),
        (spec(dataset="a/b/c"), "dataset.FilesetRef"),
        (spec(dataset="a#" + "x" * 2000), "dataset.FilesetRef"),
        (spec(params={"parallelism": 0}), "params.parallelism"),
        (spec(params={"parallelism": 2**31}), "params.parallelism"),
        (spec(params={"limit_samples": 0}), "params.limit_samples"),
        (spec(params={"rows": 1}), "params.rows"),
        (spec(target={"url": "model.example", "name": "m"}, prompt_template="{{item.q}}"), "target.url"),
        (spec(target={"url": "http://model.example/v1", "name": "m"}), "prompt_template"),
        (spec(target="w-one/some-model", prompt_template="{{item.q}}"), "target"),
        (spec(target={"url": "http://model.example/v1", "name": "m"}, prompt_template="{{"), "prompt_template"),
        (spec(params={"max_retries": 2}), "params.max_retries"),
        (spec(bundle(metric_type=None)), "metrics.0.metric_type"),
        (spec(bundle(outputs=[])), "metrics.0.outputs"),
        (spec(bundle(unknown=1)), "metrics.0.unknown"),
        (spec(bundle(payload={"kind": "inline"})), "metrics.0.payload.inline.metric"),
        (spec(bundle(payload={"kind": "wasm"})), "metrics.0.payload"),
        (spec(3), "metrics.0"),
    ],
)
def test_mistakes_of_form_have_a_place(workspace: Workspace, asked: dict[str, Any], place: str) -> None:
    assert f"body.spec.{place}" in places(refusal(workspace, asked))


def test_metrics_that_cannot_be_used_are_all_told_with_their_place(workspace: Workspace) -> None:
    bad_range = bundle(metric({**RANGE, "minimum": 9}))
    leaking = bundle(metric(default_headers={"Authorization": "Bearer nvapi-12345"}))
    told = refusal(workspace, spec(bad_range, bundle(), leaking, bundle({"type": "bogus"})))
    assert told.startswith(REFUSED)
    assert "spec.metrics.0.payload.metric.scores.0.range: " in told
    assert "spec.metrics.1" not in told
    assert "spec.metrics.2.payload.metric.model" in told and "nvapi-12345" not in told
    assert "spec.metrics.3.payload.metric.type: " in told
    assert refusal(workspace, single({"type": "bogus"})).startswith(REFUSED + "spec.metric.type: ")


@pytest.mark.parametrize("kind", [None, 3, {}, [["number"]], ["string"]])
def test_a_schema_whose_type_is_no_type(workspace: Workspace, kind: Any) -> None:
    schema = {"type": "object", "properties": {"clarity": {"type": kind}}}
    told = refusal(workspace, single({**metric(), "structured_output": {"schema": schema}}))
    assert "property 'clarity' of structured_output.schema must be" in told


@pytest.mark.parametrize(
    ("outputs", "fields"),
    [
        ([{"name": "clarity", "value_json_schema": {"type": "number"}}], ["value_json_schema"]),
        ([{"name": "other", "value_json_schema": NUMBER, "description": "x"}], ["description", "name"]),
        ([{"name": "clarity", "value_json_schema": NUMBER}] * 2, ["name", "value_json_schema"]),
    ],
)
def test_a_bundle_has_to_tell_the_outputs_of_its_metric(workspace: Workspace, outputs: Any, fields: list[str]) -> None:
    told = refusal(workspace, spec(bundle(outputs=outputs)))
    expected = f"unbundled metric output spec does not match bundle metadata (mismatched fields: {fields})"
    assert told == REFUSED + expected


def test_a_rubric_has_a_label_among_its_outputs(workspace: Workspace) -> None:
    label = {"name": "tone.label", "description": "Selected rubric label for tone", "value_json_schema": LABEL}
    outputs = [{"name": "tone", "value_json_schema": NUMBER}, label]
    assert read_submission(workspace, spec(bundle(metric(RUBRIC), outputs=outputs)))
    assert "mismatched fields" in refusal(workspace, spec(bundle(metric(RUBRIC), outputs=outputs[:1])))


def test_the_type_of_a_bundle_is_that_of_its_metric(workspace: Workspace) -> None:
    assert "metric_type is 'f1'" in refusal(workspace, spec(bundle(metric_type="f1")))


def test_a_pickled_metric_is_refused_unread(workspace: Workspace) -> None:
    class Trap:
        def __reduce__(self) -> Any:
            return pytest.exit, ("the pickle was run",)

    payload = {"kind": "cloudpickle", "python_version": "3.11", "cloudpickle_version": "3", "pickle_protocol": 5}
    for blob in (b64encode(pickle.dumps(Trap())).decode(), "not even base64"):
        told = refusal(workspace, spec(bundle(payload={**payload, "blob": blob, "digest": "0"})))
        assert "never unpickled" in told and '"kind": "inline"' in told
        assert blob not in told


@pytest.mark.parametrize("reference", ["none", "w-one/none", "w-none/key"])
def test_a_secret_that_is_not_there_is_a_conflict(workspace: Workspace, reference: str) -> None:
    Secret.objects.create(workspace=workspace, name="key", sealed=b"")
    for asked in (single(metric(api_key_secret=reference)), spec(bundle(secrets={"KEY": reference}))):
        with pytest.raises(Conflict) as refused:
            read_submission(workspace, asked)
        assert str(refused.value.detail).startswith("Unable to create job because one or more referenced secrets")


def test_secrets_are_looked_up_in_one_query(workspace: Workspace, django_assert_num_queries: Any) -> None:
    references = [f"key-{number}" for number in range(10)]
    Secret.objects.bulk_create(Secret(uid=name, workspace=workspace, name=name, sealed=b"") for name in references)
    with django_assert_num_queries(1):
        submission = read_submission(workspace, spec(*[bundle(metric(api_key_secret=name)) for name in references]))
    assert submission.secret_references == references
