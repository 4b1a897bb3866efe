"""Filesets in the admin: made here or pinned to a hub, with what is in them; blobs are the store's own affair."""

from typing import Any
from urllib.parse import quote

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html, format_html_join
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from assay.filesets.models import Fileset, Storage
from assay.filesets.storage import storage_of
from assay.filesets.storage_wire import HUB, HuggingfaceStorageConfig
from assay.filesets.store import filesets_at_hand, put_on_hub
from assay.platform.api import check
from assay.platform.errors import Refusal
from assay.workspaces.guarded import GuardedAdmin, NamedForm

SHOWN = 200
"""Files on the page of a fileset."""
HUB_FIELDS = ("hub_repo_id", "hub_repo_type", "hub_revision", "hub_endpoint", "hub_token_secret")
REPO_TYPES = [(name, name) for name in ("dataset", "model", "space")]


class FilesetForm(NamedForm):
    class Meta:
        model = Fileset
        fields = ("workspace", "name", "description", "purpose", "project")


class FilesetAddForm(FilesetForm):
    """A new fileset: with a repository it is pinned to its commit, without one it waits for files."""

    hub_repo_id = forms.CharField(
        required=False,
        label="Repository",
        widget=UnfoldAdminTextInputWidget,
        help_text="On a Hugging Face hub, such as nvidia/HelpSteer2. Empty: files are uploaded.",
    )
    hub_repo_type = forms.ChoiceField(choices=REPO_TYPES, initial="dataset", widget=UnfoldAdminSelectWidget)
    hub_revision = forms.CharField(initial="main", required=False, widget=UnfoldAdminTextInputWidget)
    hub_endpoint = forms.CharField(initial=HUB, required=False, widget=UnfoldAdminTextInputWidget)
    hub_token_secret = forms.CharField(
        required=False, widget=UnfoldAdminTextInputWidget, help_text="Name of the secret that holds the hub's token."
    )

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        if cleaned.get("hub_repo_id") and not self.errors:
            self.instance.workspace = cleaned["workspace"]
            asked = {name.removeprefix("hub_"): cleaned[name] for name in HUB_FIELDS if cleaned[name]}
            try:
                put_on_hub(self.instance, check(HuggingfaceStorageConfig, asked, "storage"))
            except Refusal as refusal:
                raise forms.ValidationError(_sentence(refusal)) from None
        return cleaned


def _sentence(refusal: Refusal) -> str:
    if isinstance(refusal.detail, str):
        return refusal.detail
    return "; ".join(f"{mistake['loc'][-1]}: {mistake['msg']}" for mistake in refusal.detail)


@admin.register(Fileset)
class FilesetAdmin(GuardedAdmin):
    form = FilesetForm
    list_display = ("name", "workspace", "purpose", "storage_type", "source", "created_at")
    list_filter = ("workspace", "purpose", "storage_type", "made_by_job")
    search_fields = ("name", "description")
    readonly_fields = ("uid", "storage_type", "source", "contents", "created_at", "updated_at")
    fixed = ("workspace", "name")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Fileset]:
        return filesets_at_hand()

    def get_form(self, request: HttpRequest, obj: Fileset | None = None, change: bool = False, **options: Any) -> Any:
        return super().get_form(request, obj, change, **options if obj else {**options, "form": FilesetAddForm})

    def get_fields(self, request: HttpRequest, obj: Fileset | None = None) -> tuple[str, ...]:
        return (*FilesetForm.Meta.fields, *(self.readonly_fields if obj else HUB_FIELDS))

    @admin.display(description="source")
    def source(self, fileset: Fileset) -> str:
        if fileset.storage_type != Storage.HUGGINGFACE:
            return "uploaded files"
        where = fileset.storage
        return f"{where['repo_id']} at {fileset.revision[:12]} ({fileset.original_revision}), {where['endpoint']}"

    @admin.display(description="files")
    def contents(self, fileset: Fileset) -> str:
        try:
            files = storage_of(fileset).files(fileset)
        except Refusal as refusal:
            return _sentence(refusal)
        root = f"/apis/files/v2/workspaces/{fileset.workspace.name}/filesets/{fileset.name}/-/"
        shown = format_html_join(
            "",
            '<li><a href="{}">{}</a> — {} bytes</li>',
            ((root + quote(f.path), f.path, f.size) for f in files[:SHOWN]),
        )
        rest = len(files) - SHOWN
        return format_html("<ul>{}{}</ul>", shown, format_html("<li>… and {} more</li>", rest) if rest > 0 else "")
