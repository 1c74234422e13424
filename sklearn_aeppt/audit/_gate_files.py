"""The outcome of a policy in the formats that pipelines read: JUnit XML, SARIF, Markdown."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import quote
from xml.etree import ElementTree

from sklearn_aeppt._text import shown_name
from sklearn_aeppt._version import __version__
from sklearn_aeppt.audit._outcome import row_name, shown_value

if TYPE_CHECKING:
    from sklearn_aeppt.audit._report import AuditReport

SUITE = "membership inference audit"
Outcome = Mapping[str, Any]


def junit(report: AuditReport, seconds: float) -> str:
    """Return the outcome as JUnit XML: one test case a rule.

    A rule that fails is a failure; one that is waived, or not judged and not counted as a failure,
    is skipped, with its reason; of a void audit every rule is an error.
    """
    outcome = _outcome_of(report)
    about = {
        "target": report.name,
        "policy": outcome["name"],
        "outcome": outcome["outcome"],
        "message": outcome["message"],
        "verdict": report.verdict,
        "sklearn-aeppt": __version__,
    }
    cases = [(row_name(row), *_element(row)) for row in outcome["rules"]]
    return _suite(cases, about, seconds)


def junit_of_error(kind: str, text: str, seconds: float) -> str:
    """Return JUnit XML of an audit that did not come to its end: one test case, an error."""
    case = ("audit", "error", kind, text)
    return _suite([case], {"outcome": kind, "sklearn-aeppt": __version__}, seconds)


def _element(row):
    """Return (element, type, message) of a rule's test case; no element where it passes."""
    outcome, reason = row["outcome"], row["reason"]
    if outcome == "void":
        return "error", "void", reason
    if row["counts_as"] == "fail":
        return "failure", outcome, reason
    return (None if outcome == "pass" else "skipped"), outcome, f"{outcome}: {reason}"


def _suite(cases, about, seconds):
    found = [element for _, element, _, _ in cases]
    counts = {
        "tests": str(len(found)),
        "failures": str(found.count("failure")),
        "errors": str(found.count("error")),
        "skipped": str(found.count("skipped")),
        "time": f"{seconds:.3f}",
    }
    root = ElementTree.Element("testsuites", {"name": SUITE, **counts})
    suite = ElementTree.SubElement(root, "testsuite", {"name": SUITE, **counts})
    properties = ElementTree.SubElement(suite, "properties")
    for name, value in about.items():
        ElementTree.SubElement(properties, "property", name=name, value=shown_name(value))
    for name, element, kind, message in cases:
        case = ElementTree.SubElement(
            suite, "testcase", classname="sklearn_aeppt.policy", name=name, time="0"
        )
        if element is not None:
            said = shown_name(message)  # XML holds no control characters, not even escaped
            ElementTree.SubElement(case, element, type=kind, message=said).text = said
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def sarif(report: AuditReport, file: str) -> str:
    """Return the outcome as SARIF 2.1.0: one result a rule, at the file that was audited.

    Rules that are waived are results that are suppressed, with the reason.
    """
    outcome = _outcome_of(report)
    names = list(dict.fromkeys(row["rule"] for row in outcome["rules"]))
    where = {"physicalLocation": {"artifactLocation": {"uri": quote(file)}}}
    results = []
    for row in outcome["rules"]:
        failed = row["counts_as"] == "fail" or row["outcome"] == "waived"
        kind = "fail" if failed else "open" if row["outcome"] == "not judged" else "pass"
        result = {
            "ruleId": row["rule"],
            "ruleIndex": names.index(row["rule"]),
            "kind": kind,
            "level": "error" if failed else "none",
            "message": {"text": f"{row_name(row)}: {shown_name(row['reason'])}"},
            "locations": [where],
        }
        if row["outcome"] == "waived":
            why = {"kind": "external", "status": "accepted", "justification": row["reason"]}
            result["suppressions"] = [why]
        results.append(result)
    rules = [{"id": name, "shortDescription": {"text": name}} for name in names]
    driver = {"name": "sklearn-aeppt", "version": __version__, "rules": rules}
    run = {
        "tool": {"driver": driver},
        "invocations": [{"executionSuccessful": outcome["outcome"] != "void"}],
        "results": results,
    }
    schema = "https://json.schemastore.org/sarif-2.1.0.json"
    return json.dumps({"$schema": schema, "version": "2.1.0", "runs": [run]}, indent=1) + "\n"


def markdown(report: AuditReport) -> str:
    """Return the outcome as Markdown, for the page of a pipeline's job."""
    lines = [f"## Membership inference audit of {_escaped(report.name)}", ""]
    if report.policy is not None:
        lines += [f"**{_escaped(report.policy['message'])}**", ""]
        lines += _table(report.policy["rules"])
        lines += [f"- {_escaped(note)}" for note in report.policy["notes"]]
    return "\n".join([*lines, "", _escaped(report.verdict), ""])


def markdown_of_error(kind: str, text: str) -> str:
    """Return Markdown of an audit that did not come to its end."""
    return f"## Membership inference audit\n\n**{kind.capitalize()}**: {_escaped(text)}\n"


def _table(rows: Sequence[Mapping[str, Any]]):
    lines = ["| outcome | rule | value | bounds (95 %) | limit | reason |", "| --- " * 6 + "|"]
    for row in rows:
        value, low, high, limit = (
            shown_value(row["rule"], row[key]) for key in ("value", "low", "high", "limit")
        )
        counts = f" (counts as {row['counts_as']})" if row["outcome"] == "not judged" else ""
        cells = (f"{row['outcome']}{counts}", _escaped(row_name(row)), value, f"{low} to {high}",
                 limit, _escaped(row["reason"]))  # fmt: skip
        lines.append(f"| {' | '.join(cells)} |")
    return [*lines, ""]


def _escaped(text):
    """Return a text, one line of it, in which nothing is markup."""
    return re.sub(r"([\\`*_\[\]<>|&~#$@])", r"\\\1", shown_name(text))


def _outcome_of(report) -> Outcome:
    if report.policy is None:
        raise ValueError("the report was not judged by a policy: apply_policy(report, policy).")
    return report.policy
