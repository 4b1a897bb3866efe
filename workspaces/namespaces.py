"""A namespace of the v1 API is a workspace, seen from two stores (microservices-v1 section 2).

Each store shows it once it was made on its own side; it goes when the last of them lets it go.
"""

from enum import StrEnum
from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from assay.platform.audit import record
from assay.platform.caller import Action
from assay.platform.errors import Conflict, NotFound
from assay.workspaces import deletion
from assay.workspaces.lookup import need
from assay.workspaces.making import create_workspace
from assay.workspaces.models import DEFAULT, Workspace


class Store(StrEnum):
    """A side, by the field that says whether a workspace is shown there."""

    ENTITIES = "in_entity_store"
    DATA = "in_data_store"

    @property
    def other(self) -> "Store":
        return Store.DATA if self is Store.ENTITIES else Store.ENTITIES


def namespaces(store: Store) -> QuerySet[Workspace]:
    return Workspace.objects.filter(**{store: True})


def get_namespace(store: Store, name: str) -> Workspace:
    """Return the namespace; raises ``NotFound``, also for one that only the other store has."""
    found = namespaces(store).filter(name=name).first()
    if found is None:
        raise NotFound(f"Namespace {name} not found")
    return found


def create_namespace(store: Store, name: str, by: str, **fields: Any) -> Workspace:
    """Return a namespace that is new to this store; raises ``Conflict`` when the store has it."""
    taken = Conflict(f"Namespace {name} already exists")
    now = timezone.now()
    with transaction.atomic():
        shown = Workspace.objects.filter(name=name, **{store: False})
        for workspace in shown.select_for_update():
            need(Action.MANAGE, workspace)
        if shown.update(**{store: True}, **fields, updated_at=now, updated_by=by):
            home = get_namespace(store, name)
            record("workspace.update", home, workspace=home, after={str(store): True, **fields})
            return get_namespace(store, name)
    if Workspace.objects.filter(name=name).exists():
        raise taken
    try:
        return create_workspace(name, **{store: True, store.other: False}, **fields)
    except Conflict:
        raise taken from None


def namespace_for(store: Store, name: str, by: str = "") -> Workspace:
    """Return the namespace that something is to be made in, which comes to be with the first thing in it."""
    found = Workspace.objects.filter(name=name).first()
    if found is None:
        try:
            return create_namespace(store, name, by)
        except Conflict:
            found = get_namespace(store, name)
    need(Action.WRITE, found)
    if not getattr(found, store):
        Workspace.objects.filter(pk=found.pk).update(**{store: True})
        setattr(found, store, True)
    return found


def change_namespace(namespace: Workspace, changes: dict[str, Any], by: str) -> Workspace:
    """Change what is given, and return it as it is then."""
    if changes:
        changes |= {"updated_at": timezone.now(), "updated_by": by}
        before = {name: getattr(namespace, name) for name in changes if not name.startswith("updated")}
        after = {name: changes[name] for name in before}
        with transaction.atomic():
            Workspace.objects.filter(pk=namespace.pk).update(**changes)
            record("workspace.update", namespace, workspace=namespace, before=before, after=after)
    return get_namespace(Store.ENTITIES, namespace.name)


def delete_namespace(store: Store, namespace: Workspace) -> None:
    """Take the namespace out of this store, and away where the other one does not show it either.

    Raises ``Conflict`` while it holds anything, of the data store's side any repository.
    """
    if namespace.name == DEFAULT:
        raise Conflict(f"Namespace {DEFAULT} belongs to the platform and cannot be deleted.")
    with transaction.atomic():
        # The lock holds off whoever is about to make something in it, until we commit.
        held = namespaces(store).select_for_update().filter(pk=namespace.pk).first()
        if held is None:
            raise NotFound(f"Namespace {namespace.name} not found")
        stays = getattr(held, store.other)
        if store is Store.DATA and held.filesets.exists():
            raise Conflict(f"Namespace {held.name} still holds repositories; delete them first.")
        if store is Store.ENTITIES or not stays:
            in_the_way = deletion.blockers(held)
            if in_the_way:
                raise Conflict(f"Namespace {held.name} still holds {in_the_way[0]}; delete what is in it first.")
        if stays:
            Workspace.objects.filter(pk=held.pk).update(**{store: False})
            record("workspace.update", held, workspace=held, before={str(store): True}, after={str(store): False})
        else:
            deletion.delete(held)
