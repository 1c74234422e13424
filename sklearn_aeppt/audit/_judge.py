"""Judge a report by a policy: each rule, its figure with its bounds, and the outcome."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import date
from os import PathLike
from typing import TYPE_CHECKING, Any

from sklearn_aeppt._text import as_text, shown_name
from sklearn_aeppt.audit._outcome import FIGURES, row_name, shown_value
from sklearn_aeppt.audit._policy import Limit, Policy, load_policy
from sklearn_aeppt.audit._policy_figures import Figure, figure, parts
from sklearn_aeppt.audit._sentences import FEW

if TYPE_CHECKING:
    from sklearn_aeppt.audit._report import AuditReport

#: Share of the audited members that a defense has to be fitted on.
FITTED = 0.9
Row = dict[str, Any]


def apply_policy(
    report: AuditReport,
    policy: Policy | Mapping[str, Any] | str | PathLike[str],
    *,
    today: date | None = None,
) -> AuditReport:
    """Judge a report that exists by a policy.

    Parameters
    ----------
    report : AuditReport
        What `audit` returned.
    policy : {"default", "strict", "sacro", "aisvs"}, path-like, dict or Policy
        What the report may hold, see `load_policy`.
    today : datetime.date, default=None
        Day on which waivers are looked at; None takes the computer's.

    Returns
    -------
    judged : AuditReport
        A copy whose ``policy`` is the outcome: a dict of ``name``; ``outcome``: "pass", "fail",
        "waived" (passes with the rules that are waived) or "void" (members can be told from
        non-members without the target, so that no rule can be met or missed); ``message``, one
        sentence; ``judged_on``; ``rules``, a list of dict, one for each rule and what it applies
        to: ``rule``, ``where``, ``limit``, ``mode``, ``value``, ``low`` and ``high`` (bounds, each
        at 95 % for all attacks and parts of a slice together; None where there are none),
        ``attack`` (whose value it is), ``outcome`` ("pass", "fail", "waived", "not judged" or
        "void"), ``counts_as`` ("pass" or "fail") and ``reason``; ``notes`` on waivers; and
        ``policy``, its parameters.

    Raises
    ------
    ValueError
        If the policy is not valid, see `Policy`.

    See Also
    --------
    audit : Applies a policy at once, with ``policy=``.
    sklearn_aeppt.testing.assert_private : The same as an assertion.

    Notes
    -----
    Bounds are those of the report where it has them (excess, accuracy, canaries, epsilon). For the
    AUC, rates and slices, of which it has the value only, they hold for any distributions, and
    Bonferroni's rule corrects them for the number of attacks, or of attacks and parts of the slice.
    Each rule errs by itself at 5 %.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.ensemble import RandomForestClassifier
    >>> from sklearn_aeppt.audit import apply_policy, audit
    >>> X, y = load_digits(return_X_y=True)
    >>> forest = RandomForestClassifier(random_state=0).fit(X[::2], y[::2])
    >>> report = audit(forest, X[::2], y[::2], X[1::2], y[1::2], "quick", random_state=0)
    >>> apply_policy(report, "default").policy["outcome"]
    'fail'
    >>> apply_policy(report, {"limits": {"excess": 0.45}}).policy["outcome"]
    'pass'
    """
    policy = load_policy(policy)
    today = date.today() if today is None else today
    rows = list(_rules(report, policy))
    notes: list[str] = []
    if report.void:
        rows = [{**row, "outcome": "void", "counts_as": "fail", "reason": VOID} for row in rows]
    else:
        rows, notes = _waive(rows, policy, today)
    outcome, message = _together(rows, report.void, policy.name)
    return replace(
        report,
        policy={
            "name": policy.name,
            "outcome": outcome,
            "message": message,
            "judged_on": today.isoformat(),
            "rules": rows,
            "notes": notes,
            "policy": policy.to_dict(),
        },
    )


VOID = (
    "members can be told from non-members without the model, so that its limits can neither be "
    "met nor missed: draw both from one distribution"
)


def _together(rows, void, name):
    """Return (outcome, message) of all rules."""
    failed = [row for row in rows if row["counts_as"] == "fail"]
    waived = [row for row in rows if row["outcome"] == "waived"]
    skipped = [row for row in rows if row["outcome"] == "not judged"]
    called, n = f"policy {shown_name(name, 60)}", len(rows)
    if void:
        return "void", f"VOID: {VOID} ({called})."
    if failed:
        return "fail", f"FAIL: {called}: not met: {_names(failed)} ({len(failed)} of {n})."
    unsure = f"; not judged and taken as met: {_names(skipped)}" if skipped else ""
    if waived:
        return "waived", f"WAIVED: {called}: passes, as {_names(waived)} may fail for now{unsure}."
    return "pass", f"PASS: {called}: every rule is met, {n} of {n}{unsure}."


def _names(rows, most=5):
    names = [row_name(row) for row in rows]
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def _waive(rows, policy, today):
    """Return (rows, notes) in which waivers that have not ended cover what fails."""
    found, notes = [], []
    used = set()
    for row in rows:
        covering = [(i, w) for i, w in enumerate(policy.waivers) if w.covers(row)]
        used |= {i for i, _ in covering}
        valid = [w for _, w in covering if w.until >= today]
        if row["counts_as"] == "fail" and valid:
            last = max(valid, key=lambda waiver: waiver.until)
            by = f", by {last.by}" if last.by else ""
            said = f"waived until {last.until}{by}: {last.reason} ({row['reason']})"
            row = {**row, "outcome": "waived", "counts_as": "pass", "reason": said}
        elif row["counts_as"] == "fail" and covering:
            ended = max(w.until for _, w in covering)
            row = {**row, "reason": f"{row['reason']}; its waiver ended on {ended}"}
        elif covering:
            notes.append(f"The waiver of {row_name(row)} is not needed: the rule is met.")
        found.append(row)
    notes += [
        f"The waiver of {w.rule} {shown_name(w.where or '', 60)} covers nothing in this report."
        for i, w in enumerate(policy.waivers) if i not in used
    ]  # fmt: skip
    return found, notes


def _rules(report: AuditReport, policy: Policy) -> Iterator[Row]:
    for name, limit in policy.limits.items():
        yield _limited(name, report._what, limit, figure(report, name, limit.limit), policy)
    for name, limit in policy.slices.items():
        for where, found in parts(report, name, limit):
            yield _limited("slice", where, limit, found, policy)
    for name, least in policy.records.items():
        n = report._sizes[name == "non_members"]
        yield _least(name, report._what, least, n, policy)
    yield from _required(report, policy)
    for name, limit in policy.structure.items():
        yield _structure(report, name, limit, policy)
    if policy.inconclusive == "fail":
        decided = report.leakage != "inconclusive"
        said = f"the verdict is {report.leakage!r}"
        yield _row("verdict", "report", "pass" if decided else "fail", said)


def _row(rule, where, outcome, reason, counts_as=None, **more):
    empty = dict.fromkeys(("limit", "mode", "value", "low", "high", "attack"))
    counts_as = outcome if counts_as is None else counts_as
    return {"rule": rule, "where": where, **empty, **more, "outcome": outcome,
            "counts_as": counts_as, "reason": reason}  # fmt: skip


def _limited(rule, where, limit: Limit, figure: Figure, policy):
    """Return the outcome of an upper limit on a figure with bounds."""
    low, high, most = figure.low, figure.high, limit.limit
    given = {"limit": most, "mode": limit.mode, "value": figure.value, "low": low, "high": high,
             "attack": figure.attack}  # fmt: skip
    decides = low if limit.mode == "exceeds" else high
    if figure.lacks is not None or decides is None:
        said = figure.lacks or "the report has no bound on it"
        return _row(rule, where, "not judged", said, policy.not_judged, **given)
    what, above = FIGURES[rule], f"above {shown_value(rule, most)}"
    if low is not None and low > most:
        said = f"{what} is at least {shown_value(rule, low)}, {above}"
        return _row(rule, where, "fail", said, **given)
    if high is not None and high <= most:
        said = f"{what} is at most {shown_value(rule, high)}: {above} is excluded"
        return _row(rule, where, "pass", said, **given)
    no_bound = "its upper bound is not known"
    up_to = no_bound if high is None else f"up to {shown_value(rule, high)} is not excluded"
    if limit.mode == "excluded":
        return _row(rule, where, "fail", f"{what} may be {above}: {up_to}", **given)
    return _row(rule, where, "pass", f"{what} is not shown to be {above}: {up_to}", **given)


def _least(rule, where, least, value, policy, unknown="it is not known"):
    """Return the outcome of a lower limit on a count."""
    given = {"limit": least, "value": value}
    if value is None:
        return _row(rule, where, "not judged", unknown, policy.not_judged, **given)
    said = f"{value:,} {FIGURES[rule]}; it takes {least:,}"
    return _row(rule, where, "pass" if value >= least else "fail", said, **given)


def _structure(report, rule, limit, policy):
    held = report.checks.get("structure", {"not_run": "the report holds no such check"})
    if "not_run" in held:
        said = f"the model was not looked into: {shown_name(held['not_run'], 300)}"
        return _row(rule, "model", "not judged", said, policy.not_judged, limit=limit)
    if rule == "stored_records":
        n = max(held["stored"].values(), default=0)
        said = f"{n:,} {FIGURES[rule]}; at most {limit:,} may be"
        return _row(rule, "model", "pass" if n <= limit else "fail", said, limit=limit, value=n)
    if rule == "smallest_leaf" and held["smallest_leaf"] is None:
        said = "no trees were found, whose leaves could hold few records"
        return _row(rule, "model", "pass", said, limit=limit)
    unknown = "the number of fitted parameters is not known"
    return _least(rule, "model", limit, held[rule], policy, unknown)


def _required(report, policy):
    """Yield the outcome of each attack, kind of attack and check that the policy requires."""
    ran = {as_text(row["attack"]): row for row in report.ran}
    reasons = {as_text(row["attack"]): as_text(row["not_run"]) for row in report.not_run}
    for name in policy.require.get("attacks", ()):
        said = "it was run" if name in ran else f"it was not run: {reasons.get(name, 'not tried')}"
        yield _row("attack", name, "pass" if name in ran else "fail", said)
    for kind in policy.require.get("kinds", ()):
        names = [name for name, row in ran.items() if row[kind]]
        said = f"{len(names)} attack(s) of this kind were run"
        yield _row("kind", kind, "pass" if names else "fail", said)
    for check in policy.require.get("checks", ()):
        passed, said = _check(report, check)
        if passed is None:
            yield _row("check", check, "not judged", said, policy.not_judged)
        else:
            yield _row("check", check, "pass" if passed else "fail", said)
    if policy.require.get("persons"):
        judged = report.n_persons is not None
        said = "persons are judged" if judged else "records are judged, not persons (groups=)"
        yield _row("persons", "report", "pass" if judged else "fail", said)


def _check(report, name):
    """Return (whether it passed, None if it was not run; what was found)."""
    if name == "fitted_on":
        if not report.defended:
            return True, "the target is no defense that was fitted on members"
        n, of = report.n_fitted_on, report.n_members
        if n is None:
            return None, "it is not known which members the defense was fitted on (fitted_on=)"
        return n >= FITTED * of, f"the defense was fitted on {n:,} of {of:,} audited members"
    held = report.checks.get(name, {"not_run": "the report holds no such check"})
    if "not_run" in held:
        return None, f"it was not run: {held['not_run']}"
    if name == "blind":
        figures = f"AUC {held['auc']:.3f}, p = {held['p_value']:.2g}"
        return not held["differs"], f"members against non-members without the target: {figures}"
    if name == "near_duplicates":
        few = held["near"] <= FEW * held["n"]
        return few, f"{held['near']:,} of {held['n']:,} non-members are nearly equal to a member"
    return True, "the model was looked into"
