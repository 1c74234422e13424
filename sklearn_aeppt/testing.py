"""An audit as an assertion, for the tests of a model, and as a check of skore's reports."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Mapping
from os import PathLike
from typing import Any

import numpy as np
from joblib import Memory
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator

from sklearn_aeppt.audit import AuditReport, Policy, audit, compare_reports, load_policy
from sklearn_aeppt.audit._gate import BAD_INPUT
from sklearn_aeppt.audit._outcome import row_line

__all__ = ["SkorePrivacyCheck", "WaivedWarning", "assert_private"]


class WaivedWarning(UserWarning):
    """An audit passes only because rules of its policy are waived.

    See Also
    --------
    assert_private : Warns so.
    """


def assert_private(
    model: Any,
    X_mem: Any,
    y_mem: ArrayLike,
    X_non: Any,
    y_non: ArrayLike,
    *,
    policy: Policy | Mapping[str, Any] | str | PathLike[str] = "default",
    attacks: str | Iterable[BaseEstimator] | dict[Any, BaseEstimator] = "standard",
    groups: tuple[ArrayLike, ArrayLike] | None = None,
    slices: Mapping[Any, tuple[ArrayLike, ArrayLike]] | None = None,
    n_jobs: int | None = None,
    memory: str | Memory | None = None,
    random_state: int | np.random.RandomState | None = 0,
    classes: ArrayLike | None = None,
    fit_params: Mapping[str, Any] | None = None,
    record_params: Mapping[str, tuple[ArrayLike, ArrayLike]] | None = None,
    fitted_on: Any = None,
    baseline: str | PathLike[str] | None = None,
    record_property: Callable[[str, str], None] | None = None,
) -> AuditReport:
    """Audit a model and assert that it meets a policy.

    It needs no pytest, and works in any test: what is not met is an `AssertionError` that says
    which rules, by which figures.

    Parameters
    ----------
    model : fitted classifier or function
        The target, as `sklearn_aeppt.audit.audit` takes one.
    X_mem : records
        Records that trained the model.
    y_mem : array-like of shape (n_members,)
        Class labels of the members.
    X_non : records
        Records that the model has never seen, from the same distribution.
    y_non : array-like of shape (n_non_members,)
        Class labels of the non-members.
    policy : {"default", "strict", "sacro", "aisvs"}, path-like, dict or Policy, default="default"
        What the audit may find, see `sklearn_aeppt.audit.load_policy`.
    attacks : {"quick", "standard", "full"}, list or dict of attacks, default="standard"
        What the model is attacked with.
    groups : tuple of two array-likes or None, default=None
        The person of each record; then persons are judged.
    slices : dict or None, default=None
        Groups of records to report on by themselves, as rules on slices need.
    n_jobs : int or None, default=None
        Attacks run at once.
    memory : str, joblib.Memory or None, default=None
        Cache of finished attacks.
    random_state : int, RandomState instance or None, default=0
        A fixed seed, so that a test gives the same answer each time.
    classes : array-like of shape (K,), default=None
        For a function as target: the class labels of its columns.
    fit_params : dict or None, default=None
        What the model's ``fit`` was given besides records and labels.
    record_params : dict or None, default=None
        The same for what has one value for each record.
    fitted_on : records, default=None
        The records that ``fit`` of a defense was given as members.
    baseline : path-like or None, default=None
        File of an earlier report (``report.to_json(path)``) on the same records with the same
        attacks, than which this one must not be worse, beyond what chance explains.
    record_property : callable, default=None
        Called with a name and a text for the outcome ("pass", "waived", "fail", "bad input" or
        "internal error") and for each rule: pytest's fixture of this name writes them to its JUnit
        XML.

    Returns
    -------
    report : AuditReport
        What the audit found; its ``policy`` is the outcome.

    Raises
    ------
    AssertionError
        If a rule is not met and not waived, or the report is worse than the baseline.
    ValueError
        If the records, the policy or another argument are not valid, the baseline cannot be
        compared, or members can be told from non-members without the model, so that no rule can be
        met or missed.
    TypeError
        If several models are given, or one that is no classifier.

    Warns
    -----
    WaivedWarning
        If the policy is met only because rules are waived.

    See Also
    --------
    sklearn_aeppt.audit.audit : The audit, which describes the arguments in full.
    sklearn_aeppt.audit.apply_policy : The outcome without the assertion.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.ensemble import RandomForestClassifier
    >>> from sklearn_aeppt.testing import assert_private
    >>> X, y = load_digits(return_X_y=True)
    >>> model = RandomForestClassifier(max_depth=3, random_state=0).fit(X[::2], y[::2])
    >>> report = assert_private(model, X[::2], y[::2], X[1::2], y[1::2], attacks="quick")
    >>> report.policy["outcome"]
    'pass'
    """
    if isinstance(model, dict):
        raise TypeError("model is a dict: assert one model at a time.")
    record = record_property or _nowhere
    try:
        report = audit(
            model, X_mem, y_mem, X_non, y_non, attacks, n_jobs, random_state,
            policy=load_policy(policy), groups=groups, slices=slices, memory=memory,
            classes=classes, fit_params=fit_params, record_params=record_params,
            fitted_on=fitted_on,
        )  # fmt: skip
    except Exception as error:
        record("privacy", "bad input" if isinstance(error, BAD_INPUT) else "internal error")
        raise
    _record(record, report.policy)
    _check(report)
    if baseline is not None:
        _check_baseline(report, baseline, record)
    return report


class SkorePrivacyCheck:
    """A check of skore's ``EstimatorReport``: whether its model meets a policy.

    The report's training records are the members and its test records the non-members. skore's
    `checks.add` takes any class with these attributes, so that this one needs no skore.

    Parameters
    ----------
    policy : {"default", "strict", "sacro", "aisvs"}, path-like, dict or Policy, default="default"
        What the audit may find, see `sklearn_aeppt.audit.load_policy`.
    attacks : {"quick", "standard", "full"}, list or dict of attacks, default="standard"
        What the model is attacked with.
    random_state : int, RandomState instance or None, default=0
        A fixed seed, so that a report says the same each time.

    Attributes
    ----------
    audit_ : AuditReport
        What the audit of the last report found.

    See Also
    --------
    assert_private : The same for tests.

    Examples
    --------
    ``report.checks.add([SkorePrivacyCheck()])``, then ``report.checks.summarize()``.
    """

    code = "AEPPT001"
    title = "Membership inference"
    report_types = ["estimator"]
    docs_url = None
    severity = "issue"
    slow = True

    def __init__(
        self,
        policy: Policy | Mapping[str, Any] | str | PathLike[str] = "default",
        attacks: str | Iterable[BaseEstimator] | dict[Any, BaseEstimator] = "standard",
        *,
        random_state: int | np.random.RandomState | None = 0,
    ):
        self.policy, self.attacks, self.random_state = load_policy(policy), attacks, random_state

    def check_function(self, report: Any) -> str | None:
        """Audit the model of a report.

        Parameters
        ----------
        report : skore.EstimatorReport
            With training and test records.

        Returns
        -------
        explanation : str or None
            What is not met; None if the policy is met. With waivers, nothing is flagged.
        """
        X_mem, y_mem, X_non, y_non = report.X_train, report.y_train, report.X_test, report.y_test
        if any(side is None for side in (X_mem, y_mem, X_non, y_non)):
            from skore import CheckNotApplicable  # who has such a report has skore

            raise CheckNotApplicable("An audit takes training and test records with labels.")
        self.audit_ = audit(
            report.estimator_, X_mem, y_mem, X_non, y_non, self.attacks,
            random_state=self.random_state, policy=self.policy,
        )  # fmt: skip
        policy = self.audit_.policy
        if policy["outcome"] in ("pass", "waived"):
            return None
        failed = [row for row in policy["rules"] if row["outcome"] == "fail"]
        return " ".join([policy["message"], *(f"{row['reason']}." for row in failed)])


def _nowhere(name, value):
    """Record a property where nobody asked for it."""


def _check_baseline(report, baseline, record):
    """Raise if a report is worse than an earlier one, of which the file is given."""
    change = compare_reports(AuditReport.from_json(baseline), report)
    record("privacy against the baseline", change.verdict)
    if change.worse:
        raise AssertionError(change.verdict)


def _record(record, policy):
    record("privacy", "bad input" if policy["outcome"] == "void" else policy["outcome"])
    for row in policy["rules"]:
        record("privacy rule", row_line(row))


def _check(report):
    """Raise, warn or do nothing, as the outcome is."""
    policy, message = report.policy, report.policy["message"]
    if policy["outcome"] == "void":
        raise ValueError(message)
    if policy["outcome"] == "fail":
        failed = [row_line(row) for row in policy["rules"] if row["counts_as"] == "fail"]
        todo = [f"- {sentence}" for sentence in report.advice]
        raise AssertionError("\n".join([message, *failed, report.verdict, *todo]))
    if policy["outcome"] == "waived":
        waived = [row_line(row) for row in policy["rules"] if row["outcome"] == "waived"]
        warnings.warn("\n".join([message, *waived]), WaivedWarning, stacklevel=3)
