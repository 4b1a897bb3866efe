"""Secrets: sealed credentials. Their values go in and never come out."""

from assay_sdk.client.call import Call, Paged, fields, nothing, one, path
from assay_sdk.client.twins import AsyncResource, Awaits, Lists, ListsAsync, Resource, Sends
from assay_sdk.client.values import Secret


class SecretCalls:
    """Requests about secrets."""

    def __init__(self, workspace: str) -> None:
        self.workspace = workspace

    def _path(self, workspace: str | None, *more: str) -> str:
        return path("apis", "secrets", "v2", "workspaces", workspace or self.workspace, "secrets", *more)

    def create(
        self, name: str, value: str, *, description: str | None = None, workspace: str | None = None
    ) -> Call[Secret]:
        """Seal a value under a name. Raises ``ConflictError`` if the name is taken."""
        body = fields(name=name, value=value, description=description)
        return Call("POST", self._path(workspace), one(Secret), json=body)

    def retrieve(self, name: str, *, workspace: str | None = None) -> Call[Secret]:
        """Return what is known of a secret, which is not its value. Raises ``NotFoundError``."""
        return Call("GET", self._path(workspace, name), one(Secret))

    def update(
        self, name: str, *, value: str | None = None, description: str | None = None, workspace: str | None = None
    ) -> Call[Secret]:
        """Replace a secret's value, its description, or both."""
        body = fields(value=value, description=description)
        return Call("PATCH", self._path(workspace, name), one(Secret), json=body, harmless=True)

    def delete(self, name: str, *, cascade: bool = False, workspace: str | None = None) -> Call[None]:
        """Delete a secret.

        Raises ``ConflictError`` while a fileset or a job refers to it; with ``cascade`` these go first.
        """
        return Call("DELETE", self._path(workspace, name), nothing, {"cascade": cascade or None})

    def list(self, *, workspace: str | None = None) -> Paged[Secret]:
        """Iterate over the secrets of a workspace; ``workspace="-"`` means of all."""
        return Paged(self._path(workspace), Secret.model_validate)


class Secrets(Resource[SecretCalls]):
    """Sealed credentials."""

    create = Sends(SecretCalls.create)
    retrieve = Sends(SecretCalls.retrieve)
    update = Sends(SecretCalls.update)
    delete = Sends(SecretCalls.delete)
    list = Lists(SecretCalls.list)


class AsyncSecrets(AsyncResource[SecretCalls]):
    """Sealed credentials."""

    create = Awaits(SecretCalls.create)
    retrieve = Awaits(SecretCalls.retrieve)
    update = Awaits(SecretCalls.update)
    delete = Awaits(SecretCalls.delete)
    list = ListsAsync(SecretCalls.list)
