"""The outcome of a policy as lines of text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sklearn_aeppt._text import shown_name

#: Rule -> what its figure is called.
FIGURES = {
    "excess": "excess over the label-only floor",
    "accuracy": "accuracy of the strongest attack",
    "auc": "AUC",
    "tpr_at_0.1_fpr": "TPR at 10 % FPR",
    "tpr_at_0.01_fpr": "TPR at 1 % FPR",
    "tpr_at_0.001_fpr": "TPR at 0.1 % FPR",
    "canaries": "accuracy on mislabeled canaries",
    "epsilon": "epsilon from one run",
    "slice": "accuracy of the strongest attack",
    "members": "members",
    "non_members": "non-members",
    "smallest_leaf": "training records in the smallest leaf",
    "degrees_of_freedom": "degrees of freedom",
    "stored_records": "training records stored in the model",
}


def shown_value(rule: str, value: float | None) -> str:
    """Return a figure in the unit of its rule."""
    if value is None:
        return "-"
    if rule == "excess":
        return f"{100 * value:.2f} points"
    if rule in ("auc", "epsilon"):
        return f"{value:.3f}"
    return f"{value:,}" if isinstance(value, int) else f"{100 * value:.2f} %"


def row_name(row: Mapping[str, Any]) -> str:
    """Return what a rule's outcome is called, on one line."""
    several = row["rule"] in ("slice", "attack", "kind", "check")
    return f"{row['rule']} {shown_name(row['where'], 60)}" if several else row["rule"]


def row_line(row: Mapping[str, Any]) -> str:
    """Return a rule's outcome as one line."""
    counts = f" (counts as {row['counts_as']})" if row["outcome"] == "not judged" else ""
    return f"{row['outcome']:10}  {row_name(row)}: {shown_name(row['reason'])}{counts}"


def policy_lines(policy: Mapping[str, Any] | None) -> list[str]:
    """Return the outcome of a policy: one line a rule, and the outcome; none without a policy.

    Parts of a slice that pass, of which there may be hundreds, share a line.
    """
    if policy is None:
        return []
    lines, parts = [""], 0
    for row in policy["rules"]:
        if row["rule"] == "slice" and row["outcome"] == "pass":
            parts += 1
        else:
            lines.append(row_line(row))
    if parts:
        lines.append(f"{'pass':10}  slice: {parts} part(s) not shown to be above their limits")
    return [*lines, *policy["notes"], policy["message"]]
