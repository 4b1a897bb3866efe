"""The admin's share of the rules: names are well formed and stay, deletes go through the deletion rules."""

from collections.abc import Iterable, Sequence
from typing import Any

from django import forms
from django.contrib import messages
from django.db import IntegrityError, models
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from unfold.admin import ModelAdmin

from assay.platform.errors import Refusal
from assay.platform.wire import is_name
from assay.workspaces import deletion


class NamedForm(forms.ModelForm):  # type: ignore[type-arg]
    def clean_name(self) -> str:
        name: str = self.cleaned_data["name"]
        if not is_name(name):
            raise forms.ValidationError(
                "2 to 63 lowercase letters, digits and - @ . + _; a letter first, no double dash, no dash at the end."
            )
        return name


class GuardedAdmin(ModelAdmin):  # type: ignore[misc]
    """Admin of something that others refer to by its name: the page of a delete shows what stands in its way."""

    form = NamedForm
    fixed: Sequence[str] = ("name",)
    """What cannot change once it is saved."""

    def get_readonly_fields(self, request: HttpRequest, obj: models.Model | None = None) -> Sequence[str]:
        shown: Sequence[str] = super().get_readonly_fields(request, obj)
        return [*shown, *self.fixed] if obj else shown

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        # Deleting many at once would have to explain itself for each of them.
        actions: dict[str, Any] = super().get_actions(request)
        actions.pop("delete_selected", None)
        return actions

    def get_deleted_objects(
        self, objs: Iterable[models.Model], request: HttpRequest
    ) -> tuple[list[str], dict[str, int], set[str], list[str]]:
        targets = list(objs)
        in_the_way = [str(blocker) for target in targets for blocker in deletion.blockers(target)]
        counts = {str(self.opts.verbose_name_plural): len(targets)}
        return [str(target) for target in targets], counts, set(), in_the_way

    def save_model(self, request: HttpRequest, obj: Any, form: NamedForm, change: bool) -> None:
        if change:
            obj.updated_at = timezone.now()
        super().save_model(request, obj, form, change)

    def delete_model(self, request: HttpRequest, obj: models.Model) -> None:
        deletion.delete(obj)

    def delete_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> HttpResponse:
        try:
            reply: HttpResponse = super().delete_view(request, object_id, extra_context)
            return reply
        except (Refusal, IntegrityError) as error:
            self.message_user(request, _reason(error), messages.ERROR)
            options = self.opts
            return redirect(reverse(f"admin:{options.app_label}_{options.model_name}_change", args=[object_id]))


def _reason(error: Exception) -> str:
    return str(error.detail) if isinstance(error, Refusal) else "Not deleted: something that refers to it was made."
