"""The two clients: ``Assay`` waits for replies, ``AsyncAssay`` awaits them. Otherwise they are the same."""

from types import TracebackType

from assay_sdk.client.call import Call, one
from assay_sdk.client.evaluator import AsyncEvaluator, Evaluator
from assay_sdk.client.files import AsyncFiles, Files
from assay_sdk.client.jobs import AsyncJobs, Jobs
from assay_sdk.client.secrets import AsyncSecrets, SecretCalls, Secrets
from assay_sdk.client.settings import Settings
from assay_sdk.client.transport import AsyncTransport, Transport
from assay_sdk.client.values import Health
from assay_sdk.client.workspaces import AsyncWorkspaces, Workspaces

HOME = "http://127.0.0.1:8080"
HEALTH = Call("GET", "/health/ready", one(Health))


class Assay:
    """A client of an Assay platform.

        with Assay() as assay:
            job = assay.evaluator.submit(judge, "default/answers#data.jsonl").wait()
            print(job.result().summary())

    Threads may share one. Keep in step with ``AsyncAssay``.
    """

    def __init__(
        self,
        base_url: str = HOME,
        workspace: str = "default",
        token: str | None = None,
        *,
        login: tuple[str, str] | None = None,
        timeout: float = 60.0,
        retries: int = 4,
    ) -> None:
        """Prepare a client; nothing is sent yet.

        ``workspace`` is the one meant where a call names none. ``token`` is sent as a bearer token, ``login`` (user
        name and password) as HTTP Basic. ``timeout`` is in seconds without a byte; ``retries`` counts the repetitions
        of a request after failures that may pass.
        """
        if token and login:
            raise ValueError("give a token or a login, not both")
        settings = Settings(base_url, token, login, timeout, retries)
        self.base_url = base_url
        self.workspace = workspace
        self._transport = Transport(settings)
        self.workspaces = Workspaces(workspace, self._transport)
        self.secrets = Secrets(SecretCalls(workspace), self._transport)
        self.files = Files(workspace, self._transport)
        self.jobs = Jobs(workspace, self._transport)
        self.evaluator = Evaluator(workspace, self._transport, self.jobs)

    def __repr__(self) -> str:
        return f"Assay({self.base_url!r}, workspace={self.workspace!r})"

    def health(self) -> Health:
        """Return whether the platform is ready; raises ``APIConnectionError`` if nothing answers."""
        return self._transport.send(HEALTH)

    def close(self) -> None:
        """Close the connections."""
        self._transport.close()

    def __enter__(self) -> "Assay":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class AsyncAssay:
    """A client of an Assay platform for asyncio.

        async with AsyncAssay() as assay:
            job = await assay.evaluator.submit(judge, "default/answers#data.jsonl")
            print((await (await job.wait()).result()).summary())

    Keep in step with ``Assay``.
    """

    def __init__(
        self,
        base_url: str = HOME,
        workspace: str = "default",
        token: str | None = None,
        *,
        login: tuple[str, str] | None = None,
        timeout: float = 60.0,
        retries: int = 4,
    ) -> None:
        """Prepare a client; nothing is sent yet.

        ``workspace`` is the one meant where a call names none. ``token`` is sent as a bearer token, ``login`` (user
        name and password) as HTTP Basic. ``timeout`` is in seconds without a byte; ``retries`` counts the repetitions
        of a request after failures that may pass.
        """
        if token and login:
            raise ValueError("give a token or a login, not both")
        settings = Settings(base_url, token, login, timeout, retries)
        self.base_url = base_url
        self.workspace = workspace
        self._transport = AsyncTransport(settings)
        self.workspaces = AsyncWorkspaces(workspace, self._transport)
        self.secrets = AsyncSecrets(SecretCalls(workspace), self._transport)
        self.files = AsyncFiles(workspace, self._transport)
        self.jobs = AsyncJobs(workspace, self._transport)
        self.evaluator = AsyncEvaluator(workspace, self._transport, self.jobs)

    def __repr__(self) -> str:
        return f"AsyncAssay({self.base_url!r}, workspace={self.workspace!r})"

    async def health(self) -> Health:
        """Return whether the platform is ready; raises ``APIConnectionError`` if nothing answers."""
        return await self._transport.send(HEALTH)

    async def close(self) -> None:
        """Close the connections."""
        await self._transport.close()

    async def __aenter__(self) -> "AsyncAssay":
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()
