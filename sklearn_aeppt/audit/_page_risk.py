"""Who is at risk, and what a defense costs: sections of a report's page."""

from __future__ import annotations

import html
from typing import Any

import numpy as np

from sklearn_aeppt._text import group_name, html_name
from sklearn_aeppt.audit._file import plain_labels
from sklearn_aeppt.audit._page_parts import Row, percent, small, span, table

#: Rows of a table that is longer.
MOST_GROUPS, MOST_RECORDS = 10, 20


def risk_sections(report: Any) -> list[str]:
    """Return the sections on groups, on exposed members, and on the cost of a defense."""
    said = [sentence for sentence in (report.exposed, report.worst_case) if sentence]
    parts = ["<h3>Who is at risk</h3>"] + [f"<p>{html.escape(sentence)}</p>" for sentence in said]
    parts += [_groups(key, columns) for key, columns in report.slices.items()]
    return [*parts, _cost(report.utility)]


def _groups(key, columns):
    surest = np.argsort(-np.nan_to_num(columns["low"], nan=-1), kind="stable")
    order = [i for i in surest if not np.isnan(columns["accuracy"][i])]
    rows = [
        Row(
            html_name(group_name(columns["class"][i])),
            [
                f"{columns['n_members'][i]:,}",
                f"{columns['n_non_members'][i]:,}",
                percent(columns["accuracy"][i]),
                span(columns["low"][i], columns["high"][i]),
            ],
        )
        for i in order[:MOST_GROUPS]
    ]
    if not rows:
        return ""
    more = (
        f" {len(order):,} groups, of which the first are shown." if len(order) > len(rows) else ""
    )
    caption = "The strongest attack, group by group; the most certainly exposed first." + more
    head = ["group", "members", "non-members", "accuracy", "95 % interval"]
    return f"<h4>By {html_name(key)}</h4>" + table(caption, head, rows)


def records_section(report: Any) -> str:
    """Return the members that are accused, with the frame's own index."""
    accused = report.accused
    if not accused:
        return ""
    person = "person" in accused[0]
    head = ["index", "row of X_mem", *(["person"] if person else []), "score", "p-value"]
    rows = []
    for row in accused[:MOST_RECORDS]:
        labels = [row[name] for name in ("index", "person") if name in row]
        index, *who = plain_labels(np.fromiter(labels, dtype=object, count=len(labels)))
        cells = [f"{row['row']}", *(html_name(one) for one in who)]
        rows.append(Row(html_name(index), [*cells, f"{row['score']:.4f}", f"{row['p_value']:.4f}"]))
    more = len(accused) - len(rows)
    caption = "The surest first." + (
        f" And {more:,} more: see the table of records." if more > 0 else ""
    )
    return "<h3>Accused members</h3>" + table(caption, head, rows)


def _cost(utility):
    if utility is None:
        return ""
    title = "<h3>What the defense costs</h3>"
    if "not_run" in utility:
        return f"{title}<p>Not measured: {html.escape(utility['not_run'])}</p>"
    return title + "".join(_cost_of(utility[side], side.replace("_", "-")) for side in
                           ("non_members", "members"))  # fmt: skip


def _cost_of(side, name):
    rows = []
    for key, what in (("undefended", "without"), ("defended", "with")):
        a = side[key]
        rows.append(Row(f"{what} the defense", [
            percent(a["accuracy"]) + small(a["accuracy_low"], a["accuracy_high"]),
            f"{a['log_loss']:.3f}" + small(a["log_loss_low"], a["log_loss_high"], "plain"),
            f"{a['ece']:.3f}",
            "not defined" if a["confidence_auc"] is None else f"{a['confidence_auc']:.3f}",
        ]))  # fmt: skip
    caption = (
        f"On {name}: {percent(side['labels_kept'])} of the labels are the same; the confidences "
        f"are moved by {side['l1']:.3f} (mean L1)."
    )
    return table(
        caption, ["", "accuracy", "log loss", "calibration error", "AUC of confidence"], rows
    )
