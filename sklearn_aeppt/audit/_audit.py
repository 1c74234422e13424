"""The audit itself: ask the target, run every attack, write the report."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping
from functools import partial
from os import PathLike
from time import perf_counter
from typing import Any, overload

import numpy as np
from joblib import Memory
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator
from sklearn.metrics import balanced_accuracy_score, roc_auc_score
from sklearn.utils import _safe_indexing, check_random_state
from sklearn.utils.validation import _num_samples

from sklearn_aeppt._ask import ask_as_attacker, check_ready, check_takes
from sklearn_aeppt._containers import computed, type_name
from sklearn_aeppt._function_target import FunctionTarget, with_classes
from sklearn_aeppt._groups import find_groups
from sklearn_aeppt._members import check_labels, check_two_sets, count_records, find_labels
from sklearn_aeppt._precomputed import takes_confidences
from sklearn_aeppt._records import RecordRows, are_among, join_records, joined_as
from sklearn_aeppt._text import as_text, distinct_names
from sklearn_aeppt.attacks import read_predicted
from sklearn_aeppt.audit._attackers import describe_attackers
from sklearn_aeppt.audit._before import before, inside
from sklearn_aeppt.audit._bundles import make_bundles
from sklearn_aeppt.audit._by_record import join_fit_params, join_groups, join_slices, read_context
from sklearn_aeppt.audit._canaries import canary_risk
from sklearn_aeppt.audit._comparison import AuditComparison
from sklearn_aeppt.audit._control import negative_control
from sklearn_aeppt.audit._curves import curves, drawn
from sklearn_aeppt.audit._excess import confidence_of_each, excess_bounds, strongest_excess_at_least
from sklearn_aeppt.audit._exposed import count_exposed, from_one_run, record_table
from sklearn_aeppt.audit._file import plain_labels
from sklearn_aeppt.audit._hashes import keys_of_units, record_digests
from sklearn_aeppt.audit._intervals import auc_interval, rate_interval
from sklearn_aeppt.audit._judge import apply_policy
from sklearn_aeppt.audit._play import play_all
from sklearn_aeppt.audit._policy import Policy, load_policy
from sklearn_aeppt.audit._provenance import hashes, made, seeds, versions
from sklearn_aeppt.audit._provenance import split as describe_split
from sklearn_aeppt.audit._report import AuditReport
from sklearn_aeppt.audit._shared_models import share_shadow_models
from sklearn_aeppt.audit._suites import (
    Contender,
    contenders,
    result_or_reason,
    shadow_template,
    try_template,
)
from sklearn_aeppt.audit._units import Records, split_units
from sklearn_aeppt.audit._utility import utility
from sklearn_aeppt.audit._views import Views
from sklearn_aeppt.defenses._base import OutputDefense
from sklearn_aeppt.metrics import (
    balanced_accuracy_interval,
    label_only_floor,
    per_class_report,
    perturbation_size,
    tnr_at_fnr,
    tpr_at_fpr,
)

CONFIDENCE = 0.95
ALIKE = "It takes either of them alone: give both sides the same types of columns."


@overload
def audit(
    target: dict[Any, Any],
    X_mem: Any,
    y_mem: ArrayLike,
    X_non: Any,
    y_non: ArrayLike,
    attacks: str | Iterable[BaseEstimator] | dict[Any, BaseEstimator] = "standard",
    n_jobs: int | None = None,
    random_state: int | np.random.RandomState | None = None,
    *,
    name: object = None,
    groups: tuple[ArrayLike, ArrayLike] | None = None,
    slices: Mapping[Any, tuple[ArrayLike, ArrayLike]] | None = None,
    policy: Policy | Mapping[str, Any] | str | PathLike[str] | None = None,
    memory: str | Memory | None = None,
    verbose: int = 0,
    classes: ArrayLike | None = None,
    fit_params: Mapping[str, Any] | None = None,
    record_params: Mapping[str, tuple[ArrayLike, ArrayLike]] | None = None,
    fitted_on: Any = None,
    context: Mapping[str, Any] | None = None,
) -> AuditComparison: ...


@overload
def audit(
    target: Any,
    X_mem: Any,
    y_mem: ArrayLike,
    X_non: Any,
    y_non: ArrayLike,
    attacks: str | Iterable[BaseEstimator] | dict[Any, BaseEstimator] = "standard",
    n_jobs: int | None = None,
    random_state: int | np.random.RandomState | None = None,
    *,
    name: object = None,
    groups: tuple[ArrayLike, ArrayLike] | None = None,
    slices: Mapping[Any, tuple[ArrayLike, ArrayLike]] | None = None,
    policy: Policy | Mapping[str, Any] | str | PathLike[str] | None = None,
    memory: str | Memory | None = None,
    verbose: int = 0,
    classes: ArrayLike | None = None,
    fit_params: Mapping[str, Any] | None = None,
    record_params: Mapping[str, tuple[ArrayLike, ArrayLike]] | None = None,
    fitted_on: Any = None,
    context: Mapping[str, Any] | None = None,
) -> AuditReport: ...


def audit(
    target: Any,
    X_mem: Any,
    y_mem: ArrayLike,
    X_non: Any,
    y_non: ArrayLike,
    attacks: str | Iterable[BaseEstimator] | dict[Any, BaseEstimator] = "standard",
    n_jobs: int | None = None,
    random_state: int | np.random.RandomState | None = None,
    *,
    name: object = None,
    groups: tuple[ArrayLike, ArrayLike] | None = None,
    slices: Mapping[Any, tuple[ArrayLike, ArrayLike]] | None = None,
    policy: Policy | Mapping[str, Any] | str | PathLike[str] | None = None,
    memory: str | Memory | None = None,
    verbose: int = 0,
    classes: ArrayLike | None = None,
    fit_params: Mapping[str, Any] | None = None,
    record_params: Mapping[str, tuple[ArrayLike, ArrayLike]] | None = None,
    fitted_on: Any = None,
    context: Mapping[str, Any] | None = None,
) -> AuditReport | AuditComparison:
    r"""Run all available attacks on a fitted classifier and report what they achieve.

    The records are split into two halves, each with its share of the members. The adversary knows
    the membership of one half, trains each attack on what the target shows of it, and is scored on
    the other half; then the halves change places, so that every record is scored once, by an
    attack that was not told whether it is a member.

    Parameters
    ----------
    target : fitted classifier, function, or dict of them
        Anything with ``predict_proba`` and ``classes_``, defended or not, or a function of the
        records that returns confidences, with `classes`; without ``predict`` it
        decides by the argmax, and what has no ``fit``, such as the address of a service, need not
        be a scikit-learn estimator. Several, by name, are audited on the same records; the first
        is what the others' perturbation is measured from. A name is any text or object, shown as
        its text; what a terminal, a file or a picture cannot hold of it stands there as an escape
        such as ``\x00``.
    X_mem : records
        Records that trained the target: whatever it takes, such as an array, a data frame, a
        sparse matrix or a list. At least 4.
    y_mem : array-like of shape (n_members,)
        Class labels of the members.
    X_non : records
        Records that the target has never seen, from the same distribution as the members. At
        least 4.
    y_non : array-like of shape (n_non_members,)
        Class labels of the non-members.
    attacks : {"quick", "standard", "full"}, list or dict of attacks, default="standard"
        "quick": a few seconds; "standard": all attacks on outputs, adaptive ones included;
        "full": also quantile regression, and LiRA, RMIA, shadow models and mislabeled canaries,
        which train models of the target's kind (with its defense), for each half of the records
        anew. Your own attacks are given
        as a list or by name, unfitted; what they state that they need (`ScoreAttack`) is prepared
        as for a suite: repeated queries, variants of the records, the target's kind of model for
        ``LiRAAttack()`` and the like, a seed where they have none. An attack that cannot be run
        is a result with the reason, ``not_run``.
    n_jobs : int or None, default=None
        Attacks run at once, through joblib and whatever backend it is set to. The figures do not
        depend on it.
    random_state : int, RandomState instance or None, default=None
        Controls how the records are split into halves, the variants of records, the canaries, and
        every attack without a seed of its own. Pass an int for reproducible figures.
    name : object, default=None
        Name of the target in the report; None takes its class. Several targets have the names by
        which they are given.
    groups : tuple of two array-likes or None, default=None
        The person of each record: (persons of the members, persons of the non-members), any labels.
        Then persons are judged, not records: all records of one person together, by the maximum,
        the mean or the log-sum-exp of their scores, whichever tells more of the persons of the
        other half; and no person's records are split between the halves. A person of whom any
        record trained the target is a member: records of theirs on the other side are left out.
        Accuracy, floor, AUC, rates and accusations are then shares of persons. Attacks that train
        shadow models still draw these models' records one by one.
    slices : dict or None, default=None
        Groups of records to report on by themselves: name -> (values of the members, values of
        the non-members), such as ``{"region": (region_mem, region_non)}``. A report has the
        slices "class" and "answer" of its own.
    policy : str, path-like, dict, Policy or None, default=None
        What the report may hold, see `load_policy`: the name of a preset ("default", "strict",
        "sacro", "aisvs"), a YAML or JSON file, or its parameters. The outcome is the report's
        ``policy``; a rule that fails is no error here.
    memory : str, joblib.Memory or None, default=None
        Cache of finished attacks: an audit that was interrupted resumes where it stopped. Readable
        by its owner only; an attack whose code has changed is run again. Joblib loads pickles from
        it: keep it where nobody else writes.
    verbose : int, default=0
        Above 0 shows a progress bar.
    classes : array-like of shape (K,), default=None
        For a function as target: the class labels of its columns. Classifiers have their own.
    fit_params : dict or None, default=None
        What the target's ``fit`` was given besides records and labels, the same for every model:
        ``{"eval_set": [(X_val, y_val)]}``, callbacks and the like. Attacks that train models of
        the target's kind give each a copy.
    record_params : dict or None, default=None
        The same for what has one value for each record: name -> (values of the members, values of
        the non-members), such as ``{"sample_weight": (weight_mem, weight_non)}``. The weight of a
        non-member is the one that it would have had. Models get the values of the records that
        train them. Members of weight zero trained nothing; they are left out.
    fitted_on : records, default=None
        The records that ``fit`` of the defense was given as members. The report then says how many
        of the audited members are among them; None leaves that unchecked. A fitted defense does
        not know: what remembers its members would tell them. Of several targets, it is for those
        that are output defenses.
    context : dict or None, default=None
        What the report cannot know and its readers will ask: who audited what, when, and for what
        release, as in ``{"auditor": "A. Person", "release": "2026.1", "purpose": "..."}``. Any
        names; values are kept as text.

    Returns
    -------
    report : AuditReport, or AuditComparison for several targets
        The figures of every attack, the verdict, and what to do next.

    Raises
    ------
    ValueError
        If sides are empty, differ in columns, or hold labels that the target does not know; if
        the target's confidences are not probability vectors, one column for each class; if several
        targets differ in their classes; if no attack can be run; if `groups`, `slices` or
        `record_params` do not hold one value for each record of either side, or `groups` fewer
        than 4 persons of a side; if `policy` is not valid; if `context` is not a dict; if
        `fitted_on` has other columns, or is given with confidences in the place of records.
    TypeError
        If the target has no ``predict_proba``, or has its own classes and is given `classes`.

    Warns
    -----
    UserWarning
        If records or persons stand on both sides; they are left out of the non-members. If members
        have weight zero; they are left out. If the target refuses some variants of the records; it
        is not asked about those.

    See Also
    --------
    AuditReport : What is returned for one target.
    AuditComparison : What is returned for several.
    apply_policy : Judges a report that exists by a policy.
    sklearn_aeppt.attacks.ScoreAttack : What an attack states that it needs.
    sklearn_aeppt.metrics.label_only_floor : The accuracy that every attack is compared with.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.ensemble import RandomForestClassifier
    >>> from sklearn_aeppt.audit import audit
    >>> X, y = load_digits(return_X_y=True)
    >>> forest = RandomForestClassifier(random_state=0).fit(X[::2], y[::2])
    >>> report = audit(forest, X[::2], y[::2], X[1::2], y[1::2], "quick", random_state=0)
    >>> report.leakage
    'confidences'
    """
    policy = None if policy is None else load_policy(policy)  # before the work
    target = with_classes(target, classes)
    if isinstance(target, dict):
        return _compare(target, X_mem, y_mem, X_non, y_non, attacks, n_jobs, random_state,
                        fitted_on, groups=groups, slices=slices, memory=memory, verbose=verbose,
                        fit_params=fit_params, record_params=record_params,
                        policy=policy, context=context)  # fmt: skip
    began, said_of_it = perf_counter(), read_context(context)
    check_ready(target)
    check_jobs(n_jobs)
    check_random_state(random_state)
    # equal confidences are no equal records
    equal_count = not takes_confidences(target)
    sizes = count_records(X_mem, "X_mem"), count_records(X_non, "X_non")
    _ask_first([target], X_mem, X_non)
    parts, persons = join_slices(slices, sizes), join_groups(groups, sizes)
    params = join_fit_params(fit_params, record_params, sizes)
    trained = params.train(sum(sizes))[: sizes[0]]
    digests = result_or_reason(partial(_digests, (X_mem, y_mem), (X_non, y_non)))
    X, y, is_member, kept = _join(X_mem, y_mem, X_non, y_non, equal_count, trained, persons)
    params = params.of(kept)
    n_fitted_on = (
        None if fitted_on is None else _count_fitted(X_mem, fitted_on, equal_count, trained)
    )
    rng = check_random_state(random_state)
    split, ask, seed = (int(rng.randint(2**31 - 1)) for _ in range(3))
    found = contenders(attacks, seed, target=target, X=X)
    template = failure = None
    if attacks == "full" or any(contender.traits.lacks_estimator for contender in found):
        # some models cannot be cloned (CatBoost with a list among its parameters)
        template = result_or_reason(partial(shadow_template, target))
        if isinstance(template, str):
            template, failure = None, template
    defended = isinstance(target, OutputDefense)
    views = Views(target, target.estimator_ if defended else None, X, y, found, ask,
                  params.by_record)  # fmt: skip
    label = _shown(views, X_mem, X_non)["label"]
    kept_persons = None if persons is None else persons[kept]
    halves, units = split_units(is_member, kept_persons, split)
    checks = before(X, y, units, seed, have_records=equal_count)
    if equal_count:
        checks["structure"] = inside(target, X, is_member)
    if template is not None:
        failure = try_template(template, X, y, is_member, params)
    ready = _make_ready(found, views, template, failure, params.constant)
    ready = share_shadow_models(
        ready, X, y, params, asks_labels="predicted" in views.shown,
        n_jobs=n_jobs, memory=memory, verbose=verbose,
    )  # fmt: skip
    _check_any(ready, found)
    done = play_all(ready, views, is_member, halves, units, memory, n_jobs, verbose)
    ready, done = _without_failed(ready, done)

    predicted = read_predicted(views.shown, views.shown["proba"])
    right, truth = predicted == label, units.is_member
    floor, labels_say = _by_labels(label, predicted, is_member, halves, units)
    each = confidence_of_each(truth, [said for said, _ in done], labels_say, CONFIDENCE)
    rows = [
        _row(contender, truth, said, score, floor, defended)
        | dict(zip(("excess_low", "excess_high"), excess_bounds(truth, said, labels_say, each)))
        for contender, (said, score) in zip(ready, done)
    ]
    judged = [i for i, row in enumerate(rows) if row["adaptive"]] or list(range(len(rows)))
    best, strongest = _strongest(rows, judged, truth, done)
    said, score = (values[units.of] for values in done[best])
    members = np.flatnonzero(is_member)
    at_risk = members[np.argsort(-score[members], kind="stable")[:20]]
    canaries = None
    if attacks == "full" and template is not None and failure is None:
        canaries = result_or_reason(partial(canary_risk, template, X, y, is_member, params, seed))
        if isinstance(canaries, str):
            found.append(Contender("mislabeled canaries", not_run=canaries))
            canaries = None
    parts = dict(zip(distinct_names(parts), (values[kept] for values in parts.values())))
    parts = {"class": y, "answer": np.where(right, "right", "wrong"), **parts}
    adaptive = [done[i] for i in judged]
    not_run = [{"attack": c.name, "not_run": c.not_run} for c in found if c.not_run]
    records = record_table(X_mem, X_non, kept, units, adaptive, persons)
    report = AuditReport(
        name=as_text(_name_of(target) if name is None else name),
        results=[*rows, *not_run],
        strongest=strongest,
        floor=floor,
        train_accuracy=float(right[is_member].mean()),
        test_accuracy=float(right[~is_member].mean()),
        n_members=int(is_member.sum()),
        n_non_members=int((~is_member).sum()),
        defended=defended,
        slices={key: _slice(v, is_member, said) for key, v in parts.items()},
        canaries=canaries,
        at_risk=kept[at_risk].tolist(),
        n_fitted_on=n_fitted_on,
        excess_at_least=strongest_excess_at_least(
            truth, [said for said, _ in adaptive], labels_say, units.halves, CONFIDENCE
        ),
        n_persons=None if persons is None else units.sizes(),
        checks=checks,
        records=records,
        epsilon=from_one_run(truth, adaptive, units.halves, seed),
        intervals=_intervals(truth, labels_say, right, is_member),
        attackers=describe_attackers(found, defended),
        exposure=count_exposed(records),
        control=_control(ready, rows, judged, views, is_member, kept_persons, seed),
        utility=_cost(target, X, views.shown, is_member) if defended else None,
        curves=curves(
            truth, labels_say, [(ready[i].name, done[i][1]) for i in drawn(rows, judged, best)]
        ),
        bundles=make_bundles(
            truth,
            None if isinstance(digests, str) else keys_of_units([digests[i] for i in kept], units),
            labels_say == truth,
            [(one.name, said == truth) for one, (said, _) in zip(ready, done)],
        ),
        provenance={
            "suite": attacks if isinstance(attacks, str) else "own",
            "versions": versions(),
            "seeds": seeds(random_state, split=split, variants=ask, attacks=seed),
            "split": describe_split(is_member, halves, persons is not None, split),
            "left_out": {
                "members": int((~trained).sum()),
                "non_members": sizes[1] - int((~is_member).sum()),
            },
            "hashes": hashes(target, digests, sizes),
            "made": made(perf_counter() - began),
        },
        context=said_of_it,
    )
    return report if policy is None else apply_policy(report, policy)


def check_jobs(n_jobs):
    """Refuse zero jobs at once: joblib would, after the target has been asked about everything."""
    if n_jobs == 0 and not isinstance(n_jobs, bool):
        raise ValueError(
            "n_jobs=0 runs nothing: give 1 or more, -1 for all cores, or None for joblib's default."
        )


def _shown(views, *sides):
    """Return what the target shows of all records."""
    return _ask_joined(lambda: views.shown, views.targets["shown"], views.X, sides)


def _ask_joined(ask, target, both, sides):
    """Return what `ask` returns of both sides in one table; name the one on which the target fails.

    A model may take either side and not both in one table, where types of columns differ.
    """
    try:
        return ask()
    except Warning:  # which somebody made an error
        raise
    except Exception:
        for name, X in zip(("X_mem", "X_non"), sides):
            check_takes(target, X, name)
        check_takes(target, both, "X_mem and X_non in one table", ALIKE)
        raise  # no exception of the target's own


def _digests(*sides):
    return [digest for X, y in sides for digest in record_digests(X, y)]


def _intervals(truth, labels_say, right, is_member):
    """Return the intervals of the floor and of the target's own accuracies."""
    found = {"floor": balanced_accuracy_interval(truth, labels_say, CONFIDENCE)}
    for name, side in (("train_accuracy", is_member), ("test_accuracy", ~is_member)):
        found[name] = rate_interval(right[side].mean(), int(side.sum()), CONFIDENCE)
    return {name: list(ends) for name, ends in found.items()}


def _slice(values, is_member, said):
    table = per_class_report(values, is_member, said)
    return table | {"class": plain_labels(table["class"])}


def _control(ready, rows, judged, views, is_member, persons, seed):
    """Return the negative control of the strongest attack that trains no models of its own."""
    cheap = [i for i in judged if not ready[i].traits.needs_shadow_models or ready[i].matrix]
    if not cheap:
        return {"not_run": "every attack trains models of its own, which takes as long again"}
    best = max(cheap, key=lambda i: rows[i]["accuracy"])
    return negative_control(ready[best], views, is_member, persons, seed)


def _cost(target, X, shown, is_member):
    found = result_or_reason(partial(utility, target, X, shown, is_member, CONFIDENCE))
    return {"not_run": found} if isinstance(found, str) else found


def _by_labels(label, predicted, is_member, halves, units):
    """Return (floor, decision about each unit) of the attack that sees if a label is right."""
    right = predicted == label
    said, _ = units.pool([(right[half], right[half].astype(float)) for half in halves])
    if isinstance(units, Records):
        sides = ((label[side], predicted[side]) for side in (is_member, ~is_member))
        return label_only_floor(*(values for side in sides for values in side)), said
    return float(balanced_accuracy_score(units.is_member, said)), said


def _name_of(target):
    return repr(target) if isinstance(target, FunctionTarget) else type(target).__name__


def _compare(
    targets, X_mem, y_mem, X_non, y_non, attacks, n_jobs, random_state, fitted_on, **options
):
    """Audit several targets with the same splits and seeds."""
    columns = _find_columns(targets)
    _ask_first(targets.values(), X_mem, X_non)  # all of them, before the first is attacked
    seed = int(check_random_state(random_state).randint(2**31 - 1))
    reports, size, first = {}, {}, None
    for name, target in targets.items():
        reports[name] = audit(
            target,
            X_mem,
            y_mem,
            X_non,
            y_non,
            attacks,
            n_jobs,
            seed,
            name=as_text(name),
            fitted_on=fitted_on if isinstance(target, OutputDefense) else None,
            **options,
        )
        shown = np.concatenate([ask_as_attacker(target, X) for X in (X_mem, X_non)])
        shown = shown[:, columns[name]]
        first = shown if first is None else first
        size[name] = float(perturbation_size(first, shown))
    return AuditComparison(reports, size)


def _find_columns(targets):
    """Return where each target's confidences have the classes of the first, name -> places."""
    if not targets:
        raise ValueError(
            "target={} holds nothing to audit: give fitted classifiers by name, as in "
            '{"undefended": model, "defended": defense}.'
        )
    columns, first = {}, next(iter(targets))
    for name, target in targets.items():
        check_ready(target)
        wanted, classes = np.asarray(targets[first].classes_), np.asarray(target.classes_)
        columns[name] = find_labels(classes, wanted)
        if len(classes) != len(wanted) or (columns[name] < 0).any():
            raise ValueError(
                f"Targets {first!r} and {name!r} have different classes, "
                f"{str(wanted.tolist())[:80]} and {str(classes.tolist())[:80]}: audit them one by "
                "one, or give models of the same classes."
            )
    return columns


def _ask_first(targets, X_mem, X_non):
    """Ask targets about one record of each side, before any long work."""
    check_two_sets(X_mem, X_non)
    if joined_as(X_mem) != joined_as(X_non):
        raise ValueError(
            f"X_mem is of type {type_name(X_mem)} and X_non of {type_name(X_non)}, which cannot be "
            "put into one table: give both sides in the same container."
        )
    first = [RecordRows(computed(X), np.arange(1)).take() for X in (X_mem, X_non)]
    both = join_records(*first)  # as they are asked about later
    for target in targets:
        _ask_joined(partial(check_takes, target, both, ""), target, both, first)


def _join(X_mem, y_mem, X_non, y_non, equal_count, trained, persons):
    """Return (records, labels, which are members, rows kept) of both sides, members first.

    Left out are members that trained nothing, and non-members that equal one of the others or
    belong to the same person.
    """
    sides = []
    for side, X, y in (("mem", X_mem, y_mem), ("non", X_non, y_non)):
        sides.append(check_labels(y, _num_samples(X), f"y_{side}"))
    if not trained.all():
        warnings.warn(
            f"{(~trained).sum()} of {len(trained)} members have weight zero and trained nothing: "
            "they are left out.",
            stacklevel=3,
        )
        X_mem = RecordRows(computed(X_mem), np.flatnonzero(trained)).take()
    equal = np.zeros(len(sides[1]), dtype=bool)
    if equal_count and trained.any():
        equal = are_among(X_non, X_mem)
    X = join_records(X_mem, X_non)
    if equal.any():
        warnings.warn(
            f"{equal.sum()} of {len(equal)} non-members equal a member: they are left out.",
            stacklevel=3,
        )
    same = np.zeros(len(equal), dtype=bool) if persons is None else _of_members(persons, trained)
    if same.any():
        warnings.warn(
            f"{same.sum()} of {len(same)} non-members belong to a person of whom records trained "
            "the target: they are left out.",
            stacklevel=3,
        )
        equal |= same
    if equal.any():
        X = _safe_indexing(X, np.flatnonzero(np.r_[trained[trained], ~equal]))
    kept = np.flatnonzero(np.r_[trained, ~equal])
    y, is_member = np.concatenate(sides)[kept], kept < len(trained)
    for side, n in (("X_mem", is_member.sum()), ("X_non", (~is_member).sum())):
        if n < 4:
            raise ValueError(f"{side} has {n} record(s) left: an audit needs 4 on each side.")
    return X, y, is_member, kept


def _of_members(persons, trained):
    """Return which non-members belong to a person of whom a record trained the target."""
    person = find_groups(persons)[1]
    return np.isin(person[len(trained) :], person[: len(trained)][trained])


def _count_fitted(X_mem, fitted_on, have_records, trained):
    """Return how many of the members that trained are among the records that fit the defense."""
    if not have_records:
        raise ValueError(
            "fitted_on names records, and only their confidences are given: leave it out."
        )
    check_two_sets(X_mem, fitted_on, ("X_mem", "fitted_on"))
    return int(are_among(X_mem, fitted_on)[trained].sum())


def _make_ready(found, views, template, failure, fit_params):
    """Return the contenders that can be run; note on each of the others why it cannot."""
    for contender in found:
        contender.not_run = contender.not_run or _obstacle(
            contender, views, template, failure, fit_params
        )
    ready = [contender for contender in found if contender.not_run is None]
    _check_any(ready, found)
    return ready


def _check_any(ready, found):
    if not ready:
        reasons = "; ".join(f"{contender.name}: {contender.not_run}" for contender in found)
        raise ValueError(f"No attack can be run. {reasons}.")


def _without_failed(ready, done):
    """Return (contenders, what they say) of those that ran to their end; note why others did not.

    What one attack cannot do with this target costs its own row, not the hours of the others.
    """
    for contender, said in zip(ready, done):
        if isinstance(said, str):
            contender.not_run = said
            warnings.warn(f"{contender.name} is not in the report: {said}.", stacklevel=3)
    finished = [(c, said) for c, said in zip(ready, done) if not isinstance(said, str)]
    _check_any(finished, ready)
    return [list(part) for part in zip(*finished)]


def _obstacle(contender, views, template, failure, fit_params):
    """Return why an attack cannot be run, or None; give it what it lacks and the audit has."""
    reason = views.lacks(contender.traits)
    if reason is None and contender.traits.lacks_estimator:
        if failure is not None:
            return f"it trains models of the target's kind, and training one failed: {failure}"
        if template is None:
            return "it trains models of the target's kind, and this target cannot be retrained"
        contender.attack._take_estimator(template, fit_params)
    if reason is not None:
        return reason
    # many queries at once may be refused where one was answered: a limit, a quota, a NaN
    for view in (views.learned, views.asked):
        said = result_or_reason(partial(view, contender))
        if isinstance(said, str):
            return f"the target does not answer its queries: {said}"
    if contender.if_repeats_differ and not views.repeats_differ():
        return "a repeated query gets the same output, so there is nothing to average"
    return None


def _row(contender, truth, said, score, floor, defended):
    low, high = balanced_accuracy_interval(truth, said, CONFIDENCE)
    accuracy = float(balanced_accuracy_score(truth, said))
    n_mem, n_non, traits = truth.sum(), (~truth).sum(), contender.traits
    row = {
        "attack": contender.name,
        "adaptive": traits.adaptive or not defended,
        "labels_only": traits.labels_only,
        "variants": traits.needs_queries > 1 and traits.needs_variants is not None,
        "per_record": traits.per_record,
        "accuracy": accuracy,
        "low": low,
        "high": high,
        "excess": accuracy - floor,
        "auc": float(roc_auc_score(truth, score)),
    }
    row["auc_low"], row["auc_high"] = auc_interval(truth, score, CONFIDENCE)
    for fpr in (0.1, 0.01, 0.001):  # only where ten non-members or more decide
        rate = tpr_at_fpr(truth, score, fpr=fpr) if n_non >= 10 / fpr else None
        row |= _rate(f"tpr_at_{fpr:g}_fpr", rate, n_mem)
    rate = tnr_at_fnr(truth, score, fnr=0.01) if n_mem >= 1000 else None
    return row | _rate("tnr_at_0.01_fnr", rate, n_non)


def _rate(name, rate, n):
    low, high = (None, None) if rate is None else rate_interval(rate, int(n), CONFIDENCE)
    return {name: rate, f"{name}_low": low, f"{name}_high": high}


def _strongest(rows, judged, truth, done):
    """Return (place, row) of the strongest of those judged, its interval for having been picked."""
    best = max(judged, key=lambda i: (rows[i]["accuracy"], rows[i]["auc"]))
    corrected = 1 - (1 - CONFIDENCE) / len(judged)
    low, high = balanced_accuracy_interval(truth, done[best][0], corrected)
    return best, {**rows[best], "low": low, "high": high}
