"""Every change leaves an event that says who, what, when and from where, and no event can be changed unnoticed."""

from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection, transaction
from pytest_django import Settings
from rest_framework.test import APIClient

from assay.platform import audit
from assay.platform.models import AuditEvent
from tests.accounts.signing_in import PASSWORD, person, with_token

pytestmark = pytest.mark.django_db
AT = "/apis/entities/v2/workspaces"


@pytest.fixture(autouse=True)
def _own_folder(settings: Settings, tmp_path: Any) -> None:
    settings.DATA_DIR = tmp_path


def events(count: int = 5) -> None:
    for number in range(count):
        audit.record("test.happen", f"thing {number}", after={"number": number})


def test_an_event_says_who_what_and_from_where(settings: Settings) -> None:
    settings.AUTH = True
    client = with_token(person("ann"))
    AuditEvent._base_manager.all().delete()
    client.post(AT, {"name": "w-one", "description": "first"}, format="json", HTTP_X_REQUEST_ID="r-17")
    client.put(f"{AT}/w-one", {"description": "second"}, format="json")
    made, changed = AuditEvent._base_manager.order_by("pk")
    assert (made.action, made.target, made.actor, made.address) == ("workspace.create", "w-one", "ann", "127.0.0.1")
    assert made.via.startswith("token ") and made.request_id == "r-17"
    assert (changed.before, changed.after) == ({"description": "first"}, {"description": "second"})


def test_what_is_refused_leaves_no_event(client: APIClient) -> None:
    before = AuditEvent._base_manager.count()
    assert client.post(AT, {"name": "default"}, content_type="application/json").status_code == 409
    assert AuditEvent._base_manager.count() == before


def test_sign_ins_are_written_down_without_what_was_typed(settings: Settings, client: APIClient) -> None:
    settings.AUTH = True
    person("ann", is_staff=True)
    for name, password in (("ann", "wrong"), (PASSWORD, "x"), ("ann", PASSWORD)):
        client.post("/admin/tables/login/", {"username": name, "password": password})
    found = list(AuditEvent._base_manager.order_by("pk").values_list("action", "target"))
    assert found == [
        ("account.sign_in_failed", "ann"),
        ("account.sign_in_failed", "(unknown)"),
        ("account.sign_in", "ann"),
    ]
    assert PASSWORD not in repr(list(AuditEvent._base_manager.values()))


def test_the_chain_is_whole_and_grows() -> None:
    events()
    first = audit.verify()
    assert first.faults == [] and first.head.number == 5
    events(2)
    again = audit.verify(first.head)
    assert again.faults == [] and again.head.number == 7
    call_command("verify_audit", head=[str(first.head.number), first.head.seal])


def change() -> None:
    AuditEvent._base_manager.filter(number=3).update(after={"number": 30})


def take_out() -> None:
    AuditEvent._base_manager.filter(number=3).delete()


def put_another_in_its_place() -> None:
    AuditEvent._base_manager.filter(number=3).update(actor="somebody", seal="f" * 64)


def cut_the_end_off() -> None:
    AuditEvent._base_manager.filter(number__gt=3).delete()


def cut_the_end_off_and_go_on() -> None:
    cut_the_end_off()
    events(4)
    audit.seal_events()


def exchange_two() -> None:
    two, three = AuditEvent._base_manager.filter(number__in=(2, 3)).order_by("number")
    AuditEvent._base_manager.filter(pk=two.pk).update(target=three.target, after=three.after)
    AuditEvent._base_manager.filter(pk=three.pk).update(target=two.target, after=two.after)


def rewrite_it_all() -> None:
    """As somebody would who knows how seals are made, and does not reach the data folder."""
    AuditEvent._base_manager.filter(number=3).update(actor="somebody")
    seal = audit.BEGINNING
    for event in AuditEvent._base_manager.order_by("number"):
        assert event.number is not None
        seal = audit.seal_of(event, event.number, seal)
        AuditEvent._base_manager.filter(pk=event.pk).update(seal=seal)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    "tamper",
    [
        change,
        take_out,
        put_another_in_its_place,
        cut_the_end_off,
        cut_the_end_off_and_go_on,
        exchange_two,
        rewrite_it_all,
    ],
)
def test_tampering_shows(tamper: Any) -> None:
    events()
    assert audit.verify().faults == []
    tamper()
    assert audit.verify().faults
    with pytest.raises(CommandError):
        call_command("verify_audit")


@pytest.mark.django_db(transaction=True)
def test_the_database_refuses_to_change_an_event(settings: Settings) -> None:
    settings.AUDIT_GUARDED = True
    audit.guard_table()
    try:
        events(2)
        audit.seal_events()
        events(1)
        assert audit.verify().head.number == 3
        for wrong in (
            lambda: AuditEvent._base_manager.filter(number=2).update(actor="somebody"),
            lambda: AuditEvent._base_manager.filter(number=2).update(number=9),
            lambda: AuditEvent._base_manager.filter(number=2).delete(),
        ):
            with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
                wrong()
        assert audit.verify().faults == []
    finally:
        with connection.cursor() as cursor:
            for name in ("audit_no_update", "audit_no_delete", "audit_no_truncate"):
                on = f" ON {AuditEvent._meta.db_table}" if connection.vendor == "postgresql" else ""
                cursor.execute(f"DROP TRIGGER IF EXISTS {name}{on}")


def test_a_large_state_is_kept_as_its_digest() -> None:
    audit.record("test.happen", "thing", after={"text": "x" * 100_000})
    kept = AuditEvent._base_manager.get()
    assert kept.after is not None and kept.after.keys() == {"bytes", "sha256"}
