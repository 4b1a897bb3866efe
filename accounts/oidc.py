"""Sign-in by an identity provider: OpenID Connect, authorisation code flow with PKCE (RFC 7636), state and nonce.

It is there where ``ASSAY_OIDC_ISSUER`` is set, and takes authlib (`requirements-team.txt`). Accounts are found by the
provider's issuer and subject. A first sign-in makes an account of the name that the provider gives; where an account of
that name is there already, only one that an administrator made without a password is taken over.
"""

import secrets
from dataclasses import dataclass
from functools import lru_cache
from time import monotonic
from typing import Any

import httpx
from django.conf import settings
from django.contrib.auth.models import User
from django.db import IntegrityError, transaction

from assay.accounts.calling import RESERVED
from assay.accounts.models import Identity
from assay.platform.audit import record
from assay.platform.errors import Forbidden, Unavailable, Upstream

SCOPES = "openid profile email"
ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]
"""Signatures that only the provider can make."""
SECONDS = 10.0
LEEWAY = 60
"""Seconds by which the clocks may differ."""
FRESH = 600.0
"""Seconds for which the provider's keys and addresses are kept."""
LONGEST_NAME = 150


@dataclass(frozen=True)
class Attempt:
    """What is remembered, in the session, between leaving for the provider and coming back."""

    state: str
    nonce: str
    verifier: str

    @classmethod
    def new(cls) -> "Attempt":
        return cls(secrets.token_urlsafe(32), secrets.token_urlsafe(32), secrets.token_urlsafe(64))


def configured() -> bool:
    return bool(settings.OIDC_ISSUER)


def way_out(attempt: Attempt, back: str) -> str:
    """Return the provider's address to send the browser to; ``back`` is where it returns. Raises ``Upstream``."""
    with _client(back) as client:
        url, _ = client.create_authorization_url(
            _provider()["authorization_endpoint"],
            state=attempt.state,
            nonce=attempt.nonce,
            code_verifier=attempt.verifier,
        )
    return str(url)


def account_of(attempt: Attempt, state: str, code: str, back: str) -> User:
    """Return the account of whoever came back from the provider with this code.

    Raises ``Forbidden`` for a reply to another attempt, for a token that is not for us and for an account that may not
    sign in, ``Upstream`` where the provider does not do its part.
    """
    if not state or not secrets.compare_digest(state.encode(), attempt.state.encode()):
        raise Forbidden("This sign-in was not begun here, or long ago. Begin again.")
    claims = _claims(_tokens(attempt, code, back).get("id_token"), attempt.nonce)
    return _account(claims)


def _client(back: str) -> Any:
    try:
        from authlib.integrations.httpx_client import OAuth2Client
    except ImportError:
        raise Unavailable("Sign-in by a provider takes authlib: pip install -r requirements-team.txt") from None
    return OAuth2Client(
        settings.OIDC_CLIENT_ID,
        settings.OIDC_CLIENT_SECRET or None,
        scope=SCOPES,
        redirect_uri=back,
        code_challenge_method="S256",
        timeout=SECONDS,
    )


def _tokens(attempt: Attempt, code: str, back: str) -> dict[str, Any]:
    from authlib.integrations.base_client import OAuthError

    try:
        with _client(back) as client:
            endpoint = _provider()["token_endpoint"]
            tokens: dict[str, Any] = client.fetch_token(endpoint, code=code, code_verifier=attempt.verifier)
    except OAuthError as error:
        raise Forbidden(f"The identity provider refused: {error.error}.") from None
    except (httpx.HTTPError, ValueError):
        raise Upstream("The identity provider does not answer as it should. Try again.") from None
    return tokens


def _claims(token: Any, nonce: str) -> dict[str, Any]:
    """Return what an ID token says, once it is sure whose it is and for whom (OpenID Connect Core, 3.1.3.7)."""
    from joserfc import jwt
    from joserfc.errors import JoseError

    if not isinstance(token, str):
        raise Upstream("The identity provider sent no ID token.")
    rules = jwt.JWTClaimsRegistry(
        leeway=LEEWAY,
        iss={"essential": True, "value": settings.OIDC_ISSUER},
        aud={"essential": True, "value": settings.OIDC_CLIENT_ID},
        sub={"essential": True},
        exp={"essential": True},
        nonce={"essential": True, "value": nonce},
    )
    for fresh in (False, True):  # the provider may have changed its keys since they were read
        try:
            found = jwt.decode(token, _keys(fresh=fresh), algorithms=ALGORITHMS)
            rules.validate(found.claims)
            return dict(found.claims)
        except (JoseError, ValueError) as error:
            reason = type(error).__name__
    raise Forbidden(f"The identity provider's token is not to be trusted ({reason}).")


def _account(claims: dict[str, Any]) -> User:
    issuer, subject = settings.OIDC_ISSUER, str(claims["sub"])
    identity = Identity.objects.select_related("owner").filter(issuer=issuer, subject=subject).first()
    user = identity.owner if identity is not None else _welcomed(claims, issuer, subject)
    if not user.is_active:
        raise Forbidden("This account may not sign in any more.")
    administers = _administers(claims)
    if administers is not None and user.is_superuser != administers:
        with transaction.atomic():
            User.objects.filter(pk=user.pk).update(is_superuser=administers, is_staff=administers)
            record("account.update", user.username, after={"administrator": administers, "by": issuer})
        user.is_superuser = user.is_staff = administers
    return user


def _welcomed(claims: dict[str, Any], issuer: str, subject: str) -> User:
    name = str(claims.get(settings.OIDC_NAME_CLAIM) or "").strip()
    if not name or len(name) > LONGEST_NAME or not name.isprintable():
        raise Forbidden(
            f"The identity provider does not say who you are: its token has no '{settings.OIDC_NAME_CLAIM}'."
        )
    if name in RESERVED:
        raise Forbidden(f"Nobody can sign in as '{name}': that name is the platform's own.")
    if settings.OIDC_NAME_CLAIM == "email" and claims.get("email_verified") is False:
        raise Forbidden("Your e-mail address is not verified at the identity provider.")
    with transaction.atomic():
        user = User.objects.select_for_update().filter(username=name).first()
        if user is None:
            user = User(username=name, email=str(claims.get("email") or "")[:254])
            user.set_unusable_password()
            user.save()
            record("account.create", name, after={"by": issuer})
        elif user.has_usable_password() or user.identities.exists():
            raise Forbidden(
                f"There is an account '{name}' already, which is not yours at this provider. Ask an administrator."
            )
        elif settings.OIDC_NAME_CLAIM == "email" and claims.get("email_verified") is not True:
            raise Forbidden(
                f"An account waits for whoever '{name}' belongs to, and the identity provider does not say that it "
                "has verified that address."
            )
        try:
            with transaction.atomic():
                Identity.objects.create(owner=user, issuer=issuer, subject=subject)
        except IntegrityError:
            raise Forbidden("You are being signed in twice at once. Try again.") from None
    return user


def _administers(claims: dict[str, Any]) -> bool | None:
    """Return whether the provider says that they administer the platform; None where that is not its matter."""
    claim, _, value = settings.OIDC_ADMINS.partition("=")
    if not value:
        return None
    told = claims.get(claim)
    return value in (told if isinstance(told, list) else [told])


def _provider() -> dict[str, Any]:
    return _discovered(settings.OIDC_ISSUER, int(monotonic() // FRESH))


@lru_cache(maxsize=2)
def _discovered(issuer: str, period: int) -> dict[str, Any]:
    found = _fetched(f"{issuer.rstrip('/')}/.well-known/openid-configuration")
    wanted = ("authorization_endpoint", "token_endpoint", "jwks_uri")
    if found.get("issuer") != issuer or not all(isinstance(found.get(each), str) for each in wanted):
        raise Upstream("The identity provider's description of itself is not that of ASSAY_OIDC_ISSUER.")
    return found


_known_keys: dict[str, tuple[float, Any]] = {}


def _keys(*, fresh: bool) -> Any:
    from joserfc.jwk import KeySet

    address = _provider()["jwks_uri"]
    read, keys = _known_keys.get(address, (float("-inf"), None))
    if keys is None or fresh or monotonic() - read > FRESH:
        keys = KeySet.import_key_set(_fetched(address))  # type: ignore[arg-type]
        _known_keys[address] = (monotonic(), keys)
    return keys


def _fetched(address: str) -> dict[str, Any]:
    try:
        reply = httpx.get(address, timeout=SECONDS, follow_redirects=False)
        reply.raise_for_status()
        found: dict[str, Any] = reply.json()
    except (httpx.HTTPError, ValueError):
        raise Upstream("The identity provider does not answer as it should. Try again.") from None
    return found
