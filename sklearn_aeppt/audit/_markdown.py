"""Markdown of any text: tables whose cells hold names that anyone may have given."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from sklearn_aeppt._text import shown_name

#: Characters that Markdown, or the HTML in it, gives a meaning.
_MARKED = re.compile(r"[\\`*_{}\[\]<>|#~$&!]")


def cell(value: Any, width: int | None = None) -> str:
    r"""Return a name, or a sentence, as Markdown that shows it literally, in one line.

    >>> from sklearn_aeppt.audit._markdown import cell
    >>> print(cell("a|b *c*"))
    a\|b \*c\*
    """
    return _MARKED.sub(lambda found: f"\\{found[0]}", shown_name(value, width))


def markdown_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table of cells that are Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
