"""What is left of a job's budget."""

from decimal import Decimal
from typing import NamedTuple

from assay.jobs.ledger import Used, used
from assay.jobs.models import Job


class Left(NamedTuple):
    """How much a job may still use, and how much it has used; None is no limit."""

    tokens: int | None
    cost: Decimal | None
    used: Used

    @property
    def exhausted(self) -> str:
        """Why the job cannot go on; empty where it can."""
        over = []
        if self.tokens is not None and self.tokens <= 0:
            over.append(f"{self.used.tokens} tokens of {self.tokens + self.used.tokens}")
        if self.cost is not None and self.cost <= 0:
            over.append(f"{self.used.cost:.4f} USD of {self.cost + self.used.cost:.4f}")
        return f"its budget is used up ({', '.join(over)})" if over else ""


def left_of(job: Job) -> Left:
    """Return what is left for the job by now."""
    spent = used(job)
    tokens = None if job.budget_tokens is None else job.budget_tokens - spent.tokens
    cost = None if job.budget_cost is None else job.budget_cost - spent.cost
    return Left(tokens, cost, spent)
