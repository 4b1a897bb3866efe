"""What the suite brings: every client, and what each of them is taken through."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from tests.compat.environments import HERE, Client
from tests.compat.stack import Stack

# Progress bars, telemetry and the look for newer versions have nobody to talk to here. They change no request to us.
QUIET = ("HF_HUB_DISABLE_PROGRESS_BARS", "HF_HUB_DISABLE_TELEMETRY", "HF_HUB_DISABLE_UPDATE_CHECK")


@dataclass(frozen=True)
class Course:
    """One client taken through one script, ``<subject>/<subject>.py``."""

    subject: str
    client: Client
    has_endpoint: bool = False
    """Whether ``HF_ENDPOINT`` names our Hub in its environment, with a token beside it."""

    def __str__(self) -> str:
        return f"{self.subject} {self.client}{' with HF_ENDPOINT' if self.has_endpoint else ''}"

    @property
    def label(self) -> str:
        return f"{self.client.version}{'+E' if self.has_endpoint else ''}"

    @property
    def workspace(self) -> str:
        """A workspace of its own, so that courses can run at the same time."""
        return f"{self.subject}-{self.label}".replace(".", "-").replace("+", "-").lower()

    @property
    def script(self) -> Path:
        return HERE / self.subject / f"{self.subject}.py"

    @property
    def asks_judge(self) -> bool:
        return self.subject not in ("hub", "loaders")

    def settings(self, stack: Stack) -> dict[str, str]:
        """What the client's user would have exported."""
        if self.subject == "tutorial":
            # The local run takes the judge's key from the environment, under the name of the secret.
            return {"NVIDIA_API_KEY": "compat-key"}
        quiet = dict.fromkeys(QUIET, "1")
        return quiet | ({"HF_ENDPOINT": stack.hf_endpoint, "HF_TOKEN": "hf_compat"} if self.has_endpoint else {})


HUB_030 = Client("huggingface_hub", "0.30.2")
HUBS = (HUB_030, *(Client("huggingface_hub", version) for version in ("0.36.0", "1.19.0", "1.33.0", "2.4.0")))
LOADERS = (Client("datasets", "3.5.0"), Client("datasets", "5.2.0"))
PLATFORMS = (
    Client("nemo-platform", "0.1.0"),
    Client("nemo-platform", "0.2.0"),
    Client("nemo-platform", "0.3.0"),
    Client("nemo-platform", "0.6.0", pythons=("3.12", "3.13")),
)

# The environments are made in this order: the small ones first, so that courses run while the large ones install.
COURSES = (
    Course("notebook", HUB_030),
    *(Course("hub", client, has_endpoint) for client in HUBS for has_endpoint in (False, True)),
    Course("microservices", Client("nemo-microservices", "1.5.0")),
    *(Course("loaders", client, has_endpoint=True) for client in LOADERS),
    *(Course("tutorial", client) for client in PLATFORMS),
)


def chosen(only: Iterable[str]) -> list[Course]:
    """The courses whose name holds any of these texts; all of them if there are none."""
    texts = list(only)
    return [course for course in COURSES if not texts or any(text in str(course) for text in texts)]
