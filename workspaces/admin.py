from collections.abc import Sequence

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from unfold.admin import ModelAdmin

from assay.platform.caller import Role
from assay.workspaces import members
from assay.workspaces.guarded import GuardedAdmin, NamedForm
from assay.workspaces.models import Member, Project, Workspace


@admin.register(Workspace)
class WorkspaceAdmin(GuardedAdmin):
    list_display = ("name", "description", "created_at", "created_by")
    search_fields = ("name", "description")
    readonly_fields = ("uid", "created_at", "created_by", "updated_at", "updated_by")
    fields = ("name", "description", *readonly_fields)

    def save_model(self, request: HttpRequest, obj: Workspace, form: NamedForm, change: bool) -> None:
        obj.updated_by = request.user.get_username()
        if not change:
            obj.created_by = obj.updated_by
        super().save_model(request, obj, form, change)


class MemberForm(forms.ModelForm):  # type: ignore[type-arg]
    roles = forms.TypedMultipleChoiceField(choices=[(str(role), str(role)) for role in Role], initial=["Editor"])

    class Meta:
        model = Member
        fields = ("workspace", "principal", "roles")


@admin.register(Member)
class MemberAdmin(ModelAdmin):  # type: ignore[misc]
    form = MemberForm
    list_display = ("principal", "workspace", "roles", "granted_at", "granted_by")
    list_select_related = ("workspace",)
    list_filter = ("workspace",)
    search_fields = ("principal",)

    def get_readonly_fields(self, request: HttpRequest, obj: Member | None = None) -> Sequence[str]:
        return ("workspace", "principal") if obj else ()

    def save_model(self, request: HttpRequest, obj: Member, form: MemberForm, change: bool) -> None:
        obj.pk = members.grant(obj.workspace, obj.principal, obj.roles).pk

    def delete_model(self, request: HttpRequest, obj: Member) -> None:
        members.remove(obj.workspace, obj.principal)


@admin.register(Project)
class ProjectAdmin(GuardedAdmin):
    list_display = ("name", "workspace", "description", "created_at")
    list_select_related = ("workspace",)
    list_filter = ("workspace",)
    search_fields = ("name", "description")
    readonly_fields = ("uid", "created_at", "updated_at")
    fields = ("workspace", "name", "description", *readonly_fields)
    fixed = ("workspace", "name")
