"""Who attacked, how hard, and what can be checked: sections of a report's page."""

from __future__ import annotations

import html
import json
from typing import Any

from sklearn_aeppt._text import html_name, shown_name
from sklearn_aeppt.audit._page_parts import Row, table

escape = html.escape
MADE_WITH = {"python": "Python library", "command line": "command line"}


def control_section(report: Any) -> str:
    """Return what the checks say that decide whether the figures can be relied on."""
    said = [*report.before, report.control_says, report.from_one_run, report.defense_fit]
    lines = "".join(f"<li>{escape(sentence)}</li>" for sentence in said if sentence)
    return f"<h3>Can these figures be relied on?</h3><ul>{lines}</ul>" if lines else ""


def evidence_sections(report: Any) -> list[str]:
    """Return the threat model, what is out of scope, and where the report comes from."""
    scope = "".join(f"<li>{escape(sentence)}</li>" for sentence in report.out_of_scope)
    return [
        _attackers(report.attackers),
        f"<h3>What was not looked at</h3><ul>{scope}</ul>",
        _provenance(report.provenance),
    ]


def _attackers(attackers):
    if not attackers:
        return ""
    rows = []
    for one in attackers:
        if one["class"] is None:
            rows.append(Row(html_name(one["attack"]), ["not run"], span=4))
            continue
        seconds = "not run" if one["seconds"] is None else f"{one['seconds']:.2f} s"
        rows.append(
            Row(
                html_name(one["attack"]),
                [one["sees"], _asks(one), _knows(one), seconds],
                words=True,
            )
        )
    head = ["attack", "sees", "asks about", "also knows", "took"]
    settings = "".join(
        f"<dt>{html_name(one['attack'])}</dt><dd><code>{escape(_settings(one))}</code></dd>"
        for one in attackers
        if one["class"] is not None
    )
    caption = "Each attacker knows the membership of half of the records, and all labels."
    return (
        f"<h3>Who attacked, and how hard</h3>{table(caption, head, rows)}"
        f"<h4>Settings</h4><dl>{settings}</dl>"
    )


def _asks(one):
    if one["queries"] == 1:
        return "the record, once"
    return f"{one['of']}, {one['queries']} queries per record"


def _knows(one):
    known = []
    if one["reads_records"]:
        known.append("the records")
    if one["shadow_models"]:
        shared = ", shared with other attacks" if one["shared_models"] else ""
        known.append(f"how to train the model: {one['shadow_models']} shadow models{shared}")
    if not one["adaptive"]:
        known.append("nothing of the defense")
    return "; ".join(known) or "nothing more"


def _settings(one):
    told = ", ".join(
        f"{shown_name(name, 60)}={_value(value)}" for name, value in one["parameters"].items()
    )
    return f"{one['class']}({told})"


def _value(value):
    if isinstance(value, dict) and set(value) == {"class", "parameters"}:
        inner = ", ".join(
            f"{shown_name(k, 60)}={_value(v)}" for k, v in value["parameters"].items()
        )
        return f"{value['class'].rpartition('.')[2]}({inner})"
    return shown_name(json.dumps(value), 120)


def _provenance(provenance):
    if not provenance:
        return ""
    p = provenance
    versions = ", ".join(
        f"{shown_name(k, 40)} {shown_name(v, 40)}" for k, v in p["versions"].items()
    )
    seeds = ", ".join(f"{name}: {value}" for name, value in p["seeds"].items())
    halves = "; ".join(
        f"{half['members']:,} members and {half['non_members']:,} non-members"
        for half in p["split"]["halves"]
    )
    left = p["left_out"]
    lines = [
        ("made", f"{p['made']['at']}, by the {MADE_WITH[p['made']['with']]}"
                 f", in {p['made']['seconds']:.1f} s"),
        ("suite", p["suite"]),
        ("versions", versions),
        ("seeds", seeds),
        ("split", f"{p['split']['rule']} {halves}."),
        ("left out", f"{left['members']:,} members (weight zero), {left['non_members']:,} "
                     "non-members (equal to a member, or of a member's person)"),
        *((f"SHA-256: {name.replace('_', '-')}", _hash(one)) for name, one in p["hashes"].items()),
    ]  # fmt: skip
    rows = [Row(escape(name), [escape(text)], words=True) for name, text in lines]
    return "<h3>Where this report comes from</h3>" + table(
        "What someone else needs to check it.", ["", ""], rows
    )


def _hash(one):
    if "sha256" not in one:
        return f"not hashed: {shown_name(one.get('not_hashed', 'no reason given'), 300)}"
    of = f" ({one['of']})" if "of" in one else f" ({one['n']:,} records, in any order)"
    return one["sha256"] + of
