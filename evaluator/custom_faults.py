"""Every fault of a config or target, gathered while it is read: each with its place, none with a value."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pydantic import ValidationError

from assay.platform.v1 import Fault, fault


class Faults:
    """Where reading has come to, and what was found wrong so far."""

    def __init__(self) -> None:
        self.found: list[Fault] = []
        self._way: list[str | int] = []

    @contextmanager
    def at(self, *steps: str | int) -> Iterator[None]:
        """Read what is below ``steps``."""
        self._way += steps
        try:
            yield
        finally:
            del self._way[len(self._way) - len(steps) :]

    def add(self, *steps: str | int, msg: str, kind: str = "value_error") -> None:
        self.found.append(fault([*self._way, *steps], msg, kind))

    def missing(self, *steps: str | int) -> None:
        self.add(*steps, msg="Field required", kind="missing")

    def of(self, error: ValidationError, **places: str) -> None:
        """Add what pydantic found, at the places that the user knows the fields by."""
        for entry in error.errors(include_url=False, include_context=False, include_input=False):
            first, *rest = entry["loc"] or ("",)
            place = places.get(str(first), first)
            way = [step for step in (*str(place).split("."), *rest) if step != ""]
            self.add(*way, msg=entry["msg"], kind=entry["type"])

    def object_at(self, holder: Any, name: str) -> dict[str, Any]:
        """Return the member ``name``, an object; an empty one where it is absent or something else, which is added."""
        value = holder.get(name)
        if value is None:
            return {}
        if not isinstance(value, dict):
            self.add(name, msg="Input should be an object", kind="dict_type")
            return {}
        return value
