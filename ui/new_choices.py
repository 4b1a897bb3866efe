"""What a new evaluation can be made of: workspaces, filesets, files, secrets, judges that were asked before."""

from dataclasses import replace
from typing import Any

from assay.filesets.models import Fileset
from assay.jobs.models import Usage
from assay.platform.caller import Action
from assay.platform.errors import Refusal
from assay.secrets.models import Secret
from assay.ui.asked import may_write, where, workspaces
from assay.ui.judge_form import JudgeForm
from assay.ui.new_data import Choice, Sample, files_in, filesets_in, find_fileset, sample_of
from assay.ui.new_preview import Preview, preview_of
from assay.workspaces.models import Workspace

MOST = 500
REMEMBERED = 200
"""Lines of ledgers that are looked through for judges that were asked before."""


def settled(form: JudgeForm, changed: str = "") -> JudgeForm:
    """Return the form with what follows from what was chosen; ``changed`` is the field that was changed last.

    Its workspace is one that the caller may write to; its data may be of one that they may only read.
    """
    if changed == "workspace":
        form = replace(form, fileset="", file="")
    wanted = (form.workspace, form.fileset.rpartition("/")[0])
    workspace = next((name for name in wanted if name and may_write(name)), "") or _likely_workspace()
    form = replace(form, workspace=workspace, file="" if changed == "fileset" else form.file)
    there = [] if form.fileset else filesets_in(workspace)
    return replace(form, fileset=there[0].value) if len(there) == 1 else form


def choices(form: JudgeForm, *, first_file: bool, download: bool = False) -> dict[str, Any]:
    """Return what can be chosen, the first rows of what is, and the form, as templates take them.

    ``first_file``: choose the first data file if none is named.
    """
    files: list[Choice] = []
    sample = Sample()
    if form.fileset:
        try:
            fileset = find_fileset(form.fileset)
            files = files_in(fileset, form.file)
            if first_file and files and not form.file:
                form = replace(form, file=files[0].value)
            sample = sample_of(fileset, form.file, download=download) if files else _no_file(form)
        except Refusal as refusal:
            sample = Sample(trouble=str(refusal))
    return {
        "form": form,
        "workspaces": [Choice(name, name) for name in workspaces(Action.WRITE)],
        "filesets": filesets_in(form.workspace, form.fileset),
        "files": files,
        "secrets": _secrets(form),
        "sample": sample,
        "preview": preview_of(sample.items) if sample.items else Preview(),
        "judges": _judges(form.workspace),
    }


def _likely_workspace() -> str:
    """Return the workspace that somebody put data into last; else the first one there is, or none."""
    keys, data = where(Action.WRITE), Fileset.objects.filter(made_by_job=False)
    newest = (data if keys is None else data.filter(workspace__in=keys)).order_by("-created_at")
    return next(iter([*newest.values_list("workspace__name", flat=True)[:1], *workspaces(Action.WRITE)[:1]]), "")


def _no_file(form: JudgeForm) -> Sample:
    return Sample(trouble=f"Fileset '{form.fileset}' holds no data file: JSON, JSON lines, CSV, Parquet or Arrow.")


def _secrets(form: JudgeForm) -> list[Choice]:
    held = Secret.objects.filter(workspace__name=form.workspace, inline=False).order_by("name")
    names = list(held.values_list("name", flat=True)[:MOST])
    if form.secret and form.secret not in names:
        names.append(form.secret)
    return [Choice("", "None: it asks for no key"), *(Choice(name, name) for name in names)]


def _judges(workspace: str) -> dict[str, list[str]]:
    """Return the addresses and the models that evaluations of the workspace asked last."""
    home = Workspace.objects.filter(name=workspace).values_list("pk", flat=True).first()  # none that is not seen
    lines = Usage.objects.filter(job__workspace=home or 0).order_by("-pk").values_list("address", "model")
    found = list(lines[:REMEMBERED])
    return {
        "addresses": list(dict.fromkeys(address for address, _ in found)),
        "models": list(dict.fromkeys(model for _, model in found)),
    }
