"""What belongs to an account beside Django's own: access tokens, and who it is to an identity provider."""

from django.conf import settings
from django.db import models
from django.utils import timezone

from assay.platform.caller import Scope
from assay.workspaces.models import Workspace


class AccessToken(models.Model):
    """Stands for its owner in a request; of the token itself only a digest is kept."""

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="access_tokens")
    name = models.CharField(max_length=63)
    digest = models.CharField(max_length=64, unique=True, editable=False)
    """SHA-256, in hexadecimal, of a token that is random enough to need no salt."""
    hint = models.CharField(max_length=8, editable=False)
    """How the token ends, so that its owner can tell one from another."""
    scope = models.CharField(max_length=8, choices=[(str(scope), str(scope)) for scope in Scope], default=Scope.READ)
    workspace = models.ForeignKey(Workspace, null=True, blank=True, on_delete=models.CASCADE, related_name="tokens")
    """The one workspace that it is for; none: wherever its owner may be."""
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    expires_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True, editable=False)
    """To the minute."""
    revoked_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["owner", "name"], name="one_token_a_name")]
        indexes = [models.Index(fields=["owner", "created_at"], name="token_by_owner")]

    def __str__(self) -> str:
        return f"{self.owner}: {self.name}"


class Identity(models.Model):
    """Somebody whom an identity provider knows, and their account here (OpenID Connect Core, section 5.7)."""

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="identities")
    issuer = models.CharField(max_length=255)
    subject = models.CharField(max_length=255)
    """The provider's own name for them, which never becomes another person's; an e-mail address may."""
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        verbose_name_plural = "identities"
        constraints = [models.UniqueConstraint(fields=["issuer", "subject"], name="one_account_an_identity")]

    def __str__(self) -> str:
        return f"{self.owner} at {self.issuer}"
