"""Accounts in the theme's look, with fields that a screen reader can name; what is changed in any table is audited."""

from typing import Any

from django.contrib import admin
from django.contrib.admin.models import ADDITION, CHANGE, DELETION, LogEntry
from django.contrib.auth.admin import GroupAdmin as DjangoGroupAdmin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group, User
from django.db.models.signals import post_save
from django.dispatch import receiver
from unfold.admin import ModelAdmin
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

from assay.platform.audit import record

DONE = {ADDITION: "create", CHANGE: "update", DELETION: "delete"}

admin.site.unregister(User)
admin.site.unregister(Group)


@admin.register(User)
class UserAdmin(DjangoUserAdmin, ModelAdmin):  # type: ignore[misc, type-arg]
    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm
    filter_horizontal = ()  # the two-box picker has fields without a label
    readonly_fields = ("last_login", "date_joined")
    list_display = ("username", "email", "is_staff", "is_active", "last_login")


@admin.register(Group)
class GroupAdmin(DjangoGroupAdmin, ModelAdmin):  # type: ignore[misc]
    filter_horizontal = ()


@receiver(post_save, sender=LogEntry, dispatch_uid="audit of the tables")
def write_down(instance: LogEntry, **_: Any) -> None:
    """Write each change into the audit, in its transaction: whatever the table, Django's admin makes an entry of it."""
    target = f"{instance.content_type}: {instance.object_repr}"
    record(f"table.{DONE[instance.action_flag]}", target, after={"changed": instance.get_change_message()})
