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


def summary(report: Any, level: int = 2) -> str:
    """Return a report as Markdown: outcome, what to do, figures, attacks, and how it was made."""
    h = "#" * level
    lines = [f"{h} Membership inference audit: {cell(report.name, 80)}", ""]
    lines += [f"**{cell(report.headline)}**", "", cell(report.verdict), ""]
    lines += [f"{h}# What to do", "", *(f"- {cell(one)}" for one in report.advice), ""]
    lines += [f"{h}# Every attack", "", attack_table(report), ""]
    lines += [f"{h}# Evidence", "", *(f"- {cell(one)}" for one in evidence(report))]
    return "\n".join(lines)


def attack_table(report: Any) -> str:
    """Return the attacks as a table, the most accurate first, those that were not run last."""
    head = ["attack", "accuracy", "95 % interval", "above labels", "AUC", "TPR at 1 % FPR"]
    rows = []
    for row in sorted(report.ran, key=lambda row: -row["accuracy"]):
        tpr = row.get("tpr_at_0.01_fpr")
        name = cell(row["attack"], 60) + ("" if row["adaptive"] else " (not adaptive)")
        rows.append([
            name, f"{row['accuracy']:.1%}", f"{row['low']:.1%} to {row['high']:.1%}",
            f"{100 * row['excess']:+.1f} points", f"{row['auc']:.3f}",
            "too few records" if tpr is None else f"{tpr:.1%}",
        ])  # fmt: skip
    rows += [
        [cell(row["attack"], 60), f"not run: {cell(row['not_run'], 200)}", *[""] * 4]
        for row in report.not_run
    ]
    return markdown_table(head, rows)


def evidence(report: Any) -> list[str]:
    """Return what can be checked: sizes, checks, control, hashes, versions."""
    said = [
        f"{report.n_members:,} members, {report.n_non_members:,} non-members; the model is right "
        f"about {report.train_accuracy:.1%} and {report.test_accuracy:.1%} of them.",
        *report._sentences(),
    ]
    p = report.provenance
    if p:
        said.append(
            f"Made {p['made']['at']} by sklearn-aeppt {p['versions']['sklearn-aeppt']}, suite "
            f"{p['suite']}, seed {p['seeds']['random_state']}."
        )
        said += [
            f"SHA-256 of {name.replace('_', '-')}: {one['sha256']}"
            for name, one in p["hashes"].items()
            if "sha256" in one
        ]
    said += [f"{key}: {value}" for key, value in report.context.items()]
    return said


def model_card(report: Any) -> str:
    """Return a section for a model card: outcome, limits, table, and what was not looked at."""
    lines = ["## Privacy: membership inference", ""]
    lines += [f"**{cell(report.headline)}** {cell(report.verdict)}", "", attack_table(report), ""]
    lines += ["### How it was tested", "", *(f"- {cell(one)}" for one in evidence(report)), ""]
    lines += ["### What was not tested", "", *(f"- {cell(one)}" for one in report.out_of_scope)]
    return "\n".join(lines)
