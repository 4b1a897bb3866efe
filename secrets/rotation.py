"""Encryption keys change while everything runs: a new key, everything sealed anew, old keys given up (docs/secrets.md).

In what order nothing can be lost: a key is in the file before anything is sealed with it; it leaves the file while
nobody stores a secret, and only if no stored value needs it. Who dies in between leaves a key too many, no more.
"""

from collections import Counter
from dataclasses import dataclass
from enum import StrEnum

from django.db import transaction
from django.db.models import BinaryField
from django.db.models.functions import Substr

from assay.platform.audit import record
from assay.platform.keyfile import decode_key
from assay.secrets.models import Secret
from assay.secrets.vault import (
    KEY_ID_BYTES,
    VERSION,
    SecretUnreadable,
    ciphers,
    key_file,
    key_id,
    open_secret,
    seal_anew,
    store_turn,
)

BATCH = 20
"""Secrets that are sealed anew in one transaction: others who write wait for it."""
KEY_ID = Substr("sealed", len(VERSION) + 1, KEY_ID_BYTES, output_field=BinaryField())


class Standing(StrEnum):
    NEWEST = "newest"
    OLDER = "older"
    MISSING = "missing"


@dataclass(frozen=True)
class KeyUse:
    key_id: str
    """In hexadecimal digits."""
    standing: Standing
    values: int
    """How many stored values it has sealed."""


@dataclass(frozen=True)
class Resealed:
    values: int
    unreadable: list[SecretUnreadable]
    """Why others could not be opened; these stay as they are."""


def add_key() -> None:
    """Put a new key in front of those in the key file, and return when nobody seals with an older one any more."""
    key_file().add()
    with transaction.atomic():
        store_turn(exclusively=True)
        record("encryption_keys.add", next(iter(ciphers())).hex())


def reseal_all() -> Resealed:
    """Seal with the newest key what others have sealed; what somebody changes meanwhile stays as they left it."""
    resealed, unreadable = 0, []
    stale = Secret._base_manager.annotate(key_id=KEY_ID).exclude(key_id=next(iter(ciphers())))
    keys = list(stale.order_by("pk").values_list("pk", flat=True))
    for first in range(0, len(keys), BATCH):
        batch = Secret._base_manager.filter(pk__in=keys[first : first + BATCH]).select_related("workspace")
        with transaction.atomic():
            for secret in batch.order_by("pk"):
                try:
                    again = seal_anew(secret)
                except SecretUnreadable as error:
                    unreadable.append(error)
                else:
                    same = Secret._base_manager.filter(pk=secret.pk, sealed=secret.sealed)
                    resealed += same.update(sealed=again)
    record("encryption_keys.reseal", "secrets", after={"values": resealed, "unreadable": len(unreadable)})
    return Resealed(resealed, unreadable)


def key_uses() -> list[KeyUse]:
    """Return every key that is at hand or was sealed with, the newest first and the missing ones last."""
    used = _used()
    newest, *older = ciphers()
    found = [KeyUse(newest.hex(), Standing.NEWEST, used.pop(newest, 0))]
    found += [KeyUse(key.hex(), Standing.OLDER, used.pop(key, 0)) for key in older]
    return found + [KeyUse(key.hex(), Standing.MISSING, values) for key, values in sorted(used.items())]


def unreadable() -> list[SecretUnreadable]:
    """Open every value, and return why some cannot be."""
    found = []
    for secret in Secret._base_manager.select_related("workspace").order_by("pk").iterator(chunk_size=BATCH):
        try:
            open_secret(secret)
        except SecretUnreadable as error:
            found.append(error)
    return found


def forget_unused() -> int:
    """Take the older keys that no stored value needs out of the key file; return how many."""
    with transaction.atomic():
        store_turn(exclusively=True)
        used = _used()
        dropped = key_file().drop(lambda key: key_id(decode_key(key)) not in used)
        record("encryption_keys.forget", "unused keys", after={"keys": dropped})
    return dropped


def _used() -> Counter[bytes]:
    """Return how many values each key has sealed, by key id."""
    found = Secret._base_manager.annotate(key_id=KEY_ID).values_list("key_id", flat=True)
    return Counter(map(bytes, found))
