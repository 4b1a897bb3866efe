"""Options of a job that the contract has no words for: they travel in ``custom_fields.assay``."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, WithJsonSchema

from assay.evaluator.wire import LARGEST_COUNT
from assay.platform.api import mistakes
from assay.platform.errors import Invalid
from assay.platform.wire import NUMBER

MEMBER = "assay"
LARGEST_BUDGET = 2**63 - 1


Parallelism = Annotated[int, Field(ge=1, le=LARGEST_COUNT), NUMBER]
Tokens = Annotated[int, Field(ge=1, le=LARGEST_BUDGET), NUMBER]
Dollars = Annotated[
    Decimal,
    Field(gt=0, max_digits=18, decimal_places=6),
    NUMBER,
    WithJsonSchema({"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 10**12}),
]
Yes = Annotated[bool, Field(strict=True)]


class Budget(BaseModel):
    """What a job may use before it pauses; null is no limit."""

    model_config = ConfigDict(extra="forbid")

    tokens: Tokens | None = None
    """In and out, by the servers' own count."""
    cost_usd: Dollars | None = None
    """By the prices in the endpoints' terms."""

    def fields(self) -> dict[str, Any]:
        """Return the members that were given, as fields of a job."""
        named = {"tokens": "budget_tokens", "cost_usd": "budget_cost"}
        return {named[name]: getattr(self, name) for name in self.model_fields_set}


class Options(BaseModel):
    """What a job may be told beside its spec."""

    model_config = ConfigDict(extra="forbid")

    cache: Yes = True
    """Whether replies that other jobs of the workspace were given may stand in for calls."""
    budget: Budget | None = None

    @classmethod
    def of(cls, custom_fields: Mapping[str, Any] | None) -> Self:
        """Return the options in a job's ``custom_fields``; raises ``Invalid`` with the place of each mistake."""
        try:
            return cls.model_validate((custom_fields or {}).get(MEMBER) or {})
        except ValidationError as error:
            raise Invalid(mistakes(error, "body", "custom_fields", MEMBER)) from None

    def fields(self) -> dict[str, Any]:
        """Return them as fields of a job."""
        return {"uses_cache": self.cache} | (self.budget.fields() if self.budget else {})


class Changes(BaseModel):
    """What may be changed of a job until it ends; a member that is left out stays as it is."""

    model_config = ConfigDict(extra="forbid")

    parallelism: Parallelism = Field(default_factory=int)
    cache: Yes = Field(default_factory=bool)
    budget: Budget | None = None
    """Of its members the same is true; null removes both limits."""

    def fields(self) -> dict[str, Any]:
        """Return them as fields of a job."""
        found: dict[str, Any] = {}
        if "parallelism" in self.model_fields_set:
            found["parallelism"] = self.parallelism
        if "cache" in self.model_fields_set:
            found["uses_cache"] = self.cache
        if "budget" in self.model_fields_set:
            nothing = {"budget_tokens": None, "budget_cost": None}
            found |= nothing if self.budget is None else self.budget.fields()
        return found
