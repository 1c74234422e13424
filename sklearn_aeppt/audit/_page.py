"""Reports as one self-contained HTML page."""

from __future__ import annotations

import html
from base64 import b64encode
from io import BytesIO

import numpy as np

from sklearn_aeppt._text import group_name, html_name, shown_name

STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 56rem; padding: 0 1rem;
       color: #1a1a1a; background: #fff; }
.verdict { padding: 1rem 1.2rem; border-left: .5rem solid; background: #f6f6f6; }
.none { border-color: #009E73; } .labels { border-color: #E69F00; }
.confidences { border-color: #D55E00; } .inconclusive { border-color: #777; }
table { border-collapse: collapse; width: 100%; font-size: .9rem; }
th, td { padding: .3rem .5rem; border-bottom: 1px solid #ddd; text-align: right; }
th:first-child, td:first-child, .reason { text-align: left; }
h2, td:first-child, .reason, p, li { overflow-wrap: anywhere; }
img { max-width: 100%; } .note { color: #555; font-size: .9rem; }
"""


def to_html(reports, head=""):
    """Return one HTML page of several reports."""
    body = ["<h1>Membership inference audit</h1>"]
    body.append(
        "<p class=note>A membership inference attack guesses whether a record was used to train a "
        "model. Each attack below was trained on one half of the records, whose membership it was "
        "given, and scored on the other half, and then the other way round.</p>"
    )
    body.append(head)
    e = html.escape
    for report in reports:
        body.append(f"<h2>{html_name(report.name)}</h2>")
        color = "inconclusive" if report.void else report.leakage
        body.append(f"<p class='verdict {color}'>{e(report.verdict)}</p>")
        body += [f"<p>{e(sentence)}</p>" for sentence in report._sentences()]
        body.append("<h3>What to do</h3><ul>")
        body += [f"<li>{e(sentence)}</li>" for sentence in report.advice] + ["</ul>"]
        body.append(
            f"<p>{report.n_members} members, {report.n_non_members} non-members; accuracy "
            f"{report.train_accuracy:.1%} on members, {report.test_accuracy:.1%} on non-members, "
            f"so that an attack on labels alone reaches {report.floor:.1%}.</p>"
        )
        body.append(_picture(report))
        body.append("<h3>Every attack</h3>" + _attack_table(report))
        for key, table in report.slices.items():
            body.append(f"<h3>Most at risk, by {html_name(key)}</h3>" + _slice_table(table))
        if report.accused:
            body.append("<h3>Accused members</h3>" + _accused_table(report.accused))
        rows = ", ".join(map(str, report.at_risk[:20]))
        body.append(
            f"<p>Members that the strongest attack is surest of (rows of X_mem): {rows}</p>"
        )
    title = e(", ".join(shown_name(report.name, 80) for report in reports))
    return (
        "<!doctype html><html lang=en><head><meta charset=utf-8>"
        f"<meta name=viewport content='width=device-width'><title>Audit: {title}</title>"
        f"<style>{STYLE}</style></head><body>" + "\n".join(body) + "</body></html>\n"
    )


def _picture(report):
    return _embed(report.plot, (8, 1.4 + 0.3 * len(report.results)), "Accuracy of every attack")


def _embed(plot, size, alt):
    """Return what ``plot(ax=...)`` draws as a picture inside the page."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        return "<p class=note>Pictures need matplotlib: install sklearn-aeppt[plots].</p>"
    figure = Figure(figsize=size, layout="constrained")
    plot(ax=figure.subplots())
    buffer = BytesIO()
    figure.savefig(buffer, format="png", dpi=110)
    data = b64encode(buffer.getvalue()).decode()
    return f"<img alt='{alt}' src='data:image/png;base64,{data}'>"


def _frame_table(frame):
    """Return a frame of names and figures as a table."""

    def cell(value):
        if isinstance(value, str):
            return html_name(value)
        return "too few records" if value is None or np.isnan(value) else f"{value:.3f}"

    head = "".join(f"<th>{html.escape(column)}</th>" for column in frame)
    rows = ("".join(f"<td>{cell(value)}</td>" for value in row) for row in frame.to_numpy(object))
    return f"<table><tr>{head}</tr>{''.join(f'<tr>{row}</tr>' for row in rows)}</table>"


def _attack_table(report):
    head = "<tr><th>attack</th><th>accuracy</th><th>95 % interval</th><th>above labels</th>"
    head += "<th>AUC</th><th>TPR at 1 % FPR</th></tr>"
    lines = []
    for row in sorted(report.ran, key=lambda row: -row["accuracy"]):
        tpr = row["tpr_at_0.01_fpr"]
        lines.append(
            f"<tr><td>{html_name(row['attack'])}{'' if row['adaptive'] else ' *'}</td>"
            f"<td>{row['accuracy']:.1%}</td><td>{row['low']:.1%} to {row['high']:.1%}</td>"
            f"<td>{100 * row['excess']:+.1f} points</td><td>{row['auc']:.3f}</td>"
            f"<td>{'too few records' if tpr is None else f'{tpr:.1%}'}</td></tr>"
        )
    lines += [
        f"<tr><td>{html_name(row['attack'])}</td>"
        f"<td colspan=5 class=reason>not run: {html.escape(shown_name(row['not_run']))}</td></tr>"
        for row in report.not_run
    ]
    note = "" if all(row["adaptive"] for row in report.ran) else (
        "<p class=note>* trained on undefended outputs and unaware of the defense: its loss says "
        "little about adaptive attackers.</p>"
    )  # fmt: skip
    return f"<table>{head}{''.join(lines)}</table>{note}"


def _accused_table(accused, n=20):
    person = "person" in accused[0]
    lines = [
        f"<tr><td>{html_name(row['index'])}</td><td>{row['row']}</td>"
        + (f"<td>{html_name(row['person'])}</td>" if person else "")
        + f"<td>{row['score']:.4f}</td><td>{row['p_value']:.4f}</td></tr>"
        for row in accused[:n]
    ]
    head = "<tr><th>index</th><th>row of X_mem</th>" + "<th>person</th>" * person
    head += "<th>score</th><th>p-value</th></tr>"
    more = len(accused) - n
    rest = f"<p class=note>And {more:,} more: report.accused, or the JSON.</p>" if more > 0 else ""
    return f"<table>{head}{''.join(lines)}</table>{rest}"


def _slice_table(table, n=10):
    order = np.argsort(-np.nan_to_num(table["low"], nan=-1), kind="stable")[:n]
    lines = [
        f"<tr><td>{html_name(group_name(table['class'][i]))}</td><td>{table['n_members'][i]}</td>"
        f"<td>{table['n_non_members'][i]}</td><td>{table['accuracy'][i]:.1%}</td>"
        f"<td>{table['low'][i]:.1%} to {table['high'][i]:.1%}</td></tr>"
        for i in order
        if not np.isnan(table["accuracy"][i])
    ]
    head = "<tr><th></th><th>members</th><th>non-members</th><th>accuracy</th><th>95 %</th></tr>"
    return f"<table>{head}{''.join(lines)}</table>"
