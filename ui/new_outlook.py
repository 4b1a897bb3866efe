"""What an evaluation will come to before it is submitted: rows, calls, tokens and cost, as far as can be said."""

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from assay.filesets.models import Fileset
from assay.jobs.ledger import MILLION, Line, all_terms, terms_of
from assay.jobs.models import Job
from assay.jobs.terms import plain_address
from assay.ui.judge_form import JudgeForm, number
from assay.ui.new_data import Count
from assay.ui.new_prompt import all_rendered
from assay_sdk.engine.judge import MAX_TOKENS

CHARACTERS_A_TOKEN = 4
LONGEST_STEM = 50


@dataclass(frozen=True)
class Outlook:
    """What is to be expected; None where nothing can be said."""

    rows: int | None
    exact: bool
    """Whether the rows were all counted."""
    samples: int
    tokens_a_call: int | None
    """Of the prompt, roughly."""
    most_tokens_out: int
    """That a reply may have."""
    prices: tuple[Decimal, Decimal] | None
    """US dollars for a million tokens, in and out."""

    @property
    def calls(self) -> int | None:
        return None if self.rows is None else self.rows * self.samples

    @property
    def tokens_in(self) -> int | None:
        if self.calls is None or self.tokens_a_call is None:
            return None
        return self.calls * self.tokens_a_call

    @property
    def tokens_out(self) -> int | None:
        return None if self.calls is None else self.calls * self.most_tokens_out

    @property
    def least_cost(self) -> Decimal | None:
        """Of the prompts alone."""
        if self.prices is None or self.tokens_in is None:
            return None
        return self.tokens_in * self.prices[0] / MILLION

    @property
    def most_cost(self) -> Decimal | None:
        """If each reply is as long as it may be."""
        if self.prices is None or self.least_cost is None or self.tokens_out is None:
            return None
        return self.least_cost + self.tokens_out * self.prices[1] / MILLION


def outlook(form: JudgeForm, count: Count | None, items: list[dict[str, Any]]) -> Outlook:
    """Return what the form comes to, over so many rows of which these are the first."""
    limit = number(form.limit_samples)
    rows, exact = (count.rows, count.exact) if count else (None, False)
    if isinstance(limit, int) and limit > 0 and rows is not None and rows >= limit:
        rows, exact = limit, True
    samples, most = number(form.samples), number(form.max_tokens)
    return Outlook(
        rows=rows,
        exact=exact,
        samples=samples if isinstance(samples, int) and samples > 0 else 1,
        tokens_a_call=_tokens(form, items),
        most_tokens_out=most if isinstance(most, int) and most > 0 else MAX_TOKENS,
        prices=_prices(form),
    )


def suggested_name(form: JudgeForm) -> str:
    """Return a name that no job of the workspace has: what is judged, where, and a number if need be."""
    parts = [form.scores[0].name if form.scores else "", form.fileset.rpartition("/")[2]]
    stem = re.sub(r"[^a-z0-9]+", "-", "-".join(parts).lower()).strip("-")[:LONGEST_STEM].strip("-")
    stem = stem if len(stem) > 1 and stem[0].isalpha() else f"judge-{stem}".strip("-")
    jobs = Job.objects.filter(workspace__name=form.workspace, name__startswith=stem)
    filesets = Fileset.objects.filter(workspace__name=form.workspace, name__startswith=f"job-fileset-{stem}")
    taken = {*jobs.values_list("name", flat=True)}
    taken |= {name.removeprefix("job-fileset-") for name in filesets.values_list("name", flat=True)}
    counted = (f"{stem}-{again}" for again in range(2, len(taken) + 3))
    return next(name for name in (stem, *counted) if name not in taken)


def _tokens(form: JudgeForm, items: list[dict[str, Any]]) -> int | None:
    """Return how many tokens a prompt has in the mean of these rows, if a token has four characters."""
    prompts = all_rendered(form, enumerate(items))
    lengths = [sum(len(message.text) for message in prompt.messages) for prompt in prompts if prompt.messages]
    return round(sum(lengths) / len(lengths) / CHARACTERS_A_TOKEN) if lengths else None


def _prices(form: JudgeForm) -> tuple[Decimal, Decimal] | None:
    try:
        terms = terms_of(all_terms(), Line(form.model, plain_address(form.url)))
    except ValueError:  # no URL at all
        return None
    if terms is None or terms.price_in is None and terms.price_out is None:
        return None
    return terms.price_in or Decimal(0), terms.price_out or Decimal(0)
