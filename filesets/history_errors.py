"""What a look at a fileset's history, or a change of it, can be refused for.

NotFound
├── RevisionMissing    no such branch, tag or commit
└── EntryMissing       no such file or folder in the commit
Conflict
└── RefExists          the branch or tag is there already
PreconditionFailed
└── ParentMoved        the branch has moved on from the commit that the change was made for
"""

from assay.filesets.models import Fileset
from assay.platform.errors import Conflict, NotFound, PreconditionFailed


class RevisionMissing(NotFound):
    def __init__(self, fileset: Fileset, revision: str) -> None:
        super().__init__(f"Revision '{revision[:200]}' not found in '{fileset}'")


class EntryMissing(NotFound):
    pass


class RefExists(Conflict):
    pass


class ParentMoved(PreconditionFailed):
    pass
