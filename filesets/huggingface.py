"""Files on a hub: listed and read at the commit that the fileset is pinned to, downloaded one by one when needed.

Downloads are kept in ``<data folder>/hub-cache``, apart by hub and by token: what one token may read is not there for
who has none.
"""

import difflib
import hashlib
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import assay.filesets.hub_client  # isort: skip  # noqa: F401  first: it sets what huggingface_hub reads at import
from django.conf import settings
from httpx2 import HTTPError
from huggingface_hub import (
    HfApi,
    RepoFile,
    get_hf_file_metadata,
    hf_hub_download,
    hf_hub_url,
    try_to_load_from_cache,
)
from huggingface_hub.errors import (
    EntryNotFoundError,
    GatedRepoError,
    HfHubHTTPError,
    HFValidationError,
    LocalEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from assay.filesets import paths
from assay.filesets.hub_errors import HubError, HubLacks, HubNonsense, HubRefused, HubUnreachable
from assay.filesets.models import Fileset
from assay.filesets.storage import FileMissing, StoredFile
from assay.platform.errors import BadRequest
from assay.secrets.models import Secret
from assay.secrets.vault import open_secret

NEAR = 3
"""Close matches that a message names."""


@dataclass(frozen=True)
class Repository:
    """A repository on a hub, at a commit or at the name of one."""

    endpoint: str
    repo_type: str
    repo_id: str
    revision: str
    secret: Secret | None

    @classmethod
    def of(cls, fileset: Fileset, revision: str = "") -> "Repository":
        storage = fileset.storage
        return cls(
            endpoint=storage["endpoint"],
            repo_type=storage["repo_type"],
            repo_id=storage["repo_id"],
            revision=revision or fileset.revision,
            secret=fileset.token_secret,
        )

    def __str__(self) -> str:
        return f"{self.repo_type} '{self.repo_id}' at {self.endpoint}"

    @property
    def address(self) -> dict[str, Any]:
        """Its arguments as the library names them."""
        return {"repo_id": self.repo_id, "repo_type": self.repo_type, "revision": self.revision}

    @property
    def cache(self) -> Path:
        hub = hashlib.sha256(self.endpoint.encode()).hexdigest()[:16]
        return Path(settings.DATA_DIR) / "hub-cache" / hub / (self.secret.uid if self.secret else "public")

    def token(self) -> str | bool:
        """Return the token, opened for this call only; False where there is none, so that none is looked for."""
        if self.secret is None:
            return False
        token = open_secret(self.secret).reveal().strip()
        if not (token.isascii() and token.isprintable()):
            raise HubRefused(f"Secret '{self.secret}' holds characters that no token has.")
        return token or False


def resolve(repository: Repository) -> str:
    """Return the commit that the repository's revision names now; raises ``HubError`` or ``BadRequest``."""
    with _asking(repository):
        found = _api(repository).repo_info(**repository.address).sha
    if not re.fullmatch("[0-9a-f]{40}", found or ""):
        raise HubNonsense(f"The hub names no commit for {repository}.")
    return str(found)


def files(fileset: Fileset, under: str = "", revision: str = "") -> list[StoredFile]:
    repository = Repository.of(fileset, revision)
    try:
        with _asking(repository):
            tree = _api(repository).list_repo_tree(recursive=True, **repository.address)
            # A hub's names become paths here: one that leads elsewhere is none of its files.
            found = {
                entry.path: int(entry.size) for entry in tree if isinstance(entry, RepoFile) and _sound(entry.path)
            }
    except EntryNotFoundError:
        found = {}  # some hubs say this of a commit without files
    return [
        StoredFile(path, found[path], cached=_cached(repository, path) is not None)
        for path in sorted(found)
        if paths.under(path, under)
    ]


def find(fileset: Fileset, path: str) -> StoredFile:
    repository = Repository.of(fileset)
    here = _cached(repository, path)
    if here is not None:
        return _downloaded(path, here)
    try:
        with _asking(repository):
            url = hf_hub_url(filename=path, endpoint=repository.endpoint, **repository.address)
            found = get_hf_file_metadata(url, token=repository.token(), endpoint=repository.endpoint)
    except EntryNotFoundError:
        raise FileMissing(fileset, path) from None
    if found.size is None:
        return content(fileset, path)[0]
    return StoredFile(path, found.size, found.etag or "", cached=False)


def content(fileset: Fileset, path: str) -> tuple[StoredFile, Path]:
    here = fetch(fileset, path)
    return _downloaded(path, here), here


def fetch(fileset: Fileset, path: str, revision: str = "") -> Path:
    """Return where this one file lies on this machine, downloaded if it was not there yet.

    Raises ``FileMissing``, naming close matches, and ``HubError``.
    """
    if not _sound(path):
        raise FileMissing(fileset, path)
    repository = Repository.of(fileset, revision)
    here = _cached(repository, path)
    if here is not None:
        return here
    try:
        with _asking(repository):
            got = hf_hub_download(  # the address holds the commit  # nosec B615
                filename=path,
                cache_dir=repository.cache,
                endpoint=repository.endpoint,
                token=repository.token(),
                library_name="assay",
                **repository.address,
            )
    except EntryNotFoundError:
        raise _missing(fileset, path, revision) from None
    here = Path(got)
    if repository.revision not in here.parts:
        raise HubNonsense(f"The hub gave another commit than the pinned {repository.revision} of {repository}.")
    return here


def _api(repository: Repository) -> HfApi:
    return HfApi(endpoint=repository.endpoint, token=repository.token(), library_name="assay")


def _sound(path: str) -> bool:
    try:
        return paths.file(path) == path
    except BadRequest:
        return False


def _cached(repository: Repository, path: str) -> Path | None:
    found = try_to_load_from_cache(filename=path, cache_dir=repository.cache, **repository.address)
    return Path(found) if isinstance(found, str) else None


def _downloaded(path: str, here: Path) -> StoredFile:
    # The library names the content by its git or SHA-256 id, and links to it.
    return StoredFile(path, here.stat().st_size, here.resolve().name if here.is_symlink() else "", cached=True)


def _missing(fileset: Fileset, path: str, revision: str) -> FileMissing:
    near: list[str] = []
    with suppress(HubError):
        names = {name: name for name in (file.path for file in files(fileset, revision=revision))}
        names |= {name.rpartition("/")[2]: name for name in names}
        close = (names[name] for name in difflib.get_close_matches(path, names, 2 * NEAR))
        near = list(dict.fromkeys(close))[:NEAR]
    return FileMissing(fileset, path, near)


@contextmanager
def _asking(repository: Repository) -> Iterator[None]:
    """Turn what the library raises into ``HubError``; an entry that is not there stays ``EntryNotFoundError``.

    Texts of the library and of HTTP below it stay out of ours: they are not written for who reads them here.
    """
    try:
        yield
    except HFValidationError:
        raise BadRequest(f"'{repository.repo_id}' is not the id of a repository on a hub.") from None
    except LocalEntryNotFoundError as error:
        raise _meaning(repository, error.__cause__) from None
    except EntryNotFoundError:
        raise
    except OSError as error:
        if error.errno is not None and not isinstance(error, ConnectionError):
            raise  # of this machine's disk
        raise _meaning(repository, error) from None
    except (HTTPError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise _meaning(repository, error) from None


def _meaning(repository: Repository, error: BaseException | None) -> HubError:
    status = error.response.status_code if isinstance(error, HfHubHTTPError) else None
    if isinstance(error, GatedRepoError) or (status in {401, 403} and not isinstance(error, RepositoryNotFoundError)):
        if repository.secret is None:
            why = "It is gated or private: name a secret that holds a token with access as token_secret"
        else:
            why = f"The token in secret '{repository.secret}' has no access to it: ask for access, or renew the token"
        return HubRefused(f"The hub refused access to {repository}. {why}.")
    if isinstance(error, HfHubHTTPError) and status in {401, 404}:
        what = f"has no revision '{repository.revision}'"
        if not isinstance(error, RevisionNotFoundError):
            what = "is not there, or is private and its token has no access"
        return HubLacks(f"The {repository} {what}.", str(error.response.url.copy_with(query=None)))
    if status is not None:
        return HubNonsense(f"The hub answered {status} for {repository}.")
    if isinstance(error, HTTPError | OSError):
        return HubUnreachable(f"The transfer from {repository} broke off.")
    return HubNonsense(f"What answers at {repository.endpoint} is not a hub, or not one of a kind known here.")
