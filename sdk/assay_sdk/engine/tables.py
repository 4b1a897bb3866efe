"""Tables as text."""

from collections.abc import Sequence


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Return a table as lines of text: the first column to the left, the others to the right."""
    cells = [head, *rows]
    widths = [max(len(line[i]) for line in cells) for i in range(len(head))]

    def aligned(line: Sequence[str]) -> str:
        first, *others = (text.rjust(width) for text, width in zip(line, widths, strict=True))
        return "  ".join([line[0].ljust(widths[0]), *others]).rstrip()

    return [aligned(head), "  ".join("-" * width for width in widths), *map(aligned, rows)]
