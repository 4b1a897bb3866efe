"""The downloads from hubs in the data folder: what of them may go. Whoever needs one again fetches it again."""

import shutil
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple

import assay.filesets.hub_client  # isort: skip  # noqa: F401  first: it sets what huggingface_hub reads at import
from django.conf import settings
from huggingface_hub import CachedRepoInfo, CachedRevisionInfo, scan_cache_dir

from assay.jobs.models import Job, JobPart
from assay.jobs.states import TERMINAL
from assay.secrets.models import Secret

PUBLIC = "public"
UNDER_WAY = 3600.0
"""Seconds for which a download that stands still is taken to go on."""


class Download(NamedTuple):
    name: str
    size: int
    why: str
    kept: str = ""


def pruned(older_than: timedelta | None, keep_bytes: int | None, *, dry: bool) -> Iterator[Download]:
    """Remove downloads: of a token that is gone, not read for so long, or beyond ``keep_bytes``, the oldest first.

    Yields what goes, and what an unfinished job keeps from going. When something was last read, the file system knows:
    with ``noatime`` it is when it was downloaded.
    """
    caches = sorted(each for each in (settings.DATA_DIR / "hub-cache").glob("*/*") if each.is_dir())
    tokens = {PUBLIC, *Secret.objects.values_list("uid", flat=True)}
    pinned = _pinned()
    cached: list[_Cached] = []
    for cache in caches:
        if cache.name in tokens:
            for repo in scan_cache_dir(cache).repos:
                cached += [_Cached(_read_at(revision), cache, repo, revision) for revision in repo.revisions]
            continue
        yield Download(f"{cache.parent.name}/{cache.name}", _size(cache), "its token is gone")
        if not dry:
            shutil.rmtree(cache, ignore_errors=True)
    total = sum(each.revision.size_on_disk for each in cached)
    for each in sorted(cached, key=lambda each: each.read_at):
        age = time.time() - each.read_at
        old = older_than is not None and age > older_than.total_seconds()
        if not old and (keep_bytes is None or total <= keep_bytes):
            continue
        kept = "an unfinished job reads it" if each.revision.commit_hash in pinned else ""
        kept = kept or ("more of it is being downloaded" if _under_way(each.repo) else "")
        size = each.revision.size_on_disk
        yield Download(each.name, size, f"read {age / 86400:.0f} days ago", kept)
        if not kept:
            total -= size
            if not dry:
                scan_cache_dir(each.cache).delete_revisions(each.revision.commit_hash).execute()


class _Cached(NamedTuple):
    """A commit of which something was downloaded."""

    read_at: float
    cache: Path
    repo: CachedRepoInfo
    revision: CachedRevisionInfo

    @property
    def name(self) -> str:
        return f"{self.repo.repo_type}s/{self.repo.repo_id}@{self.revision.commit_hash[:12]}"


def _pinned() -> set[str]:
    """Return the commits that unfinished jobs read."""
    unfinished = Job.objects.exclude(state__in=TERMINAL)
    whole = unfinished.exclude(dataset_revision="").values_list("dataset_revision", flat=True)
    parts = JobPart.objects.filter(job__in=unfinished).exclude(revision="").values_list("revision", flat=True)
    return {*whole, *parts}


def _read_at(revision: CachedRevisionInfo) -> float:
    times = [max(file.blob_last_accessed, file.blob_last_modified) for file in revision.files]
    return max(times, default=revision.last_modified)


def _under_way(repo: CachedRepoInfo) -> bool:
    since = time.time() - UNDER_WAY
    return any(part.stat().st_mtime > since for part in repo.repo_path.glob("blobs/*.incomplete"))


def _size(folder: Path) -> int:
    return sum(each.lstat().st_size for each in folder.rglob("*") if not each.is_dir())
