"""The client's namespaces, projects, datasets, models, targets and configs, and lists of them in both dialects."""

from typing import Any

from nemo_microservices import NotFoundError, UnprocessableEntityError
from session import KEY, MASK, Session, shows_no_key
from steps import expect, expect_equal, expect_refused

NAMES = ("one", "two", "three")


def keep_namespaces(session: Session) -> dict[str, Any]:
    namespaces, name = session.client.namespaces, session.namespace
    made = namespaces.create(id=name, description="compatibility", custom_fields={"team": "a"})
    expect_equal((made.id, made.description, made.custom_fields), (name, "compatibility", {"team": "a"}), "namespace")
    expect(made.created_at is not None and made.created_at.tzinfo is None, f"created_at {made.created_at!r}")
    said = session.refuse_twice(lambda: namespaces.create(id=name))
    expect_equal(namespaces.retrieve(name).id, name, "namespace read back")
    expect_equal(namespaces.update(name, description="changed").description, "changed", "changed description")
    expect_equal(namespaces.retrieve(name).custom_fields, {"team": "a"}, "fields that were not changed")
    found = [one.id for one in namespaces.list(search={"id": name.upper()[:-1]})]
    expect_equal(found, [name], "namespaces found by a part of their id")
    expect("default" in [one.id for one in namespaces.list(page_size=100)], "there is no default namespace")
    other = f"{name}-other"
    namespaces.create(id=other)
    gone = namespaces.delete(other)
    expect_equal((gone.id, gone.deleted_at is not None), (other, True), "deleted namespace")
    expect_refused(404, lambda: namespaces.retrieve(other), NotFoundError)
    expect_refused(404, lambda: namespaces.delete(other), NotFoundError)
    return {"said": said}


def keep_projects(session: Session) -> None:
    projects, ns = session.client.projects, session.namespace
    made = projects.create(name="p", namespace=ns, description="one", custom_fields={"a": 1})
    expect_equal((made.name, made.namespace, made.custom_fields), ("p", ns, {"a": 1}), "project")
    session.refuse_twice(lambda: projects.create(name="p", namespace=ns))
    expect_equal(projects.retrieve("p", namespace=ns).description, "one", "project read back")
    changed = projects.update("p", namespace=ns, description="two")  # this one the client has no model for
    expect_equal((changed["name"], changed["description"]), ("p", "two"), "changed project")
    expect_equal([one.name for one in projects.list(filter={"namespace": ns})], ["p"], "projects listed")
    expect_equal(bool(projects.delete("p", namespace=ns).message), True, "message of a delete")
    expect_refused(404, lambda: projects.retrieve("p", namespace=ns), NotFoundError)


def keep_datasets(session: Session) -> None:
    """A v1 dataset is a fileset: one that the platform's own API made is here at once, and can be registered."""
    datasets, ns = session.client.datasets, session.namespace
    url = session.put_rows() + "/"
    expect("rows" in [one.name for one in datasets.list(filter={"namespace": ns})], "a fileset is no dataset")
    made = datasets.create(name="rows", namespace=ns, files_url=url, description="rows", limit=20, project="none")
    expect_equal((made.files_url, made.limit, made.project), (url, 20, "none"), "dataset, with its URL as sent")
    expect(str(made.id).startswith("dataset-"), f"id of a dataset: {made.id}")
    session.refuse_twice(lambda: datasets.create(name="rows", namespace=ns, files_url=url))
    expect_equal(datasets.retrieve("rows", namespace=ns).id, made.id, "dataset read back")
    changed = datasets.update("rows", namespace=ns, description="changed", limit=10)
    expect_equal((changed.description, changed.limit, changed.files_url), ("changed", 10, url), "changed dataset")
    unnamed = datasets.create(files_url="hf://datasets/no/where", namespace=ns)
    expect_equal(unnamed.name, unnamed.id, "name of a dataset without one")
    datasets.delete(unnamed.name, namespace=ns)
    expect_refused(404, lambda: datasets.retrieve(unnamed.name, namespace=ns), NotFoundError)


def keep_models(session: Session) -> None:
    models, ns, name = session.client.models, session.namespace, "made-up@v1"
    made = models.create(name=name, namespace=ns, base_model="made/base", **session.model())
    shows_no_key(made)
    expect_equal((made.name, made.api_endpoint.api_key), (name, MASK), "model, with its key masked")
    session.refuse_twice(lambda: models.create(name=name, namespace=ns))
    expect_equal(models.retrieve(name, namespace=ns).base_model, "made/base", "model read back")
    changed = models.update(name, namespace=ns, api_endpoint={**made.api_endpoint.to_dict(), "model_id": "new"})
    expect_equal((changed.api_endpoint.model_id, changed.api_endpoint.api_key), ("new", MASK), "changed model")
    expect_equal([one.name for one in models.list(filter={"namespace": ns})], [name], "models listed")
    models.create(name="other", namespace=ns)
    models.delete("other", namespace=ns)
    expect_refused(404, lambda: models.retrieve("other", namespace=ns), NotFoundError)


def keep_targets(session: Session) -> None:
    targets, ns = session.client.evaluation.targets, session.namespace
    made = targets.create(type="model", name="target", namespace=ns, model=session.model(), project="p")
    shows_no_key(made)
    expect_equal((made.type, made.model.api_endpoint.api_key), ("model", MASK), "target, with its key masked")
    expect(str(made.id).startswith("eval-target-"), f"id of a target: {made.id}")
    session.refuse_twice(lambda: targets.create(type="model", name="target", namespace=ns, model=session.model()))
    expect_equal(targets.retrieve("target", namespace=ns).id, made.id, "target read back")
    changed = targets.update("target", namespace=ns, description="changed", model=made.model.to_dict())
    expect_equal((changed.description, changed.model.api_endpoint.api_key), ("changed", MASK), "changed target")
    rows = targets.create(type="rows", namespace=ns, rows=session.rows[:2])
    expect_equal((rows.rows, rows.name), (session.rows[:2], rows.id), "target of rows")
    expect_equal([one.id for one in targets.list(filter={"namespace": ns, "type": "rows"})], [rows.id], "by type")
    targets.delete(rows.name, namespace=ns)
    expect_refused(404, lambda: targets.retrieve(rows.name, namespace=ns), NotFoundError)
    expect_refused(422, lambda: targets.create(type="odd", namespace=ns), UnprocessableEntityError)


def keep_configs(session: Session) -> dict[str, Any]:
    configs, ns = session.client.evaluation.configs, session.namespace
    ask = {"messages": [{"role": "user", "content": "{{item.prompt}}"}], "max_tokens": 200}
    by_regex = session.judge("Rate from 0-4. End with RATING: n.", {"type": "regex", "pattern": r"RATING:\s*(\d)"})
    by_json = session.judge(
        'Rate from 0-4. Respond with JSON only: {"helpfulness": <0-4>}', {"type": "json", "json_path": "helpfulness"}
    )
    check = {"type": "string-check", "params": {"check": ["{{sample.output_text}}", "contains", "RATING"]}}
    bleu = {"type": "bleu", "params": {"references": ["{{item.response}}"]}}
    task = {"type": "chat-completion", "params": {"template": ask}, "dataset": f"{ns}/rows"}
    task["metrics"] = {"judged": by_regex, "judged_in_json": by_json, "rated": check, "near": bleu}
    params = {"parallelism": 4, "limit_samples": 6}
    made = configs.create(type="custom", name="config", namespace=ns, params=params, tasks={"qa": task})
    shows_no_key(made)
    kept = made.tasks["qa"].metrics["judged"].params
    expect_equal(kept["template"], by_regex["params"]["template"], "template of a metric")
    expect_equal(kept["model"]["api_endpoint"]["api_key"], MASK, "key of a judge")
    session.refuse_twice(lambda: configs.create(type="custom", name="config", namespace=ns, tasks={"qa": task}))
    expect_equal(configs.retrieve("config", namespace=ns).id, made.id, "config read back")
    changed = configs.update("config", path_namespace=ns, description="changed")
    expect_equal((changed.description, list(changed.tasks)), ("changed", ["qa"]), "changed config")
    configs.update("config", path_namespace=ns, tasks={"qa": made.tasks["qa"].to_dict()})  # its key is only a mask now
    wrong = {"type": "custom", "namespace": ns, "tasks": {"qa": {"type": "data", "metrics": {"m": {"type": "odd"}}}}}
    said = expect_refused(422, lambda: configs.create(**wrong), UnprocessableEntityError)
    configs.create(type="custom", name="other", namespace=ns, tasks={"qa": task})
    configs.delete("other", namespace=ns)
    expect_refused(404, lambda: configs.retrieve("other", namespace=ns), NotFoundError)
    return {"said": said}


def list_in_pages(session: Session) -> dict[str, Any]:
    """The client asks for page after page until one is empty, whatever the last one said."""
    ns = f"{session.namespace}-pages"
    for name in NAMES:
        session.client.datasets.create(name=name, namespace=ns, files_url=f"hf://datasets/{ns}/{name}")
        session.client.projects.create(name=name, namespace=ns)
        session.client.models.create(name=name, namespace=ns)
        session.client.evaluation.targets.create(type="rows", name=name, namespace=ns, rows=[{"a": 1}])
        session.client.evaluation.configs.create(type="custom", name=name, namespace=ns, tasks=a_task())
    evaluation, pages = session.client.evaluation, 0
    for resource in (session.client.datasets, session.client.projects, session.client.models):
        listed = resource.list(filter={"namespace": ns}, page_size=1, sort="name")
        expect_equal([one.name for one in listed], sorted(NAMES), f"{type(resource).__name__} in pages of one")
        pages += listed.pagination.total_pages
        backwards = resource.list(filter={"namespace": ns}, sort="-created_at", page_size=2)
        expect_equal([one.name for one in backwards], list(NAMES[::-1]), f"{type(resource).__name__} newest first")
        found = [one.name for one in resource.list(filter={"namespace": ns}, search={"name": ["TW", "thr"]})]
        expect_equal(sorted(found), ["three", "two"], f"{type(resource).__name__} by parts of names")
    for resource in (evaluation.targets, evaluation.configs):
        listed = resource.list(filter={"namespace": ns}, page_size=1, sort="created_at")
        expect_equal([one.name for one in listed], list(NAMES), f"{type(resource).__name__} in pages of one")
        one = resource.list(filter={"namespace": ns, "name": "two", "created_at": {"gte": "2020-01-01"}})
        expect_equal([found.name for found in one], ["two"], f"{type(resource).__name__} by name and date")
    page = session.client.datasets.list(filter={"namespace": ns}, page=2, page_size=2)
    told = page.pagination.to_dict()
    wanted = {"page": 2, "page_size": 2, "current_page_size": 1, "total_pages": 2, "total_results": 3}
    expect_equal((page.object, told), ("list", wanted), "second page")
    past = session.client.datasets.list(filter={"namespace": ns}, page=9)
    expect_equal(past.data, [], "a page past the end")
    for name in (ns, session.namespace):
        # Oldest first: another client that makes a namespace meanwhile must not move the others.
        listed = [one.id for one in session.client.namespaces.list(page_size=1, sort="created_at")]
        expect_equal(listed.count(name), 1, f"how often {name} is listed")
    for name in NAMES:
        for resource in (session.client.datasets, session.client.projects, session.client.models):
            resource.delete(name, namespace=ns)
        evaluation.targets.delete(name, namespace=ns)
        evaluation.configs.delete(name, namespace=ns)
    session.client.namespaces.delete(ns)
    return {"pages": pages}


def a_task() -> dict[str, Any]:
    metric = {"type": "string-check", "params": {"check": ["{{item.a}}", "equals", "1"]}}
    return {"t": {"type": "data", "metrics": {"m": metric}}}


def get_typed_errors(session: Session) -> None:
    client = session.client
    expect_refused(404, lambda: client.namespaces.retrieve("no-such-namespace"), NotFoundError)
    expect_refused(404, lambda: client.evaluation.jobs.retrieve("eval-none"), NotFoundError)
    expect_refused(422, lambda: client.namespaces.create(id="two words"), UnprocessableEntityError)
    expect_refused(422, lambda: client.datasets.list(sort="color"), UnprocessableEntityError)
    expect_refused(422, lambda: client.datasets.list(filter={"color": "red"}), UnprocessableEntityError)
    expect_refused(422, lambda: client.post("/v1/datasets", body={"name": "x"}, cast_to=object))
    raw = {"content": b"{", "headers": {"Content-Type": "application/json"}}
    expect_equal(client._client.post(f"{session.base_url}/v1/datasets", **raw).status_code, 400, "malformed JSON")
    said = expect_refused(409, lambda: client.namespaces.delete(session.namespace))
    expect(KEY not in said, "a refusal shows the API key")


def tidy(session: Session) -> None:
    """Everything goes by the doors it came through, and the namespace with it."""
    client, ns = session.client, session.namespace
    client.evaluation.configs.delete("config", namespace=ns)
    client.evaluation.targets.delete("target", namespace=ns)
    client.models.delete("made-up@v1", namespace=ns)
    client.datasets.delete("rows", namespace=ns)
    left = f"{session.base_url}/apis/files/v2/workspaces/{ns}/filesets/rows"
    expect_equal(client._client.delete(left).status_code < 300, True, "the fileset behind the dataset is deleted")
    client.namespaces.delete(ns)
    expect_refused(404, lambda: client.namespaces.retrieve(ns), NotFoundError)
