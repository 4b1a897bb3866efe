"""Keys that come inside v1 bodies are sealed as secrets; what is stored and shown of them is never their value.

In what is stored, ``{"$sealed": "<workspace>/<secret>"}`` stands in the place of a key; on the wire it is ``"******"``.
A body cannot forge such a reference: one counts only as the value of ``api_key`` or ``hf_token``, where a body may hold
a text or null and nothing else.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from assay.platform.api import MASK
from assay.platform.errors import Conflict, Invalid, NotFound
from assay.platform.ids import new_id
from assay.platform.v1 import KEYS, Fault, fault, masked
from assay.secrets.models import Secret
from assay.secrets.store import SecretsMissing, create_secret, look_up
from assay.secrets.wire import LONGEST_VALUE
from assay.workspaces import deletion
from assay.workspaces.models import Workspace

__all__ = ["key_faults", "let_go", "masked", "seal_keys", "sealed_references", "sealed_secrets"]

SEALED = "$sealed"
MOST_KEYS = 100
"""Different keys in one body."""

Way = tuple[str | int, ...]


def seal_keys(
    workspace: Workspace, body: Any, previous: Any = None, where: Way = ("body",)
) -> tuple[Any, list[Secret]]:
    """Return what may be stored of a ``body`` that a user sent, and every secret that it refers to.

    ``previous`` is what was stored in its place before: where the body holds the mask, its key is kept. To be called in
    the transaction that saves the references. Raises ``Invalid`` with the places, below ``where``, of keys that are no
    text, and ``Conflict`` where a kept key was deleted meanwhile.
    """
    faults = key_faults(body, previous)
    if faults:
        raise Invalid([fault([*where, *each["loc"]], each["msg"], each["type"]) for each in faults])
    made: dict[str, Secret] = {}

    def sealed(way: Way, value: Any) -> Any:
        if not value:
            return value
        if value == MASK:
            return _at(previous, way)
        if value not in made:
            made[value] = create_secret(workspace, new_id("inline"), value, None, inline=True)
        return {SEALED: str(made[value])}

    stored = _mapped(body, sealed)
    return stored, list(sealed_secrets(stored).values())


def key_faults(body: Any, previous: Any = None) -> list[Fault]:
    """Return what is wrong with the keys that a user sent, each with its place in ``body``; nothing of a value."""
    found = []
    values = set()
    for way, value in _keys(body):
        if value is None:
            continue
        if not isinstance(value, str):
            found.append(fault([*way], "Input should be a valid string", "string_type"))
        elif value == MASK:
            if _reference(_at(previous, way)) is None:
                found.append(fault([*way], f"No key is stored here that {MASK} could stand for; send the key itself."))
        elif len(value) > LONGEST_VALUE:
            found.append(fault([*way], f"String should have at most {LONGEST_VALUE} characters", "string_too_long"))
        else:
            values.add(value)
    if len(values) > MOST_KEYS:
        found.append(fault([], f"The body holds more than {MOST_KEYS} different keys."))
    return found


def sealed_references(body: Any) -> set[str]:
    """Return the secrets that what is stored refers to, as ``workspace/name``."""
    return {reference for _, value in _keys(body) if (reference := _reference(value)) is not None}


def sealed_secrets(body: Any) -> dict[str, Secret]:
    """Return them by reference; raises ``Conflict`` where one was deleted meanwhile."""
    try:
        return look_up(sealed_references(body))
    except SecretsMissing:
        raise Conflict("A key that is referred to was deleted meanwhile. Send the keys again.") from None


def let_go(secrets: Iterable[Secret]) -> None:
    """Delete those that came inside a body and that nothing refers to any more."""
    for secret in secrets:
        if secret.inline and not deletion.blockers(secret):
            try:
                deletion.delete(secret)
            except (Conflict, NotFound):
                continue  # somebody was quicker, with a reference or with a delete


def _keys(body: Any, way: Way = ()) -> Iterator[tuple[Way, Any]]:
    """Yield the place and value of every key in ``body``."""
    inside: Iterable[tuple[str | int, Any]] = ()
    if isinstance(body, dict):
        inside = body.items()
    elif isinstance(body, list):
        inside = enumerate(body)
    for name, value in inside:
        if name in KEYS:
            yield (*way, name), value
        else:
            yield from _keys(value, (*way, name))


def _mapped(body: Any, change: Callable[[Way, Any], Any], way: Way = ()) -> Any:
    """Return a copy of ``body`` with ``change`` of every key in its place."""
    if isinstance(body, dict):
        return {
            name: change((*way, name), value) if name in KEYS else _mapped(value, change, (*way, name))
            for name, value in body.items()
        }
    if isinstance(body, list):
        return [_mapped(value, change, (*way, index)) for index, value in enumerate(body)]
    return body


def _at(body: Any, way: Way) -> Any:
    for step in way:
        if isinstance(body, dict):
            body = body.get(step)
        elif isinstance(body, list) and isinstance(step, int) and step < len(body):
            body = body[step]
        else:
            return None
    return body


def _reference(value: Any) -> str | None:
    found = value.get(SEALED) if isinstance(value, dict) else None
    return found if isinstance(found, str) else None
