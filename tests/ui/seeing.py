"""What is noticed of a page: errors in its console, requests to elsewhere, and what axe-core finds."""

import os
import shutil
from importlib.resources import files
from typing import Any

from playwright.sync_api import ConsoleMessage, Page, Request, Response

CHROMIUM = os.environ.get("ASSAY_CHROMIUM") or shutil.which("chromium-headless-shell") or shutil.which("chromium") or ""
"""The shell is the same browser without its own windows: half the work for the same pages."""
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
AXE = files("axe_playwright_python").joinpath("axe.min.js").read_text()
SERIOUS = ("serious", "critical")


class Watch:
    """Notes what goes wrong in a page for as long as it is open. Violations of its policy show in the console."""

    def __init__(self, page: Page, home: str) -> None:
        self.home = home
        self.troubles: list[str] = []
        self.expected: set[int] = set()
        """Statuses of refusals that the test brings about."""
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.troubles.append(f"error in a script: {error}"))
        page.on("request", self._request)
        page.on("response", self._response)

    def _console(self, message: ConsoleMessage) -> None:
        # A refusal is on the console too; whether it was meant is told by its status.
        if message.type == "error" and "Failed to load resource" not in message.text:
            self.troubles.append(f"console: {message.text}")

    def _request(self, request: Request) -> None:
        if not request.url.startswith((self.home, "data:", "blob:")):
            self.troubles.append(f"request to elsewhere: {request.url}")

    def _response(self, response: Response) -> None:
        if response.status >= 500 or (response.status == 404 and "/static/" in response.url):
            self.troubles.append(f"{response.status}: {response.url}")


def axe(page: Page) -> list[str]:
    """Return what axe-core finds serious on the page, as lines that say what and where."""
    page.evaluate(AXE)
    found: dict[str, Any] = page.evaluate("async () => await axe.run(document, {resultTypes: ['violations']})")
    return [
        f"{violation['id']}: {violation['help']}: {node['html'][:200]} ({node.get('failureSummary', '')[:300]})"
        for violation in found["violations"]
        if violation["impact"] in SERIOUS
        for node in violation["nodes"][:4]
    ]
