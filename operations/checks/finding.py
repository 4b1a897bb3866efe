"""What a check is, and what it finds."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    check: str
    what: str
    why: str
    """Why it matters."""
    mend: str
    """The command that mends it, or what else to do."""


@dataclass(frozen=True)
class Depth:
    deep: bool = False
    """Read all that is stored, and not a sample of it."""
    network: bool = False
    """Call the hubs that filesets are on."""


Found = Iterator[tuple[str, str, str]]
"""What is wrong, why it matters, how to mend it."""
Check = Callable[[Depth], Found]
