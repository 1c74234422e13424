"""The audit itself: ask the target, run every attack, write the report."""

import warnings
from functools import partial

import numpy as np
from joblib import Parallel, delayed
from sklearn.base import clone
from sklearn.metrics import balanced_accuracy_score, roc_auc_score
from sklearn.model_selection import train_test_split
from sklearn.utils import _safe_indexing, check_random_state
from sklearn.utils.validation import (
    _num_samples,
    column_or_1d,
)
from tqdm.auto import tqdm

from sklearn_aeppt._answers import Answers
from sklearn_aeppt._groups import join_labels
from sklearn_aeppt._output_defense import OutputDefense, check_two_sets
from sklearn_aeppt._query import check_ready
from sklearn_aeppt._records import join_records, number_records
from sklearn_aeppt._remember import open_memory, remembered
from sklearn_aeppt._text import as_text
from sklearn_aeppt.attacks import query
from sklearn_aeppt.audit._canaries import canary_risk
from sklearn_aeppt.audit._report import AuditComparison, AuditReport
from sklearn_aeppt.audit._suites import (
    N_ON_LADDER,
    N_REPEATS,
    N_VARIANTS,
    SUITES,
    Contender,
    accepted,
    ladder,
    shadow_template,
    variation,
)
from sklearn_aeppt.metrics import (
    attack_accuracy_interval,
    label_only_floor,
    per_class_report,
    perturbation_size,
    tnr_at_fnr,
    tpr_at_fpr,
)

CONFIDENCE = 0.95


def audit(
    target,
    X_mem,
    y_mem,
    X_non,
    y_non,
    attacks="standard",
    n_jobs=None,
    random_state=None,
    *,
    name=None,
    slices=None,
    memory=None,
    verbose=0,
):
    r"""Attack a fitted classifier in every way at hand, and report what attackers get.

    The adversary knows the membership of half of the records, trains each attack on what the
    target shows of them, and is scored on the other half.

    Parameters
    ----------
    target : fitted classifier, or dict of fitted classifiers
        Anything with ``predict_proba``, ``predict`` and ``classes_``, defended or not; what has no
        ``fit``, such as the address of a service, need be no scikit-learn estimator. Several, by
        name, are audited on the same records; the first is what the others' perturbation is
        measured from. A name is any text or object, shown as its text; what a terminal, a file or a
        picture cannot hold of it stands there as an escape such as ``\x00``.
    X_mem, X_non : records
        Records that trained the target, and records that it never saw, alike otherwise.
    y_mem, y_non : array-like of shape (n,)
        Their class labels.
    attacks : {"quick", "standard", "full"}, list or dict of attacks, default="standard"
        "quick": a few seconds; "standard": all attacks on answers, adaptive ones included;
        "full": also quantile regression, and LiRA, RMIA, shadow models and mislabeled canaries,
        which train models of the target's kind (with its defense). Attacks of one's own are given
        as a list or by name.
    n_jobs : int or None, default=None
        Attacks run at once, through joblib and whatever backend it is set to. The figures do not
        depend on it.
    random_state : int, RandomState instance or None, default=None
    name : object, default=None
        Name of the target in the report; None takes its class.
    slices : dict or None, default=None
        Groups of records to report on by themselves: name -> (values of the members, values of
        the non-members), such as ``{"region": (region_mem, region_non)}``.
    memory : str, joblib.Memory or None, default=None
        Cache of finished attacks: an audit that was cut off goes on where it stopped. Readable by
        its owner only; an attack whose code has changed is run again. Joblib loads pickles from
        it: keep it where nobody else writes.
    verbose : int, default=0
        Above 0 shows a progress bar.

    Returns
    -------
    report : AuditReport, or AuditComparison for several targets

    Raises
    ------
    ValueError
        If sides are empty, differ in columns, or hold labels that the target does not know.
    TypeError
        If the target has no ``predict_proba``.

    Warns
    -----
    UserWarning
        If records stand on both sides; they are left out of the non-members.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.ensemble import RandomForestClassifier
    >>> from sklearn_aeppt.audit import audit
    >>> X, y = load_digits(return_X_y=True)
    >>> forest = RandomForestClassifier(random_state=0).fit(X[:900], y[:900])
    >>> report = audit(forest, X[:900], y[:900], X[900:], y[900:], "quick", random_state=0)
    >>> report.leaks
    'confidences'
    """
    if isinstance(target, dict):
        return _compare(target, X_mem, y_mem, X_non, y_non, attacks, n_jobs, random_state,
                        slices=slices, memory=memory, verbose=verbose)  # fmt: skip
    check_ready(target)
    X, y, is_member, kept = _join(X_mem, y_mem, X_non, y_non)
    slices = {key: join_labels(*pair)[kept] for key, pair in (slices or {}).items()}
    rng = check_random_state(random_state)
    split, ask, seed = (int(rng.randint(2**31 - 1)) for _ in range(3))
    template = shadow_template(target) if attacks == "full" else None
    contenders, views = _prepare(target, template, X, y, attacks, ask, seed)
    known, scored = train_test_split(
        np.arange(len(y)), test_size=0.5, stratify=is_member, random_state=split
    )
    memory = open_memory(memory)
    plays = (
        partial(
            _play, contender, views[contender.learns][known], views[contender.asks][scored],
            is_member[known],
        )
        for contender in contenders
    )  # fmt: skip
    jobs = (delayed(remembered(memory, play))() for play in plays)
    done = Parallel(n_jobs=n_jobs, return_as="generator")(jobs)
    done = list(tqdm(done, "attacks", len(contenders), disable=not verbose))

    pred = target.predict(X)
    truth, right = is_member[scored], pred == y
    floor = label_only_floor(y[is_member], pred[is_member], y[~is_member], pred[~is_member])
    rows = [
        _row(contender, truth, said, score, floor)
        for contender, (said, score) in zip(contenders, done)
    ]
    best = max(
        (i for i, row in enumerate(rows) if row["adaptive"]),
        key=lambda i: (rows[i]["accuracy"], rows[i]["auc"]),
    )
    said, score = done[best]
    # for having picked the strongest of several
    corrected = 1 - (1 - CONFIDENCE) / sum(row["adaptive"] for row in rows)
    interval = attack_accuracy_interval(truth, said, corrected)
    members = np.flatnonzero(truth)
    at_risk = scored[members[np.argsort(-score[members], kind="stable")[:20]]]
    slices = {"class": y, "answer": np.where(right, "right", "wrong"), **slices}
    return AuditReport(
        name=type(target).__name__ if name is None else as_text(name),
        rows=rows,
        strongest={**rows[best], "low": interval[0], "high": interval[1]},
        floor=floor,
        train_accuracy=float(right[is_member].mean()),
        test_accuracy=float(right[~is_member].mean()),
        n_members=int(is_member.sum()),
        n_non_members=int((~is_member).sum()),
        defended=isinstance(target, OutputDefense),
        slices={key: per_class_report(v[scored], truth, said) for key, v in slices.items()},
        canaries=None if template is None else canary_risk(template, X, y, is_member, seed),
        at_risk=[int(i) for i in at_risk],
    )


def _compare(targets, X_mem, y_mem, X_non, y_non, attacks, n_jobs, random_state, **options):
    """Audit several targets with the same splits and seeds."""
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
            **options,
        )
        shown = np.concatenate([target.predict_proba(X) for X in (X_mem, X_non)])
        first = shown if first is None else first
        size[name] = float(perturbation_size(first, shown))
    return AuditComparison(reports, size)


def _join(X_mem, y_mem, X_non, y_non):
    check_two_sets(X_mem, X_non)
    sides = []
    for side, X, y in (("mem", X_mem, y_mem), ("non", X_non, y_non)):
        y = column_or_1d(y)
        if len(y) != _num_samples(X):
            raise ValueError(
                f"y_{side} has {len(y)} labels for {_num_samples(X)} records in X_{side}: give "
                "one for each."
            )
        sides.append(y)
    X, y = join_records(X_mem, X_non), np.concatenate(sides)
    is_member = np.arange(len(y)) < len(sides[0])
    number = number_records(X)
    twice = ~is_member & np.isin(number, number[is_member])
    if twice.any():
        warnings.warn(
            f"{twice.sum()} of {len(sides[1])} non-members equal a member, record for record: they "
            "are left out.",
            stacklevel=3,
        )
        rows = np.flatnonzero(~twice)
        X, y, is_member = _safe_indexing(X, rows), y[rows], is_member[rows]
    for side, n in (("X_mem", is_member.sum()), ("X_non", (~is_member).sum())):
        if n < 4:
            raise ValueError(f"{side} has {n} record(s) left: an audit needs 4 on each side.")
    return X, y, is_member, ~twice


def _prepare(target, template, X, y, attacks, ask, seed):
    """Return the attacks to run and the views that they need."""
    views = {"shown": query(target, X, y)}
    if isinstance(attacks, str):
        if attacks not in SUITES:
            raise ValueError(
                f"attacks={attacks!r} is no suite: choose from {', '.join(SUITES)}, or give a list."
            )
        if attacks != "quick":
            again = query(target, X, y, n_queries=N_REPEATS)
            if (again["repeats"] != again["repeats"][:, :1]).any():  # else nothing to average
                views["repeated"] = again
            views |= _ask_about_variants(target, X, y, ask)
            if isinstance(target, OutputDefense):
                views["plain"] = query(target.estimator_, X, y)
        return SUITES[attacks](seed, views=views, target=target, template=template), views
    named = attacks.items() if isinstance(attacks, dict) else ((str(a), a) for a in attacks)
    contenders = [Contender(as_text(name), attack) for name, attack in named]
    if not contenders:
        raise ValueError(f"attacks={attacks!r} is empty: give attacks, or the name of a suite.")
    return contenders, views


def _ask_about_variants(target, X, y, seed):
    """Return the views of variants of the records, as far as there are any."""
    views = {}
    if isinstance(target, Answers):  # made elsewhere: there is no model to ask about variants
        return views
    augment = variation(X)
    if augment is not None:
        options = {"n_queries": N_VARIANTS, "augment": augment, "random_state": seed}
        views["varied"] = query(target, X, y, **options)
    steps = ladder(X)
    if steps and (steps := accepted(target, X, steps)):
        options = {"n_queries": N_ON_LADDER, "augment": steps, "random_state": seed}
        views["ladder"] = query(target, X, y, **options)
    return views


def _play(contender, learned, asked, is_member):
    """Return what one attack says of the records that it is asked about, and its score."""
    attack = clone(contender.attack).fit(learned, is_member)
    said = attack.predict(asked)
    score = attack.decision_function(asked) if hasattr(attack, "decision_function") else said
    return np.asarray(said, dtype=bool), np.asarray(score, dtype=np.float64)


def _row(contender, truth, said, score, floor):
    low, high = attack_accuracy_interval(truth, said, CONFIDENCE)
    accuracy = float(balanced_accuracy_score(truth, said))
    n_mem, n_non = truth.sum(), (~truth).sum()
    row = {
        "attack": contender.name,
        "adaptive": contender.adaptive,
        "labels_only": contender.labels_only,
        "accuracy": accuracy,
        "low": low,
        "high": high,
        "excess": accuracy - floor,
        "auc": float(roc_auc_score(truth, score)),
    }
    for fpr in (0.01, 0.001):  # only where ten non-members or more decide
        enough = n_non >= 10 / fpr
        row[f"tpr_at_{fpr:g}_fpr"] = tpr_at_fpr(truth, score, fpr=fpr) if enough else None
    row["tnr_at_0.01_fnr"] = tnr_at_fnr(truth, score, fnr=0.01) if n_mem >= 1000 else None
    return row
