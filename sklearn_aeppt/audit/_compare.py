"""What got worse between two reports, beyond what chance explains."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np
from sklearn.utils._param_validation import Interval, validate_params

from sklearn_aeppt._text import as_text, shown_name, to_json
from sklearn_aeppt.audit._paired import difference, right_in_bundles, simultaneous
from sklearn_aeppt.audit._report import AuditReport

COMPARED = "sklearn-aeppt report comparison"
#: Rates that are told and not judged: too few records decide where their thresholds are.
TOLD = {"tpr_at_0.01_fpr": "TPR at 1 % FPR", "tpr_at_0.001_fpr": "TPR at 0.1 % FPR"}


@dataclass
class ReportChange:
    """What changed from one report to a later one; made by `compare_reports`.

    Parameters
    ----------
    old : str
        Name of the target of the earlier report.
    new : str
        That of the later one.
    rows : list of dict
        One for each attack and measure: ``attack``, ``measure`` ("accuracy", "above labels", "AUC"
        or a rate), ``old`` and ``new``, their ``difference``, ``low`` and ``high`` (bounds on it
        that hold for all rows together; None where none are computed), and ``outcome``: "worse",
        "better", "no change shown", or "not judged".
    notes : list of str
        What could not be compared, and why.
    confidence : float in (0, 1)
        With which nothing is called worse that is not.
    same_records : bool
        Whether records were paired.

    Attributes
    ----------
    worse : list of dict
        The rows that got worse.
    better : list of dict
        The rows that got better.
    verdict : str
        One paragraph in plain words.

    See Also
    --------
    compare_reports : Makes it.

    Examples
    --------
    >>> from sklearn_aeppt.audit import ReportChange
    >>> ReportChange("a", "b", [], [], 0.95, True).verdict
    'Nothing got worse that 0 comparisons show, at 95 % confidence for all together.'
    """

    old: str
    new: str
    rows: list[dict[str, Any]]
    notes: list[str]
    confidence: float
    same_records: bool

    @property
    def worse(self) -> list[dict[str, Any]]:
        """The rows that got worse, the greatest difference first."""
        return self._with("worse")

    @property
    def better(self) -> list[dict[str, Any]]:
        """The rows that got better."""
        return self._with("better")

    def _with(self, outcome):
        rows = [row for row in self.rows if row["outcome"] == outcome]
        return sorted(rows, key=lambda row: -abs(row["difference"]))

    @property
    def verdict(self) -> str:
        """One paragraph in plain words."""
        judged = sum(row["outcome"] != "not judged" for row in self.rows)
        at = f"at {100 * self.confidence:g} % confidence for all together"
        if not self.worse:
            text = f"Nothing got worse that {judged:,} comparisons show, {at}."
        else:
            first = self.worse[0]
            least = "" if first["low"] is None else f", at least {_shown(first, 'low')}"
            text = (
                f"WORSE: {len(self.worse)} of {judged:,} comparisons, {at}; most of all "
                f"{first['measure']} of {shown_name(first['attack'], 60)}: {_shown(first, 'old')} "
                f"to {_shown(first, 'new')} ({_shown(first, 'difference')}{least})."
            )
        if self.better:
            text += f" Better: {len(self.better)}."
        return " ".join([text, *self.notes])

    def __str__(self) -> str:
        """Return the verdict and a table as text."""
        lines = [self.verdict, "", f"{'attack':42}{'measure':20}{'old':>9}{'new':>9}{'change':>9}"]
        lines[-1] += f"{'bounds':>20}  outcome"
        for row in self.rows:
            lines.append(
                f"{shown_name(row['attack'], 40):42}{row['measure']:20}{_shown(row, 'old'):>9}"
                f"{_shown(row, 'new'):>9}{_shown(row, 'difference'):>9}{_bounds(row):>20}"
                f"  {row['outcome']}"
            )
        return "\n".join(lines)

    def to_markdown(self) -> str:
        """Return the verdict and a table as Markdown.

        Returns
        -------
        text : str
            For the summary of a pipeline's job or a pull request.
        """
        from sklearn_aeppt.audit._markdown import cell, markdown_table

        rows = [
            [cell(row["attack"]), row["measure"], _shown(row, "old"), _shown(row, "new"),
             _shown(row, "difference"), _bounds(row), row["outcome"]]
            for row in self.rows
        ]  # fmt: skip
        head = ["attack", "measure", "old", "new", "change", "bounds", "outcome"]
        return f"{cell(self.verdict)}\n\n{markdown_table(head, rows)}"

    def to_json(self) -> str:
        """Return what changed as JSON text.

        Returns
        -------
        text : str
            The fields, ``verdict``, and ``worse``, whether anything is.
        """
        said = {"verdict": self.verdict, "worse": bool(self.worse)}
        return to_json({"schema": COMPARED, "schema_version": "1.0", **vars(self), **said})


def _shown(row, key):
    """Return a figure of a row in its unit: per cent, points, or as it is."""
    value = row[key]
    if value is None:
        return ""
    plain = row["measure"] == "AUC"
    if key in ("old", "new") and row["measure"] != "above labels":
        return f"{value:.3f}" if plain else f"{value:.1%}"
    return f"{value:+.3f}" if plain else f"{100 * value:+.1f}"


def _bounds(row):
    return "" if row["low"] is None else f"{_shown(row, 'low')} to {_shown(row, 'high')}"


@validate_params(
    {
        "old": [AuditReport],
        "new": [AuditReport],
        "confidence": [Interval(Real, 0, 1, closed="neither")],
        "same_records": ["boolean"],
    },
    prefer_skip_nested_validation=True,
)
def compare_reports(
    old: AuditReport, new: AuditReport, *, confidence: float = 0.99, same_records: bool = True
) -> ReportChange:
    """Find what got worse since an earlier report, beyond what chance explains.

    For the label-only attack and every adaptive attack that ran in both, the accuracy and what it
    has above labels are compared. Two audits of the same records err alike: what is hard about a
    record is hard for both. The reports hold how often each attack is right in bundles of ten
    records or more, so that the difference is judged bundle by bundle, and far more precisely than
    two intervals side by side would allow. The bounds hold for all of these differences together.

    The AUC counts as worse where the two reports' own intervals (95 %) do not touch. TPR at a low
    FPR is told and not judged.

    Parameters
    ----------
    old : AuditReport
        The earlier report.
    new : AuditReport
        The later one.
    confidence : float in (0, 1), default=0.99
        With which no accuracy is called worse that is not, for all of them together. The bounds
        speak of these two models; another training seed alone moves them a little, which the
        default leaves room for. Audit with the same ``random_state``: other halves add to that.
    same_records : bool, default=True
        Whether both must be about the same members and the same non-members; then they are paired.
        False compares reports on different samples of one population, with less power.

    Returns
    -------
    change : ReportChange
        Every comparison with its outcome.

    Raises
    ------
    ValueError
        If the reports are about different records (or persons), if attacks of one name differ in
        their parameters, if the later report lacks attacks of the earlier one, or if a report has
        no bundles.

    See Also
    --------
    AuditReport.from_json : Reads a report from its file.

    References
    ----------
    Hothorn, Bretz, Westfall (2008), "Simultaneous inference in general parametric models".

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.ensemble import RandomForestClassifier
    >>> from sklearn_aeppt.attacks import ThresholdAttack
    >>> from sklearn_aeppt.audit import audit, compare_reports
    >>> X, y = load_digits(return_X_y=True)
    >>> reports = []
    >>> for leaf in (20, 1):
    ...     forest = RandomForestClassifier(min_samples_leaf=leaf, random_state=0)
    ...     sides = X[::2], y[::2], X[1::2], y[1::2]
    ...     target = forest.fit(*sides[:2])
    ...     reports.append(audit(target, *sides, [ThresholdAttack()], random_state=0))
    >>> [row["measure"] for row in compare_reports(*reports).worse]
    ['AUC', 'above labels', 'accuracy']
    """
    notes = _check_records(old, new, same_records)
    names, more = _common(old, new)
    grown, covariance, freedom = difference(
        right_in_bundles(old, names), right_in_bundles(new, names), same_records
    )
    error = np.sqrt(np.diag(covariance))
    reach = error * simultaneous(covariance, freedom, confidence)
    bounds = list(zip(grown - reach, grown + reach))
    return ReportChange(
        as_text(old.name), as_text(new.name), _rows(old, new, names, grown, bounds),
        [*notes, *more], confidence, same_records,
    )  # fmt: skip


def _check_records(old, new, same_records):
    """Refuse reports that cannot be compared; return what is to be said of those that can."""
    for which, report in (("old", old), ("new", new)):
        if not report.bundles:
            raise ValueError(
                f"The {which} report has no bundles of records to compare (fewer than 20 on a "
                "side, or records that cannot be hashed): audit more records, or records that can."
            )
    if (old.n_persons is None) != (new.n_persons is None):
        raise ValueError(
            "One report judges persons and the other records: give groups= to both audits, or to "
            "neither."
        )
    if not same_records:
        return ["The reports are about different records and were not paired."]
    for side in ("members", "non_members"):
        hashes = [r.provenance.get("hashes", {}).get(side, {}).get("sha256") for r in (old, new)]
        name = side.replace("_", "-")
        if hashes[0] != hashes[1] or hashes[0] is None:
            raise ValueError(
                f"The reports are about different {name} (SHA-256 {str(hashes[0])[:12]} and "
                f"{str(hashes[1])[:12]}): audit both models on the same records, or compare them "
                "unpaired (same_records=False, --other-records)."
            )
        if sum(old.bundles[side]) != sum(new.bundles[side]):
            raise ValueError(
                f"Of the same {name}, {sum(old.bundles[side]):,} were judged in one report and "
                f"{sum(new.bundles[side]):,} in the other: give both audits the same weights and "
                "groups."
            )
    return []


def _common(old, new):
    """Return the names of the attacks to compare, and what is to be said of the others."""
    known = [{one["attack"]: one for one in report.attackers} for report in (old, new)]
    ran = [{row["attack"] for row in report.ran if row["adaptive"]} for report in (old, new)]
    lacking = sorted(ran[0] - set(known[1]))
    if lacking:
        raise ValueError(
            f"The new report was made without {len(lacking)} attack(s) of the old one "
            f"({', '.join(shown_name(name, 60) for name in lacking[:3])}): run the same attacks."
        )
    for name in ran[0] & set(known[1]):
        first, second = (_identity(one[name]) for one in known)
        if first != second:
            raise ValueError(
                f"The attack {shown_name(name, 60)} is another one in the new report ({first} and "
                f"{second}): run both audits with the same attacks."
            )
    names = [row["attack"] for row in old.ran if row["attack"] in ran[0] & ran[1]]
    if not names:
        raise ValueError("No attack ran in both reports: run the same attacks.")
    notes = []
    for which, others in (("new", ran[0] - ran[1]), ("old", ran[1] - ran[0])):
        if others:
            told = ", ".join(shown_name(name, 60) for name in sorted(others))
            notes.append(f"Not compared, since not run in the {which} report: {told}.")
    return names, notes


def _identity(attacker):
    """Return class and parameters as text, without seeds: another seed is the same attack."""
    return f"{attacker['class']}({_without_seeds(attacker['parameters'])})"


def _without_seeds(value):
    if not isinstance(value, dict):
        return value
    return {
        k: _without_seeds(v) for k, v in value.items() if k not in ("random_state", "estimator")
    }


def _rows(old, new, names, grown, bounds):
    by_name = [{row["attack"]: row for row in report.ran} for report in (old, new)]
    k, rows = len(names), []
    rows.append(_row("labels alone", "accuracy", old.floor, new.floor, grown[0], *bounds[0]))
    for i, name in enumerate(names, start=1):
        before, after = (rows_of[name] for rows_of in by_name)
        for measure, key, place in (("accuracy", "accuracy", i), ("above labels", "excess", i + k)):
            rows.append(_row(name, measure, before[key], after[key], grown[place], *bounds[place]))
        rows.append(_auc_row(name, before, after))
        for key, measure in TOLD.items():
            if before.get(key) is not None and after.get(key) is not None:
                change = after[key] - before[key]
                row = _row(name, measure, before[key], after[key], change, None, None)
                rows.append({**row, "outcome": "not judged"})
    return rows


def _row(attack, measure, before, after, change, low, high):
    low, high = (None if end is None else float(end) for end in (low, high))
    outcome = "no change shown"
    if low is not None and high is not None:
        outcome = "worse" if low > 0 else "better" if high < 0 else outcome
    return {
        "attack": attack, "measure": measure, "old": float(before), "new": float(after),
        "difference": float(change), "low": low, "high": high, "outcome": outcome,
    }  # fmt: skip


def _auc_row(name, before, after):
    row = _row(name, "AUC", before["auc"], after["auc"], after["auc"] - before["auc"], None, None)
    if after["auc_low"] > before["auc_high"]:
        return {**row, "outcome": "worse"}
    return {**row, "outcome": "better" if after["auc_high"] < before["auc_low"] else row["outcome"]}
