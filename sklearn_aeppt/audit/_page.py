"""Reports as one self-contained HTML page, made of what their file holds and nothing else."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence
from typing import Any

from sklearn_aeppt._text import html_name, shown_name
from sklearn_aeppt.audit._glossary import GLOSSARY
from sklearn_aeppt.audit._page_evidence import control_section, evidence_sections
from sklearn_aeppt.audit._page_parts import Row, percent, small, span, table
from sklearn_aeppt.audit._page_risk import records_section, risk_sections
from sklearn_aeppt.audit._page_style import STYLE
from sklearn_aeppt.audit._pictures import draw_attacks, draw_roc, draw_scores

escape = html.escape


def to_html(reports: Sequence[Any], head: str = "", records: bool = False) -> str:
    """Return one page of several reports; who is exposed is on it only if asked for."""
    title = escape(", ".join(shown_name(report.name, 80) for report in reports))
    body = [
        "<h1>Membership inference audit</h1>",
        "<p class=note>Can someone who sees this model's answers find out whose records it was "
        "trained on? Each attack below learned from one half of the records, whose membership it "
        "was given, and was scored on the other half, and then the other way round.</p>",
        head,
        *(_article(report, records) for report in reports),
        "<h2>Glossary</h2><dl>",
        *(f"<dt>{escape(word)}</dt><dd>{escape(what)}</dd>" for word, what in GLOSSARY.items()),
        "</dl>",
    ]
    return (
        "<!doctype html><html lang=en><head><meta charset=utf-8>"
        "<meta name=viewport content='width=device-width, initial-scale=1'>"
        f"<title>Audit: {title}</title><style>{STYLE}</style></head><body>"
        + "\n".join(part for part in body if part)
        + "</body></html>\n"
    )


def _article(report, records):
    parts = [
        f"<h2>{html_name(report.name)}</h2>",
        _context(report.context),
        _verdict(report),
        "<h3>What to do</h3><ul class=todo>",
        *(f"<li>{escape(sentence)}</li>" for sentence in report.advice),
        "</ul>",
        _figures(report),
        _policy(report.policy),
        _pictures(report),
        _attacks(report),
        *risk_sections(report),
        records_section(report) if records else "",
        control_section(report),
        *evidence_sections(report),
    ]
    return "<article>" + "\n".join(part for part in parts if part) + "</article>"


def _context(context):
    if not context:
        return ""
    rows = [
        Row(html_name(key), [html_name(value, 300)], words=True) for key, value in context.items()
    ]
    return table("Who, when and what for, as the caller says", ["", ""], rows)


def _verdict(report):
    word, _, line = report.headline.partition(": ")
    color = "void" if report.void else report.leakage
    return (
        f"<div class='verdict {color}'><p class=line><span class=word>{escape(word)}</span>"
        f"{escape(line)}</p></div><p>{escape(report.verdict)}</p>"
    )


def _figures(report):
    s, between = report.strongest, report.intervals
    best = {row["attack"]: row for row in report.ran}.get(s["attack"], s)
    lines = [
        (
            "Strongest attack is right (picked as such)",
            percent(s["accuracy"]),
            span(s["low"], s["high"]),
        ),
        ("Labels alone (floor)", percent(report.floor), span(*between.get("floor", [None] * 2))),
        (
            "Above labels",
            f"{100 * s['excess']:+.1f} points",
            span(best.get("excess_low"), best.get("excess_high"), "points"),
        ),
        ("AUC", f"{s['auc']:.3f}", span(s.get("auc_low"), s.get("auc_high"), "plain")),
    ]
    lines += [_rate_line(report, name, what) for name, what in RATES.items()]
    if report.epsilon is not None:
        e = report.epsilon
        lines.append((
            "Epsilon, at least", f"{e['epsilon']:.2f}",
            f"{e['n_guesses']:,} guesses show at most {e['ceiling']:.2f}",
        ))  # fmt: skip
    if report.canaries is not None:
        c = report.canaries
        lines.append(
            (
                "Mislabeled records found (worst case)",
                percent(c["accuracy"]),
                span(c["low"], c["high"]),
            )
        )
    for name, what in (("train_accuracy", "members"), ("test_accuracy", "non-members")):
        ends = between.get(name, [None] * 2)
        lines.append((f"Model's accuracy on {what}", percent(getattr(report, name)), span(*ends)))
    rows = [Row(escape(what), [value, interval]) for what, value, interval in lines if value]
    n = f"{report.n_members:,} members and {report.n_non_members:,} non-members"
    if report.n_persons:
        p = report.n_persons
        n += f", records of {p['members']:,} and {p['non_members']:,} persons, who are judged"
    head = ["figure", "value", "95 % interval"]
    return "<h3>The figures</h3>" + table(f"On {n}", head, rows)


#: Rates at low false alarms, the first of which that enough records decide is shown.
RATES = {"tpr_at_0.001_fpr": "TPR at 0.1 % FPR", "tpr_at_0.01_fpr": "TPR at 1 % FPR",
         "tpr_at_0.1_fpr": "TPR at 10 % FPR"}  # fmt: skip


def _rate_line(report, name, what):
    row = report.strongest_by.get(name)
    if row is None:
        return what, "", ""
    ends = span(row.get(f"{name}_low"), row.get(f"{name}_high"))
    return f"{what}, greatest of all attacks", percent(row[name]), ends


def _policy(policy):
    if policy is None:
        return ""
    head = ["rule", "where", "limit", "value", "outcome", "reason"]
    rows = [
        Row(html_name(rule["rule"]), [_told(rule.get(key)) for key in head[1:]])
        for rule in policy.get("rules", [])
    ]
    said = f"{shown_name(policy.get('name', ''), 80)}: {shown_name(policy.get('outcome', ''), 80)}"
    return "<h3>Policy</h3>" + table(said, head, rows)


def _told(value):
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.4g}"
    return html_name(value, 300)


def _pictures(report):
    caption = (
        "Every attack: the share of records that it is right about, with its 95 % interval. "
        "Dashed: what labels alone give away."
    )
    drawn = [(caption + _stars(report), draw_attacks(report))]
    curves = report.curves
    if curves:
        drawn.append((
            "Finds among members against false alarms among non-members, on logarithmic axes: the "
            "left end is where an attacker is nearly certain. Dotted: guessing.",
            draw_roc(curves),
        ))  # fmt: skip
        drawn.append((
            "Where members and non-members stand when all records are sorted by the score of "
            f"{shown_name(curves['scores']['attack'], 60)}, in twentieths.",
            draw_scores(curves["scores"]),
        ))  # fmt: skip
    figures = (
        f"<figure>{picture}<figcaption>{escape(caption)}</figcaption></figure>"
        for caption, picture in drawn
    )
    return f"<div class=pictures>{''.join(figures)}</div>"


def _stars(report):
    if all(row["adaptive"] for row in report.ran):
        return ""
    return (
        " * and hollow: trained on undefended outputs and unaware of the defense; its loss says "
        "little about adaptive attackers."
    )


def _attacks(report):
    head = ["attack", "accuracy", "above labels", "AUC", "TPR at 1 % FPR"]
    rows = []
    for row in sorted(report.ran, key=lambda row: -row["accuracy"]):
        tpr, ends = row.get("tpr_at_0.01_fpr"), "tpr_at_0.01_fpr_{}"
        rate = (row.get(ends.format(end)) for end in ("low", "high"))
        cells = [
            percent(row["accuracy"]) + small(row["low"], row["high"]),
            f"{100 * row['excess']:+.1f} points"
            + small(row.get("excess_low"), row.get("excess_high"), "points"),
            f"{row['auc']:.3f}" + small(row.get("auc_low"), row.get("auc_high"), "plain"),
            "too few records" if tpr is None else percent(tpr) + small(*rate),
        ]
        name = html_name(row["attack"]) + ("" if row["adaptive"] else " *")
        rows.append(Row(name, cells, best=row["attack"] == report.strongest["attack"]))
    rows += [
        Row(html_name(row["attack"]), [f"not run: {escape(shown_name(row['not_run']))}"], span=4)
        for row in report.not_run
    ]
    caption = (
        "The most accurate first, the strongest adaptive one in bold; below each figure its 95 % "
        "interval, for that attack alone (above labels: for all attacks together)."
    )
    return "<h3>Every attack</h3>" + table(caption + _stars(report), head, rows)


def side_by_side(rows: Iterable[tuple[str, Any, float]], picture: str) -> str:
    """Return what stands above the reports of several targets: (name, report, mean L1) of each."""
    head = ["target", "outcome", "strongest attack", "accuracy", "95 % interval", "floor", "AUC",
            "mean L1"]  # fmt: skip
    lines = []
    for name, report, size in rows:
        s = report.strongest
        cells = [
            escape(report.headline.partition(": ")[0]), html_name(s["attack"], 60),
            percent(s["accuracy"]), span(s["low"], s["high"]), percent(report.floor),
            f"{s['auc']:.3f}", f"{size:.3f}",
        ]  # fmt: skip
        lines.append(Row(html_name(name), cells))
    caption = "The strongest attack on each target; mean L1 is how far its confidences are moved."
    return (
        f"<h2>Side by side</h2>{table(caption, head, lines)}<div class=pictures><figure>{picture}"
        "<figcaption>The strongest attack on each target, with its interval, against the size of "
        "its perturbation.</figcaption></figure></div>"
    )
