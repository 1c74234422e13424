"""Drawing in SVG: the few shapes that a report's pictures are made of."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence

#: Colors that stand out from white by 4.5 to 1 or more, also for most color-blind readers.
RED, BLUE, GRAY, INK = "#a8410a", "#005a9c", "#6b6b6b", "#1a1a1a"
#: Of lines behind the others.
PALE = "#d9d9d9"
COLORS = (RED, BLUE, "#00664a", "#7a3b8f", INK)
#: So that lines and points differ without their colors.
DASHES = ("", "7 3", "2 3", "9 3 2 3", "1 2")


class Drawing:
    """A picture that grows shape by shape.

    Parameters
    ----------
    width, height : float
        Of the picture, in its own units; it is as wide as the page allows.
    label : str
        What it shows, for readers who do not see it.
    """

    def __init__(self, width: float, height: float, label: str):
        self.width, self.height, self.label = width, height, label
        self.shapes: list[str] = []

    def line(self, x1, y1, x2, y2, color=INK, width=1.0, dash=""):
        """Draw a line."""
        self.shapes.append(
            f"<line x1='{_n(x1)}' y1='{_n(y1)}' x2='{_n(x2)}' y2='{_n(y2)}' stroke='{color}' "
            f"stroke-width='{_n(width)}'{_dash(dash)}/>"
        )

    def path(self, points: Iterable[Sequence[float]], color=INK, width=2.0, dash=""):
        """Draw lines from point to point."""
        told = " ".join(f"{_n(x)},{_n(y)}" for x, y in points)
        self.shapes.append(
            f"<polyline points='{told}' fill='none' stroke='{color}' stroke-width='{_n(width)}'"
            f"{_dash(dash)}/>"
        )

    def bar(self, x, y, width, height, color):
        """Draw a filled rectangle."""
        self.shapes.append(
            f"<rect x='{_n(x)}' y='{_n(y)}' width='{_n(width)}' height='{_n(height)}' "
            f"fill='{color}'/>"
        )

    def dot(self, x, y, color, filled=True):
        """Draw a point; a hollow one is another kind."""
        fill = color if filled else "#fff"
        self.shapes.append(
            f"<circle cx='{_n(x)}' cy='{_n(y)}' r='4' fill='{fill}' stroke='{color}' "
            "stroke-width='1.5'/>"
        )

    def text(self, x, y, text, anchor="start", color=INK, size=12, turned=False):
        """Write text; `turned` is from bottom to top."""
        place = f"transform='translate({_n(x)} {_n(y)}) rotate(-90)'" if turned else (
            f"x='{_n(x)}' y='{_n(y)}'"
        )  # fmt: skip
        self.shapes.append(
            f"<text {place} text-anchor='{anchor}' fill='{color}' font-size='{size}' "
            "stroke='#fff' stroke-width='3' paint-order='stroke'>"
            f"{html.escape(text)}</text>"
        )

    def __str__(self):
        return (
            f"<svg viewBox='0 0 {_n(self.width)} {_n(self.height)}' role='img' "
            f"aria-label='{html.escape(self.label)}'>{''.join(self.shapes)}</svg>"
        )


def _n(value):
    """Return a coordinate with no more digits than a screen shows."""
    return f"{value:.1f}".removesuffix(".0")


def _dash(dash):
    return f" stroke-dasharray='{dash}'" if dash else ""
