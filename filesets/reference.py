"""How a job names its data: ``workspace/fileset#path``, where workspace and path may be left out."""

import re
from dataclasses import dataclass

from assay.filesets.models import Fileset
from assay.filesets.store import get_fileset
from assay.platform.errors import Invalid

FORM = re.compile(r"(?:(?P<workspace>[^/#\s]+)/)?(?P<name>[^/#\s]+)(?:#(?P<fragment>[^\x00]*))?", re.DOTALL)


@dataclass(frozen=True)
class FilesetReference:
    workspace: str
    """Empty for the workspace of whoever refers."""
    name: str
    fragment: str = ""
    """A file, a folder, or a pattern; empty for everything."""

    @classmethod
    def parse(cls, text: str) -> "FilesetReference":
        """Raises ``Invalid``."""
        found = FORM.fullmatch(text)
        if found is None:
            raise Invalid(
                f"'{text[:200]}' is not a reference to a fileset: write workspace/fileset, or workspace/fileset#path."
            )
        return cls(found["workspace"] or "", found["name"], found["fragment"] or "")

    def resolve(self, workspace: str) -> Fileset:
        """Return the fileset; ``workspace`` is that of whoever refers. Raises ``NotFound``."""
        return get_fileset(self.workspace or workspace, self.name)
