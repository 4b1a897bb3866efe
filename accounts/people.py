"""Accounts of people: making one, letting it sign in or not, making it a platform administrator, its password."""

from typing import Any

from django.contrib.auth.models import Group, User
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import QuerySet

from assay.accounts.calling import LOCAL_USER, RESERVED
from assay.platform.audit import record
from assay.platform.caller import Action, caller
from assay.platform.errors import Conflict, Invalid, NotFound

TO_CHANGE = "password to be changed"
"""The group of those who sign in with a password that somebody else has chosen."""


def accounts() -> QuerySet[User]:
    """Return the accounts of people; that of the one local user, which nobody can sign in to, is none."""
    return User.objects.exclude(username=LOCAL_USER)


def find_account(name: str) -> User:
    """Return the account; raises ``NotFound``."""
    found = accounts().filter(username=name).first()
    if found is None:
        raise NotFound(f"There is no account named '{name}'.")
    return found


def make_account(
    name: str, email: str, password: str | None, *, administrator: bool = False, to_change: bool = True
) -> User:
    """Return a new account. ``to_change``: the password is for the first sign-in, which asks for another one.

    No password: it is for whoever the identity provider knows by that name (`oidc.py`). Raises ``Invalid`` with what
    is wrong with each of them, and ``Conflict`` for a name in use.
    """
    caller().need_platform(Action.ADMINISTER)
    user = User(username=name, email=email, is_superuser=administrator, is_staff=administrator)
    _check(user, password)
    taken = Conflict(f"There is an account named '{name}' already.")
    if name in RESERVED:
        raise taken
    try:
        with transaction.atomic():
            user.set_password(password)
            user.save(force_insert=True)
            _mark(user, to_change and password is not None)
            record("account.create", name, after={"email": email, "administrator": administrator})
    except IntegrityError:
        raise taken from None
    return user


def give_password(user: User, password: str, *, to_change: bool = True) -> None:
    """Set a password for somebody else, whose sessions end with it; their tokens hold on."""
    caller().need_platform(Action.ADMINISTER)
    _check(user, password)
    with transaction.atomic():
        user.set_password(password)
        user.save(update_fields=["password"])
        _mark(user, to_change)
        record("account.password", user.get_username(), after={"to_be_changed": to_change})


def set_active(user: User, active: bool) -> None:
    """Let somebody sign in and use their tokens, or no longer. Raises ``Conflict`` for the last administrator."""
    _change(user, is_active=active)


def set_administrator(user: User, administrator: bool) -> None:
    """Let somebody do everything everywhere, or no longer. Raises ``Conflict`` for the last administrator."""
    _change(user, is_superuser=administrator, is_staff=administrator)


def has_to_change_password(user: User) -> bool:
    return user.groups.filter(name=TO_CHANGE).exists()


def password_changed(user: User) -> None:
    """Note that somebody has chosen a password of their own."""
    with transaction.atomic():
        _mark(user, False)
        record("account.password", user.get_username(), after={"to_be_changed": False})


def _change(user: User, **fields: bool) -> None:
    caller().need_platform(Action.ADMINISTER)
    before = {name: getattr(user, name) for name in fields}
    with transaction.atomic():
        # Of two who take that from each other, the second waits, and is told that nobody would be left.
        administrators = accounts().filter(is_superuser=True, is_active=True).order_by("pk").select_for_update()
        others = [each for each in administrators if each.pk != user.pk]
        if not all(fields.values()) and user.is_superuser and user.is_active and not others:
            raise Conflict(f"'{user}' is the only administrator who can sign in; make somebody else one first.")
        for name, value in fields.items():
            setattr(user, name, value)
        user.save(update_fields=list(fields))
        record("account.update", user.get_username(), before=before, after=fields)


def _check(user: User, password: str | None) -> None:
    """Raise ``Invalid`` with every mistake and the field that it is in."""
    wrong: list[dict[str, Any]] = []
    try:
        user.full_clean(exclude=["password"], validate_unique=False)
    except ValidationError as error:
        names = {"username": "name"}
        wrong += [_mistake(names.get(name, name), texts) for name, texts in error.message_dict.items()]
    try:
        if password is not None:
            validate_password(password, user)
    except ValidationError as error:
        wrong.append(_mistake("password", error.messages))
    if wrong:
        raise Invalid(wrong)


def _mistake(field: str, texts: list[str]) -> dict[str, Any]:
    return {"type": "value_error", "loc": ["body", field], "msg": " ".join(texts)}


def _mark(user: User, to_change: bool) -> None:
    group, _ = Group.objects.get_or_create(name=TO_CHANGE)
    if to_change:
        user.groups.add(group)
    else:
        user.groups.remove(group)
