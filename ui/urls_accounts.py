"""Addresses of the pages of one's own tokens, of the accounts of people, and of the audit."""

from functools import partial

from django.urls import path

from assay.platform.caller import Action
from assay.ui import accounts, audit, tokens
from assay.ui.door import page

ACCOUNT = "people/<str:account>"
administering = partial(page, needs=Action.ADMINISTER)
urlpatterns = [
    path("tokens/", page(tokens.tokens), name="tokens"),
    path("tokens/revoke/", page(tokens.revoke, writes=True), name="token-revoke"),
    path("audit/", page(audit.audit), name="audit"),
    path("people/", administering(accounts.people), name="accounts"),
    path(f"{ACCOUNT}/", administering(accounts.person), name="account"),
    path(f"{ACCOUNT}/do/<str:verb>/", administering(accounts.change, writes=True), name="account-change"),
    path(f"{ACCOUNT}/password/", administering(accounts.password, writes=True), name="account-password"),
    path(f"{ACCOUNT}/tokens/revoke/", administering(accounts.revoke, writes=True), name="account-token-revoke"),
]
