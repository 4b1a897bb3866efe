"""Whether a client is to send a file within the commit or as a large file of its own (contract, section 4.1)."""

import re
from typing import Literal

from django.conf import settings

Mode = Literal["regular", "lfs"]
CLIENT = re.compile(r"hf_hub/(\d+)\.(\d+)")
XET_ONLY = (1, 20)
"""From this version on, clients take large files to Xet, which is not served here, and to nothing else."""
SHARDS = (".parquet", ".arrow")


def upload_mode(user_agent: str, path: str, size: int) -> Mode:
    if size == 0 or settings.HUB_UPLOAD_MODE == "regular":
        return "regular"
    large: Mode = "lfs" if size > settings.HUB_LFS_BYTES else "regular"
    version = CLIENT.search(user_agent)
    if settings.HUB_UPLOAD_MODE == "lfs" or version is None or (int(version[1]), int(version[2])) < XET_ONLY:
        return large
    # `push_to_hub` deletes each shard once it is announced: only a mode that sends it at once can work.
    return "lfs" if user_agent.startswith("datasets/") and path.endswith(SHARDS) else "regular"
