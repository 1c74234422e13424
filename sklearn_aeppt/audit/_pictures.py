"""The pictures of a report's page, as SVG, from what its file holds."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from sklearn_aeppt._text import shown_name
from sklearn_aeppt.audit._svg import BLUE, COLORS, DASHES, GRAY, INK, PALE, RED, Drawing

#: Narrow, so that text can be read on a phone.
WIDTH = 420.0
LEFT, SIDE = 50.0, 8.0
GUESSING, EVEN = "2 3", "2 3"


def draw_attacks(report: Any) -> str:
    """Return every attack's accuracy with its interval, beside guessing and the floor."""
    rows = sorted(report.ran, key=lambda row: -row["accuracy"])
    ends = [report.floor, *(row[key] for row in rows for key in ("low", "high"))]
    low, high = _tenths(ends)
    at, bottom = _scale(low, high, SIDE, WIDTH - SIDE), 28.0 + 34 * len(rows)
    picture = Drawing(WIDTH, bottom + 40, "Accuracy of every attack with its 95 % interval")
    floor = at(report.floor)
    picture.line(floor, 18, floor, bottom, BLUE, 1.5, DASHES[1])
    picture.line(at(0.5), 18, at(0.5), bottom, GRAY, 1, GUESSING)
    picture.text(floor, 12, "labels alone", _anchor(floor), BLUE)
    for i, row in enumerate(rows):
        y, color = 34 + 34 * i, RED if row["adaptive"] else GRAY
        picture.text(SIDE, y, shown_name(row["attack"], 56) + ("" if row["adaptive"] else " *"))
        picture.line(at(row["low"]), y + 12, at(row["high"]), y + 12, color, 3)
        picture.dot(at(row["accuracy"]), y + 12, color, row["adaptive"])
    picture.line(SIDE, bottom, WIDTH - SIDE, bottom, GRAY)
    for share in _ticks(low, high):
        picture.line(at(share), bottom, at(share), bottom + 4, GRAY)
        picture.text(at(share), bottom + 17, f"{100 * share:.0f} %", _anchor(at(share)), size=11)
    picture.text(WIDTH / 2, bottom + 34, "records that the attack is right about", "middle")
    return str(picture)


def draw_roc(curves: dict[str, Any]) -> str:
    """Return the ROC curves of the strongest attacks on two logarithmic axes, with the floor."""
    least = min(fpr for curve in curves["roc"] for fpr in curve["fpr"] if fpr > 0)
    decades = max(1, math.ceil(-math.log10(least)))
    top, right = 10.0, WIDTH - 12
    bottom = top + 0.85 * (right - LEFT)
    lines = [
        (
            shown_name(curve["attack"], 46),
            COLORS[i],
            DASHES[i],
            list(zip(curve["fpr"], curve["tpr"])),
        )
        for i, curve in enumerate(curves["roc"])
    ]
    lines.append(("labels alone", INK, DASHES[3], _labels_curve(curves["labels"], decades)))
    label = "True against false positive rate, logarithmic axes"
    picture = Drawing(WIDTH, bottom + 48 + 18 * len(lines), label)
    x_of, y_of = _logarithmic(decades, LEFT, right), _logarithmic(decades, bottom, top)
    for k in range(decades + 1):
        share = 10.0**-k
        text = f"{100 * share:g} %"
        picture.line(x_of(share), top, x_of(share), bottom, PALE)
        picture.line(LEFT, y_of(share), right, y_of(share), PALE)
        picture.text(x_of(share), bottom + 15, text, "middle" if k else "end", size=11)
        picture.text(LEFT - 5, y_of(share) + 4, text, "end", size=11)
    picture.line(LEFT, bottom, right, top, GRAY, 1, GUESSING)
    for i, (name, color, dash, points) in enumerate(lines):
        shown = [(x_of(fpr), y_of(tpr)) for fpr, tpr in points if fpr > 0 and tpr > 0]
        picture.path(shown, color, 2, dash)
        y = bottom + 52 + 18 * i
        picture.line(LEFT, y - 4, LEFT + 30, y - 4, color, 2, dash)
        picture.text(LEFT + 38, y, name)
    picture.text((LEFT + right) / 2, bottom + 32, "false positive rate", "middle")
    picture.text(12, (top + bottom) / 2, "true positive rate", "middle", turned=True)
    return str(picture)


def _labels_curve(labels, decades):
    """Return what an attacker reaches who sees whether the label is right, and tosses coins."""
    fpr, tpr = max(labels["fpr"], 1e-12), labels["tpr"]
    points = []
    for i in range(10 * decades + 1):
        f = 10.0 ** (i / 10 - decades)
        rest = (f - fpr) / (1 - fpr) if fpr < 1 else 0.0
        points.append((f, f * tpr / fpr if f <= fpr else tpr + (1 - tpr) * rest))
    return points


def draw_scores(scores: dict[str, Any]) -> str:
    """Return how many members and non-members have which score."""
    sides = [scores["members"], scores["non_members"]]
    shares = [[count / max(1, sum(side)) for count in side] for side in sides]
    top, bottom, step = 26.0, 200.0, (WIDTH - 2 * SIDE) / len(sides[0])
    height = _scale(0, max(map(max, shares)), bottom, top)
    picture = Drawing(WIDTH, bottom + 42, "Scores of members and of non-members")
    for k, (share, color) in enumerate(zip(shares, (RED, BLUE))):
        for i, value in enumerate(share):
            x = SIDE + step * (i + 0.08 + 0.42 * k)
            picture.bar(x, height(value), 0.4 * step, bottom - height(value), color)
    even = height(1 / len(sides[0]))
    picture.line(SIDE, even, WIDTH - SIDE, even, INK, 1, EVEN)
    picture.line(SIDE, bottom, WIDTH - SIDE, bottom, GRAY)
    for x, name, color in ((SIDE, "members", RED), (100, "non-members", BLUE)):
        picture.bar(x, 4, 11, 11, color)
        picture.text(x + 16, 14, name)
    picture.text(WIDTH - SIDE, 14, "dotted: no difference", "end")
    picture.text(SIDE, bottom + 16, "surely not a member", size=11)
    picture.text(WIDTH - SIDE, bottom + 16, "surely a member", "end", size=11)
    picture.text(WIDTH / 2, bottom + 34, "score of the strongest attack", "middle")
    return str(picture)


def draw_tradeoff(comparison: Any) -> str:
    """Return the strongest attack on each target against the size of its perturbation."""
    reports, sizes = comparison.reports, comparison.size
    low, high = _tenths([r.strongest[key] for r in reports.values() for key in ("low", "high")])
    widest = max(0.1, math.ceil(10 * max(sizes.values())) / 10)
    top, bottom, right = 12.0, 260.0, WIDTH - 12
    label = "Strongest attack against perturbation"
    picture = Drawing(WIDTH, bottom + 48 + 18 * (len(reports) + 1), label)
    x_of, y_of = _scale(0, widest, LEFT + 8, right - 8), _scale(low, high, bottom, top)
    for share in _ticks(low, high):
        picture.line(LEFT, y_of(share), right, y_of(share), PALE)
        picture.text(LEFT - 5, y_of(share) + 4, f"{100 * share:.0f} %", "end", size=11)
    for value in (0.0, widest):
        picture.text(x_of(value), bottom + 15, f"{value:.1f}", "middle", size=11)
    for i, (name, report) in enumerate(reports.items()):
        color, s, x = COLORS[i % len(COLORS)], report.strongest, x_of(sizes[name])
        picture.line(x, y_of(s["low"]), x, y_of(s["high"]), color, 3)
        y = bottom + 52 + 18 * i
        for place in ((x, y_of(s["accuracy"])), (LEFT + 15, y - 4)):
            picture.dot(*place, color, i % 2 == 0)
        picture.text(LEFT + 38, y, shown_name(name, 46))
    floor, y = y_of(next(iter(reports.values())).floor), bottom + 52 + 18 * len(reports)
    for x1, x2, at in ((LEFT, right, floor), (LEFT, LEFT + 30, y - 4)):
        picture.line(x1, at, x2, at, INK, 1.5, DASHES[3])
    picture.text(LEFT + 38, y, "labels alone, of the first")
    picture.text((LEFT + right) / 2, bottom + 32, "perturbation: mean L1", "middle")
    picture.text(12, (top + bottom) / 2, "strongest attack is right", "middle", turned=True)
    return str(picture)


def _scale(low: float, high: float, start: float, end: float) -> Callable[[float], float]:
    """Return where values from low to high stand between two coordinates."""
    return lambda value: start + (value - low) / (high - low) * (end - start)


def _logarithmic(decades: int, start: float, end: float) -> Callable[[float], float]:
    """Return where shares stand on an axis of so many powers of ten below one."""
    scale = _scale(-decades, 0, start, end)
    return lambda share: scale(math.log10(max(share, 10.0**-decades)))


def _tenths(shares):
    """Return the range of tenths that holds shares, and guessing."""
    shares = [0.5, *shares]
    low, high = math.floor(10 * min(shares)), math.ceil(10 * max(shares))
    return low / 10, max(high, low + 1) / 10


def _ticks(low, high):
    """Return every tenth, or every other one of many."""
    first, last = round(10 * low), round(10 * high)
    return [tick / 10 for tick in range(first, last + 1, 1 if last - first < 6 else 2)]


def _anchor(x):
    """Return where text at x is held, so that it stays inside the picture."""
    return "start" if x < 40 else "end" if x > WIDTH - 40 else "middle"
