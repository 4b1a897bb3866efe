"""What the reader of a page may do, so that it offers nothing else."""

from django import template

from assay.platform.caller import Action
from assay.ui.asked import may_somewhere

register = template.Library()


@register.simple_tag
def may_make() -> bool:
    """Return whether there is a workspace in which the reader may make something."""
    return may_somewhere(Action.WRITE)
