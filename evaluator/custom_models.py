"""Models as v1 bodies name them: inline, by the name of an entity, or by a name that the deployment's server knows."""

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from pydantic import ValidationError

from assay.evaluator.custom_faults import Faults
from assay.evaluator.models import Definition, DefinitionKind
from assay.evaluator.sealing import SEALED
from assay_sdk.engine.spec import Model

FORMATS = {"nim": "nim", "openai": "openai", "lama_stack": "openai", "llama_stack": "openai"}
"""As v1 names them → as the engine does. Each is called in the same way."""
ModelDefinition = dict[str, Any]
FindModel = Callable[[str], ModelDefinition | None]
"""From the name of a model to what v1 says of it, ``{"api_endpoint": …}``; None where there is none."""


def registered_model(name: str) -> ModelDefinition | None:
    """Return the entity ``namespace/name``, or else the model of that name at the deployment's inference server."""
    namespace, _, rest = name.partition("/")
    entity = Definition.objects.filter(kind=DefinitionKind.MODEL, workspace__name=namespace, name=rest).first()
    if entity is not None and isinstance(entity.body.get("api_endpoint"), dict):
        return dict(entity.body)
    return {"api_endpoint": {"url": settings.INFERENCE_URL, "model_id": name}} if settings.INFERENCE_URL else None


def unasked(name: str) -> ModelDefinition | None:
    """Pass any name: what it means is looked up when a job is made."""
    return {"api_endpoint": {"url": "http://model.invalid", "model_id": name}}


def model_of(holder: Mapping[str, Any], faults: Faults, find: FindModel) -> ModelDefinition | None:
    """Return the engine's definition of ``holder["model"]``, or None where there are faults, which are noted."""
    given = holder.get("model")
    if given is None:
        faults.missing("model")
        return None
    found = find(given) if isinstance(given, str) else given
    if found is None:
        known = (
            "no model entity with an api_endpoint, and the deployment names no inference server (ASSAY_INFERENCE_URL)"
        )
        faults.add("model", msg=f"There is no such model: {known}.")
        return None
    if not isinstance(found, dict):
        faults.add("model", msg="Input should be an object, or the name of one: namespace/name")
        return None
    with faults.at("model"):
        return _endpoint(faults.object_at(found, "api_endpoint"), faults)


def _endpoint(endpoint: Mapping[str, Any], faults: Faults) -> ModelDefinition | None:
    with faults.at("api_endpoint"):
        before = len(faults.found)
        for name in ("url", "model_id"):
            if not isinstance(endpoint.get(name), str) or not endpoint[name]:
                faults.missing(name)
        form = endpoint.get("format") or "nim"
        if str(form) not in FORMATS:
            faults.add("format", msg=f"Input should be one of {', '.join(FORMATS)}", kind="enum")
        if len(faults.found) > before:
            return None
        key = endpoint.get("api_key")
        definition: ModelDefinition = {"url": endpoint["url"], "name": endpoint["model_id"], "format": FORMATS[form]}
        if isinstance(key, dict):
            definition["api_key_secret"] = reference_of(key)
        if _takes_prompts_only(endpoint["url"]):
            definition["takes_prompts_only"] = True
        try:
            Model.model_validate(definition)
        except ValidationError as error:
            faults.of(error, name="model_id", api_key_secret="api_key")
            return None
        return definition


def reference_of(key: Mapping[str, Any]) -> str:
    """Return the name that a sealed key goes by inside a job, where it is unique without its workspace."""
    return str(key[SEALED]).rpartition("/")[2]


def _takes_prompts_only(url: str) -> bool:
    path = urlsplit(url).path.rstrip("/")
    return path.endswith("/completions") and not path.endswith("/chat/completions")
