"""What a caller does not see is not there: the manager of every model that belongs to a workspace leaves it out.

The condition is decided when a query is sent, not when it is written down, so that a query which a module keeps at hand
holds for whoever calls. For those who see everything it adds nothing to the statement.
"""

from typing import Any, TypeVar

from django.core.exceptions import EmptyResultSet, FullResultSet
from django.db.models import BooleanField, Expression, F, Manager, Model, QuerySet
from django.db.models.sql.compiler import SQLCompiler

from assay.platform.caller import caller

M = TypeVar("M", bound=Model)


class Seen(Expression):
    """True for rows whose column ``path``, the key of a workspace, is one that the caller sees."""

    output_field = BooleanField()
    conditional = True

    def __init__(self, path: str | Expression) -> None:
        super().__init__()
        self.column: Any = F(path) if isinstance(path, str) else path

    def get_source_expressions(self) -> list[Any]:
        return [self.column]

    def set_source_expressions(self, exprs: Any) -> None:
        (self.column,) = exprs

    def as_sql(self, compiler: SQLCompiler, connection: Any) -> tuple[str, list[Any]]:  # type: ignore[override]
        seen = caller().sees()
        if seen is None:
            raise FullResultSet
        if not seen:
            raise EmptyResultSet
        column, values = compiler.compile(self.column)
        return f"{column} IN ({', '.join(['%s'] * len(seen))})", [*values, *sorted(seen)]


class InSight(Manager[M]):
    """A manager of rows that the caller sees; ``path`` leads to their workspace."""

    def __init__(self, path: str = "workspace_id") -> None:
        super().__init__()
        self.path = path

    def get_queryset(self) -> QuerySet[M]:
        return super().get_queryset().filter(Seen(self.path))
