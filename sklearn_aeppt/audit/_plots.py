"""Pictures of reports on matplotlib's axes, for notebooks and papers."""

from __future__ import annotations

from typing import Any

from sklearn_aeppt._text import picture_name


def draw_attacks(report: Any, ax: Any) -> Any:
    """Draw every attack's accuracy with its interval, and the floor."""
    from sklearn_aeppt.displays._plotting import new_axes

    rows = sorted(report.ran, key=lambda row: row["accuracy"])
    not_run = report.not_run
    ax = new_axes(report, ax, figsize=(7, 1.2 + 0.3 * len(report.results)))
    for i, _ in enumerate(not_run):
        ax.text(50, i, "  not run", color="0.4", va="center", fontsize=9)
    for i, row in enumerate(rows, start=len(not_run)):
        color = "#D55E00" if row["adaptive"] else "0.6"
        ax.plot([100 * row["low"], 100 * row["high"]], [i, i], color=color, lw=2)
        ax.plot(100 * row["accuracy"], i, "o", color=color)
    labels = [picture_name(row["attack"]) for row in not_run]
    labels += [picture_name(row["attack"]) + " *" * (not row["adaptive"]) for row in rows]
    ax.set_yticks(range(len(labels)), labels)
    ax.set_ylim(-0.7, len(labels) - 0.3)  # text of a row that was not run sets no limits
    ax.axvline(50, color="0.5", lw=1, ls=":", label="random guessing")
    ax.axvline(100 * report.floor, color="#0072B2", lw=1, ls="--", label="label alone")
    ax.set_xlabel("Attack accuracy (%), with its 95 % interval")
    note = "" if all(row["adaptive"] for row in rows) else "   * non-adaptive"
    ax.set_title(f"{picture_name(report.name)}{note}", loc="left", fontsize=10)
    # inside the axes: it takes no room from them
    ax.legend(loc="lower right", frameon=False).set_in_layout(False)
    return ax


def draw_tradeoff(comparison: Any, ax: Any) -> Any:
    """Draw the strongest attack on each target against its perturbation."""
    from sklearn_aeppt.displays._plotting import CYCLE, new_axes

    ax = new_axes(comparison, ax, figsize=(6.4, 4.4))
    for i, (name, report) in enumerate(comparison.reports.items()):
        color, s, size = CYCLE[i % len(CYCLE)], report.strongest, comparison.size[name]
        ax.vlines(size, 100 * s["low"], 100 * s["high"], color=color)
        ax.plot(
            size, 100 * s["accuracy"], "osD^v"[i % 5], color=color,
            label=f"{picture_name(name, 24)}: {picture_name(s['attack'], 30)}",
        )  # fmt: skip
    floor = 100 * next(iter(comparison.reports.values())).floor
    ax.axhline(floor, color="0.2", lw=1, ls="--", label=f"label alone: {floor:.1f} %")
    ax.set_xlabel("Perturbation: mean L1 over records (probability)")
    ax.set_ylabel("Strongest adaptive attack is right (%)")
    ax.legend(frameon=False, fontsize=9).set_in_layout(False)
    return ax
