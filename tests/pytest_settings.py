"""The platform's own settings over a data folder that lives as long as the test run."""

import atexit
import os
import shutil
import tempfile

_folder = tempfile.mkdtemp(prefix="assay-test-")
atexit.register(shutil.rmtree, _folder, ignore_errors=True)
os.environ["ASSAY_DATA_DIR"] = _folder
os.environ.pop("ASSAY_BROKER_URL", None)
os.environ["ASSAY_DATABASE_URL"] = os.environ.get("ASSAY_TEST_ON", "")

from assay.platform.settings import *  # noqa: E402, F403

AUDIT_GUARDED = False  # tests empty their tables
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # the real one takes a third of a second
