"""Shadow models: the target's training, repeated by the adversary on their own records."""

from functools import partial

import numpy as np
from joblib import Parallel, delayed
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.utils import check_random_state
from sklearn.utils.validation import _num_samples
from tqdm.auto import tqdm

from sklearn_aeppt._ask import ask_as_attacker, ask_labels
from sklearn_aeppt._fitted import keeps_a_model
from sklearn_aeppt._members import find_labels
from sklearn_aeppt._records import number_records
from sklearn_aeppt._remember import hash_of, open_memory, remembered
from sklearn_aeppt._seeding import reseed
from sklearn_aeppt.attacks._fit_params import fit_on, mask_name


def balanced_design(n_shadow_models, X, train_size, rng, label=None):
    """Return which record trains which shadow model, a boolean array of shape (n_shadow_models, n).

    Each record trains the same number of models, ``train_size * n_shadow_models``, chosen at
    random; where that is no whole number, one more or less. Equal records share their models: else
    "not trained on" would be a lie. With labels, every class trains every model, if its records
    are enough for that.

    References
    ----------
    Carlini et al. (2022), "Membership inference attacks from first principles", Section 4.
    """
    number = number_records(X)
    rank = rng.random_sample((n_shadow_models, number.max() + 1)).argsort(axis=0).argsort(axis=0)
    n_models = np.floor(train_size * n_shadow_models + rng.random_sample(rank.shape[1]))
    design = rank < n_models
    if label is not None:
        _keep_classes(design, number, label, rng)
    return design[:, number]


def _keep_classes(design, number, label, rng):
    """Move records to models that miss their class, from models that have several of it."""
    for value in np.unique(label):
        rows = np.unique(number[label == value])
        counts = design[:, rows].sum(axis=1)
        while counts.min() == 0 and counts.sum() >= len(design):
            poor, rich = counts.argmin(), counts.argmax()
            row = rng.choice(rows[design[rich, rows]])
            design[[poor, rich], row] = True, False
            counts[[poor, rich]] += 1, -1


def check_refittable(estimator, caller):
    """Refuse an estimator that `clone` would hand on fitted: it would be the target itself.

    `caller` is what messages show as an example of how it is given.
    """
    if estimator is None:
        raise ValueError(
            "estimator=None: give an unfitted classifier of the target's kind, as in "
            f"{caller}(RandomForestClassifier()); `audit` uses the target's own."
        )
    if not hasattr(estimator, "fit") or not hasattr(estimator, "predict_proba"):
        raise TypeError(
            f"estimator={estimator!r} must have fit and predict_proba: give an unfitted "
            "classifier of the target's kind."
        )
    cloned = clone(estimator)
    part = keeps_a_model(cloned)
    if part is not None:
        raise ValueError(
            f"estimator={estimator!r} holds a fitted model that clone keeps, "
            f"{type(part).__name__}: every shadow model would be the target itself and "
            "would reveal its members. Give the model unfitted, as in "
            f"{caller}({_example(part)})."
        )
    for part in (cloned, *cloned.get_params(deep=True).values()):
        if mask_name(part) is not None and mask_name(estimator) is None:
            raise ValueError(
                f"estimator={estimator!r} hides a defense inside another estimator, where the "
                "members of a shadow model cannot be determined: put the defense outermost or at "
                "the end of a Pipeline."
            )


def _example(part):
    inner = getattr(part, "estimator", None)
    model = f"{type(getattr(inner, 'estimator', inner)).__name__}(...)"
    return model if isinstance(part, FrozenEstimator) else f"{type(part).__name__}({model})"


def label_columns(label, y):
    """Return (labels in the target's terms, the target's column of each), sorted by the former."""
    known, first = np.unique(y, return_index=True)
    return known, label[first]


def confidences(model, X, n_classes, columns):
    """Return what a model answers in the target's columns, (n, n_classes) float32.

    A class that the model's training rows missed has confidence zero.
    """
    known, column = columns
    proba = np.zeros((_num_samples(X), n_classes), dtype=np.float32)
    proba[:, column[find_labels(known, model.classes_)]] = ask_as_attacker(model, X)
    return proba


def label_and_rest(proba, label):
    """Return the confidence of the label and the sum of the others, (n, 2) float64.

    The sum, not one minus the confidence: close to one that has lost its digits.
    """
    proba = np.array(proba, dtype=np.float64)
    rows = np.arange(len(proba))
    mine = proba[rows, label]
    proba[rows, label] = 0
    return np.column_stack([mine, proba.sum(axis=1)])


def answers_seen(proba, label, said):
    """Return (n, 3) float64: what `label_and_rest` returns, and 1 where the label is predicted."""
    return np.column_stack([label_and_rest(proba, label), said == label])


def _read_answers(model, X, label, n_classes, columns, read, asks_labels):
    """Return what `read` keeps of a model's answers; its own decisions are asked for on request."""
    proba = confidences(model, X, n_classes, columns)
    said = proba.argmax(axis=1)
    if asks_labels and hasattr(model, "predict"):
        known, column = columns
        said = column[find_labels(known, model.classes_)][ask_labels(model, X, proba)]
    return read(proba, label, said)


def _shadow_model(template, X, labels, is_in, given, n_classes, read, keep_model, asks_labels):
    """Train one shadow model and read its answers on all records; the unit of the cache."""
    label, y = labels
    model = fit_on(template, X, y, is_in, given)
    columns = label_columns(label, y)
    answers = _read_answers(model, X, label, n_classes, columns, read, asks_labels)
    return answers, model if keep_model else None


def train_shadow_models(
    estimator,
    X,
    labels,
    in_mask,
    given,
    n_classes,
    *,
    seed,
    read,
    keep_models,
    asks_labels=False,
    n_jobs,
    memory,
    verbose,
):
    """Train clones of `estimator`, one on each row of a design; return (answers, models).

    Parameters
    ----------
    estimator : unfitted classifier
    X : records
    labels : pair of ndarray of shape (n,)
        The target's columns, int, and the labels as the target was given them.
    in_mask : boolean ndarray of shape (n_shadow_models, n)
        A defended template gets all records and the mask, any other the records marked.
    given : FitParams
        What ``fit`` is given besides records and labels.
    n_classes : int
    seed : int
        Seeds every ``random_state`` of every shadow model.
    read : callable
        ``read(proba, label, predicted)`` -> what to keep of a model's answers, an array of n rows.
    keep_models : bool
    asks_labels : bool
        Whether ``predicted`` is what the model's ``predict`` says, for targets that decide by
        something else than the argmax of their confidences.
    n_jobs, memory, verbose
        As of the attacks.

    Returns
    -------
    answers : ndarray of shape (n_shadow_models, n, ...)
    models : list of fitted estimators, or of None
    """
    for is_in in in_mask:
        if len(np.unique(labels[0][is_in])) < 2:
            raise ValueError(
                f"A shadow model would be trained on {is_in.sum()} record(s) of fewer than two "
                "classes: give more records, or a larger train_size."
            )
    rng = check_random_state(seed)
    templates = [reseed(clone(estimator), rng) for _ in in_mask]
    memory = open_memory(memory)
    # the records are hashed once, not once for each model
    told = X, labels, given
    once = hash_of(told, code=(given.constant,)) if memory.location else None
    memory = memory if once else open_memory(None)
    how = n_classes, read, keep_models, asks_labels
    jobs = (
        delayed(
            remembered(
                memory,
                partial(_shadow_model, template, X, labels, is_in, given, *how),
                counted=(template, is_in, *how, once),
            )
        )()
        for template, is_in in zip(templates, in_mask)
    )
    done = Parallel(n_jobs=n_jobs, return_as="generator")(jobs)
    done = tqdm(done, "shadow models", len(in_mask), disable=not verbose)
    answers, models = zip(*done)
    return np.stack(answers), list(models)


def ask_shadow_models(
    models, X, label, n_classes, columns, *, read, n_jobs=None, asks_labels=False
):
    """Return what fitted shadow models answer on other records, (n_shadow_models, n, ...)."""
    ask = partial(
        _read_answers, X=X, label=label, n_classes=n_classes, columns=columns, read=read,
        asks_labels=asks_labels,
    )  # fmt: skip
    # threads: the models need not travel, and predict_proba spends its time outside of Python
    return np.stack(Parallel(n_jobs, prefer="threads")(delayed(ask)(m) for m in models))
