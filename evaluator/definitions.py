"""Models, targets and configs: found, made, changed under a name, and their snapshots, which jobs keep.

A snapshot is a dictionary as it is stored: no nulls, a reference in the place of each key. ``full`` makes of it what
the wire shows within jobs; ``shown`` what the addresses of the definitions show.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.utils import timezone
from pydantic import BaseModel, ValidationError

from assay.evaluator.custom import check_config, check_target
from assay.evaluator.models import Definition, DefinitionKind, DefinitionSecret
from assay.evaluator.sealing import key_faults, let_go, seal_keys, sealed_secrets
from assay.evaluator.wire_v1 import (
    ConfigMembers,
    ModelMembers,
    Read,
    TargetMembers,
    full_config,
    full_model,
    full_target,
    read_config,
    read_model,
    read_target,
)
from assay.platform.api import wire_time
from assay.platform.audit import record
from assay.platform.caller import Action
from assay.platform.errors import Conflict, Invalid, NotFound
from assay.platform.ids import new_id
from assay.platform.v1 import Described, Fault, Named, V1Name, fault, faults_of, given, masked
from assay.secrets.models import Secret
from assay.workspaces.lookup import inserting, need
from assay.workspaces.namespaces import Store, namespace_for

M = TypeVar("M", bound=BaseModel)


@dataclass(frozen=True)
class Kind:
    word: str
    members: type[BaseModel]
    """What is particular to the kind."""
    read: Callable[[Mapping[str, Any], Any], Read]
    check: Callable[[Mapping[str, Any]], list[Fault]]
    """What is wrong with a body whose shape is right."""
    full: Callable[[Any], Any]
    """With a null for everything that is unset."""
    constant: Mapping[str, Any]
    """What every entity of the kind holds."""


VERSION = {"schema_version": "1.0", "type_prefix": "model", "version_id": "main", "version_tags": []}
KINDS = {
    DefinitionKind.MODEL: Kind("Model", ModelMembers, read_model, lambda _: [], full_model, VERSION),
    DefinitionKind.TARGET: Kind("Target", TargetMembers, read_target, check_target, full_target, {}),
    DefinitionKind.CONFIG: Kind("Config", ConfigMembers, read_config, check_config, full_config, {}),
}


class Changes(Described):
    """A name or namespace renames or moves it."""

    name: V1Name | None = None
    namespace: V1Name | None = None


def definitions(kind: DefinitionKind) -> QuerySet[Definition]:
    return Definition.objects.filter(kind=kind).select_related("workspace")


def get_definition(kind: DefinitionKind, namespace: str, name: str) -> Definition:
    """Raises ``NotFound``."""
    found = definitions(kind).filter(workspace__name=namespace, name=name).first()
    if found is None:
        raise NotFound(f"{KINDS[kind].word} {namespace}/{name} not found")
    return found


def create_definition(kind: DefinitionKind, body: Mapping[str, Any], by: str = "") -> Definition:
    """Return a new definition, its keys sealed. Raises ``Invalid`` with every fault, ``Conflict`` for a taken name."""
    named, faults = _fields(Named, body)
    members, more = _members(kind, body)
    if named is None or faults or more:
        raise _refused(faults + more)
    uid = new_id(kind)
    name = named.name or uid
    workspace = namespace_for(Store.ENTITIES, named.namespace, by)
    with inserting(workspace, f"{KINDS[kind].word} {workspace.name}/{name} already exists"):
        stored, secrets = seal_keys(workspace, members)
        definition = Definition.objects.create(
            kind=kind, workspace=workspace, uid=uid, name=name, body=stored, **given(named, "name", "namespace")
        )
        _refer(definition, secrets)
        record("definition.create", definition, after={"kind": kind, **stored})
    return definition


def change_definition(definition: Definition, body: Mapping[str, Any], by: str = "") -> Definition:
    """Change the top-level members that are given, each as a whole; jobs that were made before keep what they had."""
    need(Action.WRITE, definition.workspace)
    kind = DefinitionKind(definition.kind)
    fields, faults = _fields(Changes, body)
    asked = {name: body[name] for name in KINDS[kind].members.model_fields if name in body}
    with transaction.atomic():
        held = Definition.objects.select_for_update().filter(pk=definition.pk).first()
        if held is None:
            raise NotFound(f"{KINDS[kind].word} {definition} not found")
        members, more = _members(kind, {**held.body, **asked}, held.body, asked)
        if fields is None or faults or more:
            raise _refused(faults + more)
        changes = given(fields, "name", "namespace")
        workspace = namespace_for(Store.ENTITIES, fields.namespace, by) if fields.namespace else definition.workspace
        fresh, _ = seal_keys(workspace, {name: members[name] for name in asked if name in members}, held.body)
        stored = {name: fresh.get(name, held.body.get(name)) for name in members}
        changes |= {"workspace": workspace, "name": fields.name or held.name, "body": stored}
        try:
            with transaction.atomic():
                Definition.objects.filter(pk=held.pk).update(**changes, updated_at=timezone.now())
        except IntegrityError:
            raise Conflict(f"{KINDS[kind].word} {workspace.name}/{changes['name']} already exists") from None
        record("definition.update", held, before={"kind": kind, **held.body}, after={**stored, "name": changes["name"]})
        dropped = _refer(held, list(sealed_secrets(stored).values()))
    let_go(dropped)
    return get_definition(kind, workspace.name, changes["name"])


def inline_snapshot(kind: DefinitionKind, body: Mapping[str, Any]) -> tuple[dict[str, Any], list[Fault]]:
    """Return the snapshot of a config or target that came inside a job, and every fault, with its place in ``body``.

    Its keys are still what was sent: ``seal_keys`` is for whoever stores it.
    """
    named, faults = _fields(Named, body)
    members, more = _members(kind, body)
    if named is None or faults or more:
        return {}, faults + more
    uid, now = new_id(kind), wire_time(timezone.now())
    about = {"created_at": now, "updated_at": now, "name": named.name or uid, "namespace": named.namespace}
    rest = {"id": uid, "custom_fields": {}} | _known(given(named, "name", "namespace"))
    return {**KINDS[kind].constant, **about, **members, **rest}, []


def snapshot(definition: Definition) -> dict[str, Any]:
    """Return the definition as it is now, without nulls, a reference in the place of each key."""
    about = {
        "created_at": wire_time(definition.created_at),
        "updated_at": wire_time(definition.updated_at),
        "name": definition.name,
        "namespace": definition.workspace.name,
    }
    rest = {
        "id": definition.uid,
        "description": definition.description,
        "project": definition.project,
        "custom_fields": definition.custom_fields,
        "ownership": definition.ownership,
    }
    return {**KINDS[DefinitionKind(definition.kind)].constant, **about, **definition.body, **_known(rest)}


def full(kind: DefinitionKind, found: Mapping[str, Any]) -> dict[str, Any]:
    """Return a snapshot as jobs show it: every field there is, keys masked."""
    shown: dict[str, Any] = masked(KINDS[kind].full(found))
    return shown


def shown(definition: Definition) -> dict[str, Any]:
    """Return the definition as its own address shows it: models in full, targets and configs without nulls."""
    kind = DefinitionKind(definition.kind)
    found: dict[str, Any] = masked(snapshot(definition))
    return full(kind, found) if kind is DefinitionKind.MODEL else found


def _fields(model: type[M], body: Mapping[str, Any]) -> tuple[M | None, list[Fault]]:
    try:
        return model.model_validate(body), []
    except ValidationError as error:
        return None, faults_of(error)


def _members(
    kind: DefinitionKind, body: Mapping[str, Any], before: Any = None, asked: Mapping[str, Any] | None = None
) -> tuple[dict[str, Any], list[Fault]]:
    """Read what is particular to the kind; with ``asked``, these members only are new."""
    read = KINDS[kind].read(body, before)
    if read.faults:
        return {}, read.faults
    sent = read.body if asked is None else {name: read.body[name] for name in asked if name in read.body}
    return read.body, key_faults(sent, before) or KINDS[kind].check(read.body)


def _refer(definition: Definition, secrets: list[Secret]) -> list[Secret]:
    """Make ``secrets`` what the definition refers to; return those that it did and does no more."""
    wanted = {secret.pk for secret in secrets}
    uses = list(DefinitionSecret.objects.filter(definition=definition).select_related("secret__workspace"))
    dropped = [use.secret for use in uses if use.secret_id not in wanted]
    definition.definition_secrets.filter(secret__in=dropped).delete()
    new = wanted - {use.secret_id for use in uses}
    DefinitionSecret.objects.bulk_create(DefinitionSecret(definition=definition, secret_id=key) for key in new)
    return dropped


def _refused(faults: list[Fault]) -> Invalid:
    return Invalid([fault(["body", *each["loc"]], each["msg"], each["type"]) for each in faults])


def _known(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}
