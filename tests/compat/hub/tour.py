"""What the steps of the Hub's tour share: the client, the repositories and what they should hold."""

import hashlib
import random
import re
from dataclasses import dataclass, field
from pathlib import Path

from huggingface_hub import HfApi, __version__
from steps import expect

SMALL = "small.jsonl"
BIG_FROM_PATH = "big/from path.bin"
BIG_FROM_BYTES = "big/from-bytes.bin"
BIG_SIZE = 12_000_000
BRANCH = "dev/x"


@dataclass
class Tour:
    """One run by one version, with our Hub named either by the caller (``endpoint``) or by ``HF_ENDPOINT`` (None)."""

    prefix: str
    endpoint: str | None
    base_url: str
    namespace: str
    folder: Path
    files: dict[str, bytes] = field(default_factory=dict)
    """What branch main of the dataset should hold at this point."""
    commits: dict[str, str] = field(default_factory=dict)
    """Commits that later steps come back to."""

    def __post_init__(self) -> None:
        self.api = HfApi(endpoint=self.endpoint)
        self.repo = f"{self.namespace}/data"

    @property
    def release(self) -> tuple[int, ...]:
        return tuple(int(part) for part in __version__.split(".")[:2])

    @property
    def data(self) -> dict[str, str]:
        """The dataset, as most methods want it named."""
        return {"repo_id": self.repo, "repo_type": "dataset"}

    @property
    def sends_big_files_by_lfs(self) -> bool:
        """From 1.20 on such a file would go to Xet, so it is asked for in the commit itself."""
        return self.release < (1, 20)

    def commit_titles(self, revision: str = "main") -> list[str]:
        return [commit.title for commit in self.api.list_repo_commits(**self.data, revision=revision)]

    def fetch(self, path: str, revision: str | None = None) -> bytes:
        return Path(self.api.hf_hub_download(filename=path, revision=revision, **self.data)).read_bytes()

    def check_main(self) -> None:
        """Branch main holds just what it should: names, in order, and every size and id."""
        listed = self.api.list_repo_files(**self.data)
        expect(listed == sorted(self.files), f"files listed: {difference(listed, self.files)}")
        for found in self.api.get_paths_info(paths=list(self.files)[:100], **self.data):
            content = self.files[found.path]
            expect(found.size == len(content), f"{found.path}: size {found.size}, not {len(content)}")
            if found.lfs:
                expect(found.lfs.sha256 == hashlib.sha256(content).hexdigest(), f"{found.path}: wrong SHA-256")
            else:
                expect(found.blob_id == git_oid(content), f"{found.path}: blob id {found.blob_id}")


def git_oid(content: bytes) -> str:
    """The id that git gives this content, which clients compare with local files."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


def noise(seed: int, size: int = BIG_SIZE) -> bytes:
    """Bytes that do not compress, the same in every run."""
    return random.Random(seed).randbytes(size)


def difference(listed: list[str], wanted: dict[str, bytes]) -> str:
    missing, extra = sorted(set(wanted) - set(listed)), sorted(set(listed) - set(wanted))
    if missing or extra:
        return f"missing {missing[:5]}, unexpected {extra[:5]} of {len(listed)}"
    return "a name twice" if len(listed) > len(wanted) else "not in order of their names"


def is_commit_id(text: str | None) -> bool:
    return bool(re.fullmatch("[0-9a-f]{40}", text or ""))
