"""A platform that people sign in to, and what they do there in a browser. Nothing here takes Django."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Page

from tests.platform_process import ROOT, PlatformProcess

ADMINISTRATOR = "root"
PASSWORD = "correct-horse-battery"


@contextmanager
def platform_with_sign_in(folder: Path) -> Iterator[PlatformProcess]:
    """Run a platform that people sign in to; ``ADMINISTRATOR`` is there, with ``PASSWORD``."""
    with PlatformProcess(folder / "data", ASSAY_AUTH="on") as platform:
        env = {**platform.env, "ASSAY_DATA_DIR": str(platform.data_dir), "DJANGO_SUPERUSER_PASSWORD": PASSWORD}
        make = [sys.executable, "manage.py", "createsuperuser", "--noinput", "--username", ADMINISTRATOR]
        subprocess.run([*make, "--email", "root@team.example"], cwd=ROOT, env=env, check=True, timeout=60)
        yield platform


def sign_in(page: Page, name: str, password: str) -> None:
    page.goto("/admin/")
    page.get_by_label("Username").fill(name)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Log in").click()


def make_account(page: Page, name: str) -> str:
    """Make an account, and return the password that the page of people shows once."""
    page.goto("/admin/people/")
    page.get_by_label("Name", exact=True).fill(name)
    page.get_by_role("button", name="Make the account").click()
    page.get_by_role("heading", name=f"{name} can sign in").wait_for()
    return page.locator("#new-password").inner_text()
