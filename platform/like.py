"""The lookup behind ``$like``: case does not count, ``%`` stands for anything, nothing else is special."""

from typing import TYPE_CHECKING, Any

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import CharField, Lookup, TextField

if TYPE_CHECKING:  # generic in its stubs only
    _Lookup = Lookup[Any]
else:
    _Lookup = Lookup


def pattern(text: str) -> str:
    """Return the SQL pattern of a ``$like`` text; without a ``%`` it is found anywhere."""
    escaped = text.replace("\\", "\\\\").replace("_", "\\_")
    return escaped if "%" in text else f"%{escaped}%"


@CharField.register_lookup
@TextField.register_lookup
class Matches(_Lookup):
    lookup_name = "matches"

    def as_sql(self, compiler: Any, connection: BaseDatabaseWrapper) -> tuple[str, tuple[str | int, ...]]:
        left, left_values = self.process_lhs(compiler, connection)
        right, right_values = self.process_rhs(compiler, connection)
        # SQLite's LIKE passes over case by itself.
        operator = "ILIKE" if connection.vendor == "postgresql" else "LIKE"
        return f"{left} {operator} {right} ESCAPE '\\'", (*left_values, *right_values)
