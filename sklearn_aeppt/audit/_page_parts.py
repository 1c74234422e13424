"""Parts of a report's page: figures as text, and tables that fit a phone."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass
class Row:
    """One row of a table: its head and its cells, as HTML; words are held left, figures right."""

    head: str
    cells: Sequence[str]
    best: bool = False
    words: bool = False
    span: int = 1


def table(caption: str, head: Sequence[str], rows: Sequence[Row]) -> str:
    """Return a table, of which each cell names its column where there is no room for columns."""
    words = any(row.words for row in rows)
    style = " class=words" if words else ""
    top = "".join(f"<th scope=col{style}>{html.escape(name)}</th>" for name in head)
    top = top if any(head) else ""
    lines = (
        f"<tr{' class=best' if row.best else ''}><th scope=row>{row.head}</th>"
        f"{_cells(row, head)}</tr>"
        for row in rows
    )
    return (
        f"<table><caption>{html.escape(caption)}</caption>"
        + (f"<thead><tr>{top}</tr></thead>" if top else "")
        + f"<tbody>{''.join(lines)}</tbody></table>"
    )


def _cells(row, head):
    if row.span > 1:
        return f"<td colspan={row.span} class=words>{row.cells[0]}</td>"
    style = " class=words" if row.words else ""
    return "".join(
        f"<td{style} data-label='{html.escape(name)}'>{cell}</td>"
        for name, cell in zip(head[1:], row.cells)
    )


def percent(share: float | None) -> str:
    """Return a share in per cent."""
    return "" if share is None else f"{share:.1%}"


def span(low: float | None, high: float | None, kind: str = "percent") -> str:
    """Return an interval: in per cent, in points, or as it is."""
    if low is None or high is None:
        return ""
    if kind == "points":
        return f"{100 * low:+.1f} to {100 * high:+.1f}"
    return f"{low:.3f} to {high:.3f}" if kind == "plain" else f"{low:.1%} to {high:.1%}"


def small(low: float | None, high: float | None, kind: str = "percent") -> str:
    """Return an interval that stands below its figure."""
    found = span(low, high, kind)
    return f" <small>{found}</small>" if found else ""
