"""What asking a hub may end in. Light, so that who only names these errors does not pay for the hub's client.

HubError                 502  (who creates a fileset turns it into a 400)
├── HubUnreachable       no answer, or none but "later"
├── HubRefused           the token is missing, wrong, or has no access
├── HubLacks             no such repository or revision
└── HubNonsense          the answer is not a hub's
"""

from assay.platform.errors import Upstream


class HubError(Upstream):
    """A hub did not give what was asked of it."""


class HubUnreachable(HubError):
    pass


class HubRefused(HubError):
    pass


class HubLacks(HubError):
    """``url`` is what the hub has nothing at."""

    def __init__(self, detail: str, url: str) -> None:
        super().__init__(detail)
        self.url = url


class HubNonsense(HubError):
    pass
