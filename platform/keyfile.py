"""Keys that the embedded default makes for itself on first start."""

import binascii
import os
import secrets
from base64 import b64decode, urlsafe_b64encode
from pathlib import Path

KEY_BYTES = 32


def read_or_make(path: Path) -> str:
    """Return the key in ``path``; where there is none yet, make one that only this user can read (mode 0600).

    Two processes that start at once agree: the key is linked into place whole, and the first one wins.
    """
    try:
        return path.read_text().strip()
    except FileNotFoundError:
        pass
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(urlsafe_b64encode(secrets.token_bytes(KEY_BYTES)).decode() + "\n")
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(draft, path)
    except FileExistsError:
        pass
    finally:
        draft.unlink()
    return path.read_text().strip()


def decode_key(text: str) -> bytes:
    """Return a 256-bit key from base64, ordinary or URL-safe; a ``ValueError`` says what is wrong, never the key."""
    try:
        key = b64decode(text.translate(str.maketrans("-_", "+/")), validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("is not base64") from None
    if len(key) != KEY_BYTES:
        raise ValueError(f"holds {len(key)} bytes instead of {KEY_BYTES}")
    return key
