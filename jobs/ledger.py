"""What a job has used, by the servers' own counts, and whether its budget allows one more call."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, NamedTuple

from django.db.models import F, Sum

from assay.jobs.models import Job, Terms, Usage
from assay_sdk.engine.pace import Waiting
from assay_sdk.engine.replies import Kept, Question
from assay_sdk.engine.reply import decoded

MILLION = Decimal(1_000_000)
LOOK_AGAIN_SECONDS = 0.1


class Line(NamedTuple):
    """Whom a line of the ledger is about."""

    model: str
    address: str


@dataclass
class Amounts:
    """What was added to a line since it was last written down."""

    calls: int = 0
    kept: int = 0
    uncounted: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    cost: Decimal = Decimal(0)


@dataclass
class Budget:
    """What is left for the job, and what the calls in flight will probably take of it."""

    tokens: float | None = None
    cost: float | None = None
    in_flight: int = 0
    calls: int = 0
    used_tokens: int = 0
    used_cost: float = 0.0

    def allows(self) -> bool:
        """Return whether one more call fits, if it and those in flight take what calls took so far on average."""
        share = (self.in_flight + 1) / self.calls if self.calls else 0.0
        if self.tokens is not None and (self.tokens <= 0 or self.used_tokens * share > self.tokens):
            return self.tokens > 0 and self.in_flight == 0
        if self.cost is not None and (self.cost <= 0 or self.used_cost * share > self.cost):
            return self.cost > 0 and self.in_flight == 0
        return True

    async def wait(self, waiting: Waiting) -> None:
        """Return once a call fits. A budget that is used up pauses the job, which ends the wait with Stopped."""
        while not self.allows():
            await waiting.sleep(LOOK_AGAIN_SECONDS)

    def spend(self, tokens: int, cost: Decimal) -> None:
        """Take what a reply cost off what is left, until the ledger is next read."""
        self.calls += 1
        self.used_tokens += tokens
        self.used_cost += float(cost)
        self.tokens = None if self.tokens is None else self.tokens - tokens
        self.cost = None if self.cost is None else self.cost - float(cost)


@dataclass
class Ledger:
    """What one shard's run adds to its job's ledger."""

    terms: Mapping[Line, Terms]
    budget: Budget = field(default_factory=Budget)
    unsaved: dict[Line, Amounts] = field(default_factory=dict)

    def paid(self, question: Question, reply: Kept) -> None:
        """Take in a reply that was paid for."""
        if reply.status >= 300:
            return
        line = _line(question)
        amounts = self.unsaved.setdefault(line, Amounts())
        amounts.calls += 1
        counted = tokens_of(decoded(reply.body) or {})
        if counted is None:
            amounts.uncounted += 1
            self.budget.spend(0, Decimal(0))
            return
        cost = self._price(line, *counted)
        amounts.tokens_in += counted[0]
        amounts.tokens_out += counted[1]
        amounts.cost += cost
        self.budget.spend(sum(counted), cost)

    def given(self, question: Question) -> None:
        """Take in a reply that came from the cache."""
        self.unsaved.setdefault(_line(question), Amounts()).kept += 1

    def take(self) -> dict[Line, Amounts]:
        """Return what is to be written down, each once."""
        taken, self.unsaved = self.unsaved, {}
        return taken

    def _price(self, line: Line, tokens_in: int, tokens_out: int) -> Decimal:
        terms = terms_of(self.terms, line)
        if terms is None:
            return Decimal(0)
        return (tokens_in * (terms.price_in or 0) + tokens_out * (terms.price_out or 0)) / MILLION


def _line(question: Question) -> Line:
    return Line(question.model[:255], question.address[:1024])


def tokens_of(response: Mapping[str, Any]) -> tuple[int, int] | None:
    """Return the tokens in and out that the server counted for a reply; None where it does not say."""
    usage = response.get("usage")
    if not isinstance(usage, Mapping):
        return None
    for names in (("prompt_tokens", "completion_tokens"), ("input_tokens", "output_tokens")):
        counts = [usage.get(name) for name in names]
        if any(isinstance(count, int) for count in counts):
            read = [count if isinstance(count, int) and count > 0 else 0 for count in counts]
            return read[0], read[1]
    total = usage.get("total_tokens")
    return (total, 0) if isinstance(total, int) and total >= 0 else None


def all_terms() -> dict[Line, Terms]:
    """Return what is known of each endpoint."""
    return {Line(terms.model, terms.address.rstrip("/")): terms for terms in Terms.objects.all()}


def terms_of(known: Mapping[Line, Terms], line: Line) -> Terms | None:
    """Return the terms of a model at an address: its own, or those of all models there."""
    address = line.address.rstrip("/")
    return known.get(Line(line.model, address)) or known.get(Line("", address))


def save(job: Job, lines: Mapping[Line, Amounts]) -> None:
    """Add to the job's ledger, inside the caller's transaction."""
    for line, amounts in sorted(lines.items()):  # in one order, so that no two shards wait for each other
        added = {name: F(name) + value for name, value in vars(amounts).items() if value}
        known = Usage.objects.filter(job=job, model=line.model, address=line.address)
        if not known.update(**added):
            # Another shard may be about to write the same line for the first time.
            Usage.objects.bulk_create([Usage(job=job, **line._asdict())], ignore_conflicts=True)
            known.update(**added)


class Used(NamedTuple):
    """What a job has used so far, in all."""

    tokens: int
    cost: Decimal


def used(job: Job) -> Used:
    """Return the sum of the job's ledger."""
    sums = Usage.objects.filter(job=job).aggregate(i=Sum("tokens_in"), o=Sum("tokens_out"), cost=Sum("cost"))
    return Used((sums["i"] or 0) + (sums["o"] or 0), sums["cost"] or Decimal(0))
