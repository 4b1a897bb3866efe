"""Where the rows of a ``custom`` task are (microservices-v1 section 5.4): given, in a fileset, or on another hub."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlsplit

from assay.evaluator.custom_faults import Faults
from assay.evaluator.custom_models import reference_of
from assay.filesets.datasets import entry_of, get_dataset
from assay.platform.errors import NotFound

PATTERN = re.compile(
    r"hf://datasets/(?P<namespace>[^/@#?\s]+)/(?P<repository>[^/@#?\s]+)(?:@(?P<revision>[^/\s]+))?(?:/(?P<path>.*))?"
)
HUB_PATH = "/v1/hf"
"""Where a platform of this kind has its hub."""


@dataclass(frozen=True)
class FilesUrl:
    """``hf://datasets/<namespace>/<repository>[@revision][/<path>]``."""

    namespace: str
    repository: str
    revision: str
    path: str
    """A file or a folder; empty for everything."""

    @classmethod
    def parse(cls, url: str) -> "FilesUrl":
        """Raises ``ValueError``."""
        found = PATTERN.fullmatch(url)
        if found is None or any(character < " " for character in url):
            raise ValueError("must be hf://datasets/<namespace>/<repository>[@revision][/<path>]")
        path = (found["path"] or "").strip("/")
        return cls(found["namespace"], found["repository"], unquote(found["revision"] or ""), path)


def check_data(given: Any, faults: Faults) -> None:
    """Note what is wrong with a dataset, or with cached outputs, as far as it can be seen without looking there."""
    if isinstance(given, dict):
        _parsed(given.get("files_url"), faults)
    elif isinstance(given, str) and given.count("/") != 1:
        faults.add(msg="A registered dataset is named by namespace/name.")


def data_of(
    given: Any, faults: Faults, *, overall: Mapping[str, Any], cached: bool, own_hosts: frozenset[str]
) -> dict[str, Any]:
    """Return how the rows are read, as ``jobs.models.JobPart.dataset`` keeps it.

    ``overall`` are the parameters of the whole evaluation, ``own_hosts`` the names that this platform goes by. Raises
    ``NotFound`` for the name of a dataset that is not registered.
    """
    dataset = _registered(given) if isinstance(given, str) else given
    url = _parsed(dataset.get("files_url"), faults)
    if url is None:
        return {}
    limits = [each for each in (dataset.get("limit"), overall.get("limit_samples")) if each is not None]
    endpoint = (dataset.get("hf_endpoint") or "").rstrip("/")
    token = (overall.get("extra") or {}).get("hf_token")
    elsewhere = endpoint and not is_own(endpoint, own_hosts)
    if elsewhere and urlsplit(endpoint).scheme not in {"http", "https"}:
        faults.add("hf_endpoint", msg="must be an absolute http:// or https:// address")
    return {
        "files_url": dataset["files_url"],
        "hf_endpoint": endpoint if elsewhere else None,
        "hf_token": reference_of(token) if elsewhere and isinstance(token, dict) else None,
        "namespace": url.namespace,
        "repository": url.repository,
        "revision": url.revision,
        "path": url.path,
        "format": dataset.get("format"),
        "split": dataset.get("split"),
        "offset": dataset.get("offset"),
        "limit": min(limits) if limits else None,
        "cached": cached,
    }


def is_own(endpoint: str, own_hosts: frozenset[str]) -> bool:
    """Return whether the endpoint is this platform's own hub, whose files need no HTTP."""
    parts = urlsplit(endpoint)
    return parts.path.endswith(HUB_PATH) and parts.netloc.lower() in own_hosts


def _parsed(url: Any, faults: Faults) -> FilesUrl | None:
    if not isinstance(url, str):
        faults.missing("files_url")
        return None
    try:
        return FilesUrl.parse(url)
    except ValueError as error:
        faults.add("files_url", msg=str(error))
        return None


def _registered(reference: str) -> Mapping[str, Any]:
    namespace, _, name = reference.partition("/")
    if not name:
        raise NotFound(f"Dataset {reference} not found")
    entry = entry_of(get_dataset(namespace, name))
    return {field: getattr(entry, field) for field in ("files_url", "hf_endpoint", "format", "split", "limit")}
