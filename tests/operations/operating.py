"""Starts `operated.py`: Django knows one database a process."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.platform_process import bare_environment

SCRIPT = Path(__file__).with_name("operated.py")


def operate(data_dir: Path, *words: str, database: str = "") -> list[Any]:
    """Run these words over that platform, in one process; returns what each gave."""
    env = bare_environment() | {"ASSAY_DATA_DIR": str(data_dir), "ASSAY_DATABASE_URL": database}
    argv = [sys.executable, str(SCRIPT), *words]
    done = subprocess.run(argv, env=env, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return list(json.loads(done.stdout))
