"""What a ``custom`` config and a target may hold (microservices-v1 sections 4.1, 6), and what a job makes of them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from assay.evaluator.custom_data import check_data, data_of
from assay.evaluator.custom_faults import Faults
from assay.evaluator.custom_metrics import metric_of
from assay.evaluator.custom_models import FindModel, model_of, registered_model, unasked
from assay.evaluator.custom_requests import inference_of, reasoning_of, template_of
from assay.platform.errors import Invalid
from assay.platform.v1 import Fault, fault

CUSTOM = "custom"
PARALLELISM = 4
"""Of an evaluation that does not say."""
ASKED = frozenset({"model", "cached_outputs"})
GIVEN = frozenset({"rows", "dataset", "cached_outputs"})
TARGETS = {"chat-completion": ASKED, "completion": ASKED, "data": GIVEN}
"""Task type → the types of target that it goes with."""
RUN = ("request_timeout", "max_retries")


@dataclass(frozen=True)
class Task:
    """One task, in the words of the engine and of ``jobs.models.JobPart``."""

    name: str
    metrics: dict[str, dict[str, Any]]
    """The definition of each metric by its own name."""
    prompt_template: Any
    """None where nobody is asked."""
    params: dict[str, Any]
    rows: list[dict[str, Any]] | None
    dataset: dict[str, Any]

    def key(self, metric: str) -> str:
        """Return the key of a metric's results among those of the whole evaluation."""
        return f"{self.name}.{metric}"


@dataclass(frozen=True)
class Evaluation:
    """A config and a target, understood."""

    tasks: list[Task]
    target: dict[str, Any] | None
    """The model that is asked, as the engine defines it."""
    parallelism: int
    limit_samples: int | None
    models: list[dict[str, Any]]
    """What the models are that it names and does not hold, with their keys sealed."""


def check_config(body: Mapping[str, Any]) -> list[Fault]:
    """Return every fault of a config, each with its place below the config's own body, ``["tasks", …]``.

    Of other types than ``custom`` nothing is known.
    """
    faults = Faults()
    if body["type"] == CUSTOM:
        _tasks(body, None, faults, unasked, frozenset())
    return faults.found


def check_target(body: Mapping[str, Any]) -> list[Fault]:
    """Return every fault of a target, each with its place below the target's own body."""
    faults = Faults()
    match body["type"]:
        case "model":
            model_of(body, faults, unasked)
        case "rows":
            if not body["rows"]:
                faults.add("rows", msg="List should have at least 1 item after validation, not 0", kind="too_short")
        case "dataset" | "cached_outputs" as member:
            with faults.at(member):
                check_data(body[member], faults)
    return faults.found


def translate(
    config: Mapping[str, Any],
    target: Mapping[str, Any],
    *,
    find: FindModel = registered_model,
    own_hosts: frozenset[str] = frozenset(),
) -> Evaluation:
    """Return what a job has to do. Keys in both are sealed already.

    Raises ``Invalid`` with every fault, below ``body``, and ``NotFound`` for a dataset that is named and not there.
    """
    faults, model = Faults(), None
    named: list[dict[str, Any]] = []

    def found(name: str) -> dict[str, Any] | None:
        known = find(name)
        named.extend([known] if known else [])
        return known

    if config["type"] != CUSTOM:
        known = f"Evaluations of this type are not run here; there is: {CUSTOM}."
        faults.add("config", "type", msg=known, kind="enum")
    else:
        with faults.at("target"):
            if target["type"] not in ASKED | GIVEN:
                faults.add("type", msg="Targets of this type cannot be evaluated here.", kind="enum")
            elif target["type"] == "model":
                model = model_of(target, faults, found)
        with faults.at("config"):
            tasks = _tasks(config, target, faults, found, own_hosts)
    if faults.found:
        raise Invalid([fault(["body", *each["loc"]], each["msg"], each["type"]) for each in faults.found])
    params = config.get("params") or {}
    return Evaluation(tasks, model, params.get("parallelism") or PARALLELISM, params.get("limit_samples"), named)


def _tasks(
    config: Mapping[str, Any],
    target: Mapping[str, Any] | None,
    faults: Faults,
    find: FindModel,
    own_hosts: frozenset[str],
) -> list[Task]:
    if not config.get("tasks"):
        faults.missing("tasks")
        return []
    with faults.at("params"):
        inference_of(config.get("params") or {}, {}, None, faults)
    tasks = []
    keys: dict[str, str] = {}
    for name, body in config["tasks"].items():
        with faults.at("tasks", name):
            task = _task(name, body, config.get("params") or {}, target, faults, find, own_hosts)
            for metric in task.metrics:
                other = keys.setdefault(task.key(metric), name)
                if other != name:
                    faults.add("metrics", metric, msg=f"Its results would be mixed up with those of task '{other}'.")
        tasks.append(task)
    return tasks


def _task(
    name: str,
    body: Mapping[str, Any],
    overall: Mapping[str, Any],
    target: Mapping[str, Any] | None,
    faults: Faults,
    find: FindModel,
    own_hosts: frozenset[str],
) -> Task:
    kind = body["type"]
    _check_type(kind, target, faults)
    params = body.get("params") or {}
    with faults.at("params"):
        template = template_of(params, faults, chat=kind == "chat-completion") if kind != "data" else None
        inference = inference_of(params, overall, template, faults)
        reasoning = reasoning_of(params, faults)
    asks = target is not None and target["type"] == "model" and kind != "data"
    if asks and params.get("template") is None:
        faults.missing("params", "template")
    run: dict[str, Any] = {name: overall[name] for name in RUN if overall.get(name) is not None}
    run |= {"inference": inference, "reasoning": reasoning, "ignore_request_failure": True}
    if not body.get("metrics"):
        faults.missing("metrics")
    metrics = {}
    for metric, definition in (body.get("metrics") or {}).items():
        with faults.at("metrics", metric):
            metrics[metric] = metric_of(definition, faults, find) or {}
    rows, dataset = _rows(body, target, faults, overall, own_hosts)
    return Task(
        name, metrics, template if asks else None, {k: v for k, v in run.items() if v is not None}, rows, dataset
    )


def _check_type(kind: str, target: Mapping[str, Any] | None, faults: Faults) -> None:
    if kind not in TARGETS:
        faults.add("type", msg=f"Unknown task type; there are: {', '.join(TARGETS)}.", kind="enum")
    elif target is not None and target["type"] in ASKED | GIVEN and target["type"] not in TARGETS[kind]:
        allowed = " or ".join(sorted(TARGETS[kind]))
        faults.add("type", msg=f"A task of type {kind} needs a target of type {allowed}, not {target['type']}.")


def _rows(
    body: Mapping[str, Any],
    target: Mapping[str, Any] | None,
    faults: Faults,
    overall: Mapping[str, Any],
    own_hosts: frozenset[str],
) -> tuple[list[dict[str, Any]] | None, dict[str, Any]]:
    """Return the rows of a task, or else how they are read."""
    if target is None or target["type"] == "model":
        with faults.at("dataset"):
            given = body.get("dataset")
            if given is None:
                if target is not None:
                    faults.missing()
            elif target is None:
                check_data(given, faults)
            else:
                return None, data_of(given, faults, overall=overall, cached=False, own_hosts=own_hosts)
        return None, {}
    if target["type"] == "rows":
        return target["rows"][: overall.get("limit_samples")], {}
    if target["type"] not in GIVEN:
        return None, {}
    cached = target["type"] == "cached_outputs"
    return None, data_of(target[target["type"]], faults, overall=overall, cached=cached, own_hosts=own_hosts)
