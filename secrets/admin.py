"""Secrets in the admin: a value goes in and is never shown again."""

from typing import Any

from django import forms
from django.contrib import admin
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.widgets import UnfoldAdminPasswordWidget

from assay.secrets.models import Secret
from assay.secrets.vault import seal
from assay.workspaces.guarded import GuardedAdmin, NamedForm


class SecretForm(NamedForm):
    value = forms.CharField(
        strip=False,
        widget=UnfoldAdminPasswordWidget(attrs={"autocomplete": "new-password"}),
        help_text="Stored sealed and not shown again.",
    )

    class Meta:
        model = Secret
        fields = ("workspace", "name", "description")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk:
            self.fields["value"].required = False
            self.fields["value"].help_text = "A new value replaces the stored one; empty keeps it."


@admin.register(Secret)
class SecretAdmin(GuardedAdmin):
    form = SecretForm
    list_display = ("name", "workspace", "description", "created_at", "updated_at")
    list_select_related = ("workspace",)
    list_filter = ("workspace",)
    search_fields = ("name", "description")
    readonly_fields = ("created_at", "updated_at")
    fields = ("workspace", "name", "description", "value", *readonly_fields)
    fixed = ("workspace", "name")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Secret]:
        secrets: QuerySet[Secret] = super().get_queryset(request).filter(inline=False).defer("sealed")
        return secrets

    def save_model(self, request: HttpRequest, obj: Secret, form: NamedForm, change: bool) -> None:
        value = form.cleaned_data["value"]
        with transaction.atomic():
            if value:
                obj.sealed = seal(obj.uid, value)
            super().save_model(request, obj, form, change)
