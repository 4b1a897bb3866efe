"""Whether what is uploaded fits into its workspace's quota of bytes."""

from django.db.models import Exists, OuterRef, Q, Sum

from assay.filesets.models import Blob, File, Fileset, HeldBlob
from assay.platform.errors import TooLarge
from assay.workspaces.models import Workspace
from assay.workspaces.quotas import allowance_of


class OverQuota(TooLarge):
    """The workspace may not hold so much."""


def check_room(fileset: Fileset) -> None:
    """Return if the fileset's workspace holds no more than it may; raises ``OverQuota``.

    To be asked in the transaction that added something, which takes that back.
    """
    limit = allowance_of(fileset.workspace).bytes
    if limit is not None and bytes_of(fileset.workspace) > limit:
        raise OverQuota(
            f"Workspace '{fileset.workspace}' may hold {limit} bytes of files, and this is more. Delete files, or ask "
            "an administrator for more room."
        )


def bytes_of(workspace: Workspace) -> int:
    """Return the bytes of all contents that the workspace's filesets hold, each counted once."""
    filed = Exists(File.objects.filter(fileset__workspace=workspace, blob=OuterRef("pk")))
    held = Exists(HeldBlob.objects.filter(fileset__workspace=workspace, blob=OuterRef("pk")))
    return Blob.objects.filter(Q(filed) | Q(held)).aggregate(total=Sum("size"))["total"] or 0
