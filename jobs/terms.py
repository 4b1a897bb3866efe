"""What people say of an endpoint: what it allows and what it costs."""

from decimal import Decimal
from urllib.parse import urlsplit, urlunsplit

from assay.jobs.governor import Limits
from assay.jobs.models import Terms


def plain_address(url: str) -> str:
    """Return a model's URL as terms name it: without a query and without the path of the API call."""
    parts = urlsplit(url.strip())
    path = parts.path.rstrip("/").removesuffix("/completions").removesuffix("/chat")
    return urlunsplit((parts.scheme, parts.netloc, path, "", ""))


def set_terms(url: str, model: str = "", **said: int | Decimal | None) -> Terms:
    """Change what is said, and return the terms; what is not named stays."""
    terms, _ = Terms.objects.update_or_create(address=plain_address(url), model=model, defaults=said)
    return terms


def remove_terms(url: str, model: str = "") -> bool:
    """Return whether there were any."""
    removed, _ = Terms.objects.filter(address=plain_address(url), model=model).delete()
    return removed > 0


def limits_of(terms: Terms | None) -> Limits:
    """Return what they allow."""
    if terms is None:
        return Limits()
    return Limits(terms.requests_per_minute, terms.tokens_per_minute, terms.calls_in_flight)
