"""What an adversary sees of a target: confidences and a label, nothing else.

Data flows one way through the library: target -> ``query`` -> attack -> score.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from numbers import Integral, Real
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import issparse
from sklearn.base import BaseEstimator
from sklearn.utils import assert_all_finite, check_random_state
from sklearn.utils.multiclass import check_classification_targets, type_of_target
from sklearn.utils.validation import _num_samples, check_array, column_or_1d, validate_data

from sklearn_aeppt._ask import ask_as_attacker, ask_labels, check_ready
from sklearn_aeppt._function_target import with_classes
from sklearn_aeppt._members import check_labels, find_labels
from sklearn_aeppt._records import RecordRows
from sklearn_aeppt._slices import slice_dict
from sklearn_aeppt.attacks._fit_params import view_params

#: What an attack is given: a mapping made by `query`, or an array of confidences.
View: TypeAlias = Mapping[str, Any] | ArrayLike

# Variants that go into one call, at most: enough that a call's own cost is small beside theirs.
ROWS_AT_ONCE, NUMBERS_AT_ONCE = 2**13, 2**24


@np.errstate(under="ignore")  # what is nearly nothing may become nothing
def query(
    target: Any,
    X: Any,
    y: ArrayLike | None = None,
    *,
    n_queries: int = 1,
    augment: Callable[..., Any] | Sequence[Callable[..., Any]] | None = None,
    random_state: int | np.random.RandomState | None = None,
    classes: ArrayLike | None = None,
    record_params: Mapping[str, ArrayLike] | None = None,
) -> dict[Any, Any]:
    """Collect a target's outputs for records, as a black-box adversary does.

    Parameters
    ----------
    target : fitted classifier, function, or list of them
        Anything with ``predict_proba`` and ``classes_``, such as the client of a service, or a
        function of the records that returns confidences, with `classes`. A
        defended classifier is queried like any other, so the attack sees only its defended
        outputs. A list stands for several deployments of one model, such as replicas whose
        defenses hold different keys: all of them get the same queries, and their outputs are
        under ``repeats``.
    X : records
        Whatever `target` takes: array of shape (n, n_features), frame, sparse matrix, or list of
        texts.
    y : array-like of shape (n,), default=None
        True labels of the records, values of ``target.classes_``, which the paper's adversary
        knows. None means the predicted labels.
    n_queries : int, default=1
        Number of queries per record. With more than one, all outputs are under ``repeats`` too,
        for `AveragingAttack`, `LabelOnlyAttack` and `VariantsAttack`.
    augment : callable, sequence of callables, or None, default=None
        ``augment(X, rng) -> X``, such as `BitFlips` or `GaussianNoise`, makes a variant of every
        record with a numpy RandomState; all queries but the first are for variants. The callables
        of a sequence, such as `NoiseLadder`, are used in turn. None repeats the record itself.
    random_state : int, RandomState instance or None, default=None
        Seeds the variants. Pass an int for reproducible results.
    classes : array-like of shape (K,), default=None
        For a function as target: the class labels of its columns. Classifiers have their own.
    record_params : dict or None, default=None
        What the target's ``fit`` takes for each record, for attacks that train models of its kind:
        parameter -> one value for each record of `X`, members or not, as in
        ``{"sample_weight": weight}``, or ``{"<step>__sample_weight": weight}`` for a Pipeline.

    Returns
    -------
    view : skorch.helper.SliceDict
        A dict of arrays of n rows, which scikit-learn slices row by row, so that
        ``cross_val_score`` and the like take it as X. Without skorch, a dict that behaves the
        same. Its keys:

        - ``proba``: float32 confidences, shape (n, K);
        - ``label``: int64 index of the label in ``target.classes_``, shape (n,);
        - ``y``: the labels themselves, as the target was given them, shape (n,);
        - ``predicted``, where the target's ``predict`` is not the argmax of ``proba`` for every
          record, as with a threshold of its own: int64 index of what it predicts, shape (n,);
        - ``X``: the records, for attacks that need them, such as those with shadow models;
        - ``fit__<parameter>``: the values of each of `record_params`, shape (n, ...);
        - ``repeats``, with several queries or deployments: float32 confidences, shape
          (n, n_queries * D, K) for D deployments, which are side by side for each query;
        - ``rung``, along with ``repeats``: int8, shape (n, n_queries * D); 0 for the record
          itself, i >= 1 for a variant by the i-th callable of `augment`;
        - ``repeats_predicted``, along with ``repeats`` and ``predicted``: the same of each output,
          int64, shape (n, n_queries * D).

    Raises
    ------
    ValueError
        If `n_queries` is no whole number of at least 1, if `y` does not hold one label for each
        record, or holds one that the target does not know, if deployments differ in classes, if
        outputs are not probability vectors, or if `record_params` do not hold one value for each
        record.
    TypeError
        If the target has no ``predict_proba`` or no ``classes_``, or has both and is given
        `classes`.

    See Also
    --------
    read_view : Converts a view to arrays, inside an attack.
    read_predicted : The predicted labels of a view, inside an attack.
    sklearn_aeppt.audit.audit : Queries a target and runs several attacks on it.

    References
    ----------
    AEPPT (arXiv 2011.13696), Section 3: the adversary has black-box access.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn_aeppt.attacks import query
    >>> X, y = load_iris(return_X_y=True)
    >>> view = query(LogisticRegression(max_iter=1000).fit(X, y), X, y)
    >>> view["proba"].shape, view["label"].dtype
    ((150, 3), dtype('int64'))
    """
    if isinstance(n_queries, bool) or not isinstance(n_queries, Integral) or n_queries < 1:
        raise ValueError(
            f"n_queries={n_queries!r}: give a whole number of at least 1; 1 is one query of each "
            "record itself."
        )
    targets = check_deployments(with_classes(target, classes))
    if y is not None:
        y = check_labels(y, _num_samples(X), "y")
    params = view_params(record_params, _num_samples(X))
    steps = list(augment) if isinstance(augment, Sequence) else [augment]
    answers, said = _ask_often(targets, X, n_queries, steps, check_random_state(random_state))
    seen, classes = {"proba": answers[:, 0]}, targets[0].classes_
    if said is not None:
        seen["predicted"] = said[:, 0]
    label = read_predicted(seen, seen["proba"]) if y is None else label_index(classes, y)
    y = np.asarray(classes)[label] if y is None else y
    seen |= {"label": label, "y": y, "X": RecordRows(X), **params}
    if answers.shape[1] == 1:
        return slice_dict(**seen)
    rung = np.zeros((len(answers), n_queries), dtype=np.int8)
    if augment is not None:
        rung[:, 1:] = np.arange(n_queries - 1) % len(steps) + 1
    if said is not None:
        seen["repeats_predicted"] = said
    return slice_dict(
        **seen,
        repeats=answers,
        rung=np.repeat(rung, len(targets), axis=1),
    )


def _ask_often(targets, X, n_queries, steps, rng):
    """Return (answers, predicted), (n, n_queries * len(targets), K) float32 and the same without K.

    ``predicted`` is None where every record's predicted label is the argmax of its answer: variants
    are not asked about twice then. Variants in numpy arrays are asked about several at once: a call
    has a cost of its own.
    """
    first = [ask_as_attacker(target, X).astype(np.float32, copy=False) for target in targets]
    n, n_classes = first[0].shape
    labels = [ask_labels(target, X, shown) for target, shown in zip(targets, first)]
    answers = np.empty((n, n_queries, len(targets), n_classes), dtype=np.float32)
    answers[:, 0] = np.stack(first, axis=1)
    said = np.empty(answers.shape[:3], dtype=np.int64)
    said[:, 0] = np.stack(labels, axis=1)
    decides_otherwise = (said[:, 0] != answers[:, 0].argmax(axis=2)).any()
    at_once = 1
    if isinstance(X, np.ndarray) and steps != [None]:
        at_once = max(1, min(ROWS_AT_ONCE // max(n, 1), NUMBERS_AT_ONCE // max(X.size, 1)))
    for start in range(1, n_queries, at_once):
        asked = [
            X if (step := steps[(i - 1) % len(steps)]) is None else step(X, rng)
            for i in range(start, min(start + at_once, n_queries))
        ]
        together = np.concatenate(asked) if len(asked) > 1 else asked[0]
        for j, target in enumerate(targets):
            shown = ask_as_attacker(target, together)
            columns = slice(start, start + len(asked))
            answers[:, columns, j] = shown.reshape(len(asked), n, n_classes).swapaxes(0, 1)
            if decides_otherwise:
                label = ask_labels(target, together, shown)
                said[:, columns, j] = label.reshape(len(asked), n).T
    return answers.reshape(n, -1, n_classes), said.reshape(n, -1) if decides_otherwise else None


def check_deployments(target):
    """Return a list of the targets to ask, one or several deployments with the same classes."""
    targets = list(target) if isinstance(target, (list, tuple)) else [target]
    if not targets:
        raise ValueError("target=[] holds no deployment: give a fitted classifier.")
    for one in targets:
        check_ready(one)
        if not np.array_equal(one.classes_, targets[0].classes_):
            raise ValueError(
                f"target={one!r} has classes_ {list(one.classes_)[:5]}, another deployment "
                f"{list(targets[0].classes_)[:5]}: give deployments of one model."
            )
    return targets


def label_index(classes, y):
    """Return the int64 index into `classes` of every label in `y`; refuse unknown labels."""
    index = find_labels(classes, y)
    if (index < 0).any():
        raise ValueError(
            f"y={np.unique(np.asarray(y)[index < 0])[:5].tolist()} holds labels that the target "
            f"does not know; it knows {np.asarray(classes)[:5].tolist()}: give labels from "
            "target.classes_, or leave these records out."
        )
    return index


@np.errstate(under="ignore")
def read_view(
    attack: BaseEstimator, X: View, *, reset: bool
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Convert what an attack is given to confidences and labels.

    Parameters
    ----------
    attack : estimator
        The attack, whose ``n_features_in_`` (K) is set or checked.
    X : SliceDict of `query`, or array-like of shape (n, K)
        A mapping must hold ``proba``; a plain array is read as ``proba``. Without ``label``, the
        label of a record is its predicted one, see `read_predicted`.
    reset : bool
        Whether to set ``n_features_in_``, as in ``fit``, or to check `X` against it.

    Returns
    -------
    proba : float32 ndarray of shape (n, K)
        Confidences.
    label : int64 ndarray of shape (n,)
        Index of each record's label, 0 to K - 1.

    Raises
    ------
    ValueError
        If a mapping holds no ``proba``, if confidences are not finite or not two-dimensional, if
        there are not K of them for each record, or if ``label`` does not hold a class index for
        each record.

    See Also
    --------
    query : Makes views.
    read_predicted : The predicted labels.
    check_membership : The same for the y of ``fit``.

    Examples
    --------
    >>> from sklearn_aeppt.attacks import GapAttack, read_view
    >>> proba, label = read_view(GapAttack(), [[0.75, 0.25], [0.5, 0.5]], reset=True)
    >>> label
    array([0, 0])
    """
    view = _as_mapping(X)
    if view is not None and "proba" not in view:
        raise ValueError(
            f"X={sorted(view)} holds no 'proba': make it with sklearn_aeppt.attacks.query."
        )
    proba = validate_data(attack, X if view is None else view["proba"], dtype=np.float32,
                          reset=reset)  # fmt: skip
    if view is None or view.get("label") is None:
        return proba, read_predicted(X, proba)
    return proba, _check_indices(view, "label", proba)


def read_predicted(X: View, proba: NDArray[np.float32]) -> NDArray[np.int64]:
    """Return the label that the target predicts of each record of a view.

    Parameters
    ----------
    X : SliceDict of `query`, or array-like of shape (n, K)
        What an attack is given.
    proba : float32 ndarray of shape (n, K)
        Its confidences, as `read_view` returns them.

    Returns
    -------
    predicted : int64 ndarray of shape (n,)
        Index of each predicted label: that of the target's own ``predict`` where the view says
        that it is another one, and the argmax of the confidences elsewhere.

    Raises
    ------
    ValueError
        If ``predicted`` of the view does not hold a class index for each record.

    See Also
    --------
    read_view : Confidences and labels.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_aeppt.attacks import read_predicted
    >>> proba = np.array([[0.75, 0.25], [0.25, 0.75]], dtype=np.float32)
    >>> read_predicted(proba, proba)
    array([0, 1])
    >>> read_predicted({"proba": proba, "predicted": np.array([1, 1])}, proba)
    array([1, 1])
    """
    view = _as_mapping(X)
    if view is None or view.get("predicted") is None:
        return proba.argmax(axis=1).astype(np.int64)
    return _check_indices(view, "predicted", proba)


def _as_mapping(X):
    """Return a view that is a mapping, or None; scipy's dok_matrix is a dict, too."""
    return X if isinstance(X, dict) and not issparse(X) else None


def _check_indices(view, key, proba):
    index = check_array(view[key], ensure_2d=False, dtype=np.int64)
    if index.shape != proba.shape[:1] or index.min() < 0 or index.max() >= proba.shape[1]:
        raise ValueError(
            f"X[{key!r}] must be {len(proba)} class indices from 0 to {proba.shape[1] - 1}, "
            f"got shape {index.shape} and values from {index.min()} to {index.max()}: "
            "make X with sklearn_aeppt.attacks.query."
        )
    return index


def read_records(attack, X, *, reset):
    """Return (records, proba, label, y) of a view that holds the records themselves.

    `y` are the labels in the target's own terms, where the view has them.
    """
    proba, label = read_view(attack, X, reset=reset)
    records = X.get("X") if isinstance(X, dict) else None
    if records is None:
        raise ValueError(
            f"{type(attack).__name__} trains on records, but X holds outputs only: make it with "
            "sklearn_aeppt.attacks.query, or put the records under the key 'X'."
        )
    records = records.take() if isinstance(records, RecordRows) else records
    return records, proba, label, X.get("y", label)


def read_repeats(X, n_queries, *, varied=False):
    """Return the first `n_queries` answers for each record of a view, (n, n_queries, K)."""
    repeats = X.get("repeats") if isinstance(X, dict) else None
    there = 1 if repeats is None else repeats.shape[1]
    if repeats is None or there < n_queries:
        how = ", augment=..." if varied else ""
        raise ValueError(
            f"n_queries={n_queries}, but X holds {there} output(s) per record: make it "
            f"with query(target, X, y, n_queries={n_queries}{how})."
        )
    return repeats[:, :n_queries]


def read_repeats_predicted(X, repeats):
    """Return the predicted labels of what `read_repeats` returned of a view, (n, n_queries)."""
    said = X.get("repeats_predicted")
    return repeats.argmax(axis=2) if said is None else said[:, : repeats.shape[1]]


def check_membership(y: ArrayLike, n: int) -> tuple[np.ndarray, NDArray[np.intp]]:
    """Check the membership that an attack's ``fit`` is given.

    Parameters
    ----------
    y : array-like of shape (n,)
        Membership, booleans or two distinct numbers; the greater one marks members. Words are
        refused: "out" is greater than "in".
    n : int
        Number of records.

    Returns
    -------
    classes : ndarray of shape (2,)
        The two values of `y`, sorted: non-member, member.
    is_member : int ndarray of shape (n,)
        1 for members, 0 for non-members.

    Raises
    ------
    ValueError
        If `y` is None, has another length than `n`, holds words or NaN, or does not hold exactly
        two values.

    See Also
    --------
    read_view : The same for the X of ``fit``.

    Examples
    --------
    >>> from sklearn_aeppt.attacks import check_membership
    >>> check_membership([True, False, True], 3)
    (array([False,  True]), array([1, 0, 1]))
    """
    if y is None:
        raise ValueError(
            "requires y to be passed, but the target y is None: y states which records are members."
        )
    column: np.ndarray = column_or_1d(y, warn=True)
    words = [value for value in column.tolist() if not isinstance(value, (bool, Real))]
    if words:
        raise ValueError(
            f"y={words[0]!r}, ... states membership in words, and which word means member is "
            "unknown: give a boolean mask that is true for members, as in y == 'member'."
        )
    if column.dtype == object:
        column = np.asarray(column.tolist())  # booleans or numbers, then
    assert_all_finite(column, input_name="y")
    check_classification_targets(column)
    if len(column) != n:
        raise ValueError(f"y has {len(column)} memberships for {n} records: give one for each.")
    classes, target = np.unique(column, return_inverse=True)
    if len(classes) > 2:
        raise ValueError(
            "Only binary classification is supported. The type of the target is "
            f"{type_of_target(column)}: y must hold members (1) and non-members (0)."
        )
    if len(classes) < 2:
        raise ValueError(
            f"y holds one class only, {classes[0]!r}: an attack is trained on members (1) and "
            "non-members (0)."
        )
    return classes, target
