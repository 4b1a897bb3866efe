"""Who did what, when, from where: one event a change, written in the change's own transaction, and never changed.

Each event carries a seal, the SHA-256 over the seal of the event before it and its own content, so that an event which
was changed, taken out or put in shows. Sealing is a step of its own, made by the sweep within seconds and before every
look at the chain: to seal in the transaction of the change would have all writers wait for each other. The newest
event's number and seal are kept in the data folder too, apart from the database, so that no end of the chain is lost.
"""

import hashlib
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC
from pathlib import Path
from typing import Any

import orjson
from django.conf import settings
from django.db import connection, transaction
from django.db.models import Model
from pydantic import BaseModel

from assay.platform import journal
from assay.platform.caller import caller
from assay.platform.models import AuditEvent

LARGEST = 16_384
"""Bytes of JSON that are kept of a state; of more there is the digest."""
AT_ONCE = 500
LOCK = 0x6173736179
"""Of Postgres: one process seals at a time."""
BEGINNING = "0" * 64

Facts = Mapping[str, Any] | BaseModel | None


def record(
    action: str,
    target: Model | str,
    *,
    workspace: Model | int | None = None,
    before: Facts = None,
    after: Facts = None,
) -> None:
    """Write down that the caller did this; to be called in the transaction that does it.

    ``before`` and ``after`` are what is to be seen of the target; never a secret. A target that belongs to a workspace
    says so itself.
    """
    who = caller()
    home = workspace if workspace is not None else getattr(target, "workspace_id", None)
    AuditEvent.objects.create(
        actor=who.name or who.via,
        via=who.via,
        address=who.address,
        request_id=journal.facts().get("request_id", ""),
        action=action,
        workspace=home.pk if isinstance(home, Model) else home,
        target=str(target)[:512],
        before=_kept(before),
        after=_kept(after),
    )


def _kept(facts: Facts) -> Any:
    if facts is None:
        return None
    plain = facts.model_dump(mode="json") if isinstance(facts, BaseModel) else dict(facts)
    text = orjson.dumps(plain, default=str, option=orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS)
    if len(text) > LARGEST:
        return {"bytes": len(text), "sha256": hashlib.sha256(text).hexdigest()}
    return orjson.loads(text)


# The chain


def seal_events() -> int:
    """Seal what is not sealed yet, in the order in which it is found; return how many events that were."""
    sealed = 0
    while batch := _seal_some():
        sealed += batch
    return sealed


def _seal_some() -> int:
    if not AuditEvent._base_manager.filter(number=None).exists():
        return 0  # asked every few seconds
    with transaction.atomic():
        if connection.vendor == "postgresql":
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])
        last = AuditEvent._base_manager.exclude(number=None).order_by("-number").first()
        number, seal = (last.number, last.seal) if last is not None and last.number is not None else (0, BEGINNING)
        kept = kept_head()
        if kept is not None and kept.number >= number:
            # Where the table has lost its end, what comes goes on from the end that it had: the gap stays to be seen.
            number, seal = kept.number, kept.seal
        found = list(AuditEvent._base_manager.filter(number=None).order_by("pk")[:AT_ONCE])
        for event in found:
            number += 1
            event.number, event.seal = number, seal_of(event, number, seal)
            seal = event.seal
            AuditEvent._base_manager.filter(pk=event.pk, number=None).update(number=number, seal=seal)
        if found:
            transaction.on_commit(lambda: _keep_head(Head(number, seal)))
    return len(found)


def seal_of(event: AuditEvent, number: int, previous: str) -> str:
    content = [
        previous, number, event.at.astimezone(UTC).isoformat(), event.actor, event.via, event.address, event.request_id,
        event.action, event.workspace, event.target, event.before, event.after,
    ]  # fmt: skip
    return hashlib.sha256(orjson.dumps(content, option=orjson.OPT_SORT_KEYS)).hexdigest()


@dataclass(frozen=True)
class Head:
    """The newest sealed event."""

    number: int
    seal: str

    def __str__(self) -> str:
        return f"{self.number} {self.seal}"


def head_file() -> Path:
    return Path(settings.DATA_DIR) / "audit" / "head"


def _keep_head(head: Head) -> None:
    place = head_file()
    kept = kept_head()
    if kept is not None and kept.number >= head.number:
        return  # another process was quicker
    place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = place.with_name(f"head.{os.getpid()}")
    draft.write_text(f"{head}\n")
    draft.replace(place)


def kept_head() -> Head | None:
    """Return the head as the data folder has it, if it does."""
    try:
        number, _, seal = head_file().read_text().strip().partition(" ")
        return Head(int(number), seal)
    except (OSError, ValueError):
        return None


@dataclass(frozen=True)
class Verdict:
    head: Head
    faults: list[str]
    """What is wrong with the chain, in words; empty: it is whole."""


def verify(expected: Head | None = None) -> Verdict:
    """Go through the whole chain; ``expected`` is a head noted down earlier, beside the one in the data folder."""
    seal_events()
    faults: list[str] = []
    wanted = {head.number: head.seal for head in (kept_head(), expected) if head is not None}
    number, seal = 0, BEGINNING
    for event in _in_order():
        if event.number != number + 1:
            faults.append(f"Events {number + 1} to {(event.number or 0) - 1} are missing.")
        elif event.seal != seal_of(event, event.number, seal):
            faults.append(f"Event {event.number} is not what was sealed, or the one before it is not.")
        number, seal = event.number or 0, event.seal
        if wanted.pop(number, seal) != seal:
            faults.append(f"Event {number} has another seal than the one that was noted down.")
    faults += [f"The chain ends at event {number}; {missing} was noted down as its end." for missing in sorted(wanted)]
    return Verdict(Head(number, seal), faults)


def _in_order() -> Iterator[AuditEvent]:
    return iter(AuditEvent._base_manager.exclude(number=None).order_by("number").iterator(chunk_size=AT_ONCE))


# The table

REFUSAL = "The audit is append-only."
_FIXED = (
    "at", "actor", "via", "address", "request_id", "action", "workspace", "target", "before", "after",
)  # fmt: skip


def guard_table(**_: Any) -> None:
    """Have the database refuse to change or delete an event (Django's ``post_migrate``); sealing it once is allowed.

    A migration of SQLite makes a table anew, and its triggers go with the old one.
    """
    table = AuditEvent._meta.db_table
    if not settings.AUDIT_GUARDED or table not in connection.introspection.table_names():
        return
    with transaction.atomic(), connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            moved = " OR ".join(f"OLD.{column} IS DISTINCT FROM NEW.{column}" for column in ("id", *_FIXED))
            cursor.execute(
                f"CREATE OR REPLACE FUNCTION audit_refuse() RETURNS trigger LANGUAGE plpgsql AS "
                f"$$ BEGIN RAISE EXCEPTION '{REFUSAL}'; END $$"
            )
            for name, event, when in (
                ("audit_no_update", "UPDATE", f"FOR EACH ROW WHEN (OLD.number IS NOT NULL OR {moved})"),
                ("audit_no_delete", "DELETE", "FOR EACH ROW"),
                ("audit_no_truncate", "TRUNCATE", "FOR EACH STATEMENT"),
            ):
                cursor.execute(f"DROP TRIGGER IF EXISTS {name} ON {table}")
                cursor.execute(
                    f"CREATE TRIGGER {name} BEFORE {event} ON {table} {when} EXECUTE FUNCTION audit_refuse()"
                )
        else:
            moved = " OR ".join(f"OLD.{column} IS NOT NEW.{column}" for column in ("id", *_FIXED))
            for name, event, when in (
                ("audit_no_update", "UPDATE", f"WHEN OLD.number IS NOT NULL OR {moved}"),
                ("audit_no_delete", "DELETE", ""),
            ):
                cursor.execute(f"DROP TRIGGER IF EXISTS {name}")
                body = f"BEGIN SELECT RAISE(ABORT, '{REFUSAL}'); END"
                cursor.execute(f"CREATE TRIGGER {name} BEFORE {event} ON {table} {when} {body}")
