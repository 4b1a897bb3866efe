"""The theme's part of the pages: signing in and out and the password for everybody, the tables for administrators."""

from collections.abc import Callable
from functools import wraps
from typing import Any, ClassVar

from django.contrib import messages
from django.contrib.auth.forms import AuthenticationForm as DjangoAuthenticationForm
from django.contrib.auth.models import User
from django.contrib.auth.views import LoginView, LogoutView, PasswordChangeView
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from unfold.forms import AdminOwnPasswordChangeForm, AuthenticationForm
from unfold.sites import UnfoldAdminSite

from assay.accounts import oidc
from assay.accounts.people import has_to_change_password, password_changed
from assay.platform.caller import Action, caller
from assay.platform.errors import Forbidden
from assay.ui.door import PASSWORD_DUE, gate, refused

View = Callable[..., HttpResponseBase]


class SignIn(AuthenticationForm):  # type: ignore[misc]
    """Lets any active account in."""

    error_messages: ClassVar = {
        **DjangoAuthenticationForm.error_messages,
        "invalid_login": "The name or the password is not right. Capital and small letters differ in both.",
    }

    def confirm_login_allowed(self, user: User) -> None:
        DjangoAuthenticationForm.confirm_login_allowed(self, user)


class SigningIn(LoginView):
    form_class = SignIn
    template_name = "ui/sign_in.html"
    next_page = "ui:home"

    def form_valid(self, form: Any) -> HttpResponse:
        reply = super().form_valid(form)
        if has_to_change_password(form.get_user()):
            self.request.session[PASSWORD_DUE] = True
        return reply


class OwnPassword(AdminOwnPasswordChangeForm):  # type: ignore[misc]
    def clean_new_password1(self) -> str:
        new: str = self.cleaned_data["new_password1"]
        if self.user.check_password(new):
            raise ValidationError("That is the password that you have already.")
        return new


class PasswordChange(PasswordChangeView):
    form_class = OwnPassword
    template_name = "registration/password_change_form.html"
    success_url = "/admin/"

    def form_valid(self, form: Any) -> HttpResponse:
        reply = super().form_valid(form)
        user: User = form.user
        password_changed(user)
        self.request.session.pop(PASSWORD_DUE, None)
        messages.success(self.request, "Your password is changed.")
        return reply


class Site(UnfoldAdminSite):  # type: ignore[misc]
    """Django's admin in the theme's look, for those who administer the platform."""

    def has_permission(self, request: HttpRequest) -> bool:
        return caller().known

    def each_context(self, request: HttpRequest) -> dict[str, Any]:
        who = caller()
        own = {"signed_in": who.via == "session", "administers": who.administers}
        return {**super().each_context(request), **own}

    def admin_view(self, view: View, cacheable: bool = False) -> View:
        """Return the view for platform administrators; signing out and the own password are for whoever is known."""
        own = view in (self.logout, self.password_change)

        @wraps(view)
        def shown(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            try:
                if not own:
                    caller().need_platform(Action.ADMINISTER)
                return view(request, *args, **kwargs)
            except Forbidden as refusal:
                return refused(request, refusal)

        return gate(shown, but_password=own)

    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponseBase:
        if request.method == "GET" and self.has_permission(request):
            return redirect("ui:home")
        context = {
            **self.each_context(request),
            "title": "Sign in",
            "site_url": "",  # there is no site to return to
            "app_path": request.get_full_path(),
            "provider": oidc.configured(),
        }
        return SigningIn.as_view(extra_context=context)(request)

    def logout(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponseBase:
        return LogoutView.as_view(next_page="admin:login")(request)

    def password_change(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponseBase:
        due = PASSWORD_DUE in request.session
        told = "Choose a password of your own" if due else "Change your password"
        context = {**self.each_context(request), "title": told}
        return PasswordChange.as_view(extra_context=context)(request)
