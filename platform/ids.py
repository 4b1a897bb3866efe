"""Identifiers and names as the wire contracts have them (platform-v2 section 2)."""

import uuid

ALPHABET = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
NAME_PATTERN = r"^[a-z](?!.*--)[a-z0-9\-@.+_]{1,62}(?<!-)$"
"""Names of workspaces, projects, secrets, filesets and stored metrics: 2 to 63 characters."""


def base58(number: int) -> str:
    digits = ""
    while number:
        number, remainder = divmod(number, 58)
        digits = ALPHABET[remainder] + digits
    return digits or ALPHABET[0]


def new_id(kind: str) -> str:
    """Return ``<kind>-<a random 128-bit number in base58>``, such as ``workspace-8uxh4nxywEJyV5J1p2WraB``.

    The number has 22 digits always: clients that expect about as many never meet a short one.
    """
    return f"{kind}-{base58(uuid.uuid4().int).rjust(22, ALPHABET[0])}"
