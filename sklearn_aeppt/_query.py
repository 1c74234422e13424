"""What an adversary sees of a target: confidences and a label, nothing else.

Data flows one way through the library: target -> ``query`` -> attack -> score.
"""

import numpy as np
from scipy.sparse import issparse
from sklearn.utils import assert_all_finite, check_random_state
from sklearn.utils.multiclass import check_classification_targets, type_of_target
from sklearn.utils.validation import check_array, check_is_fitted, column_or_1d, validate_data
from skorch.helper import SliceDict

from sklearn_aeppt._records import RecordRows


@np.errstate(under="ignore")  # what is nearly nothing may become nothing
def query(target, X, y=None, *, n_queries=1, augment=None, random_state=None):
    """Ask a target for its answers on records, as a black-box adversary does.

    Parameters
    ----------
    target : fitted classifier
        Anything with ``predict_proba`` and ``classes_``, the address of a service too; a defended
        classifier is asked like any other, so the attack sees only what the defense shows.
    X : records
        Whatever `target` takes: (n, n_features) array, frame, sparse matrix, list of texts.
    y : array-like of shape (n,), default=None
        The records' true labels, in the target's own labels (the paper's adversary knows them).
        None stands for the predicted labels.
    n_queries : int, default=1
        How often to ask. More than once, the answers also stand under ``repeats``, shape
        (n, n_queries, K), for `AveragingAttack` and `LabelOnlyAttack`.
    augment : callable or None, default=None
        ``augment(X, rng) -> X`` makes a variant of every record, such as `BitFlips` or
        `GaussianNoise`; all questions but the first are about variants. None repeats the record.
    random_state : int, RandomState instance or None, default=None
        Seeds the variants.

    Returns
    -------
    view : skorch.helper.SliceDict
        ``proba``: (n, K) float32 confidences; ``label``: (n,) int64 index into
        ``target.classes_``; ``X``: the records, copied out late, for attacks that train models
        of their own. scikit-learn slices it row by row, so it goes through ``cross_val_score``
        and the like as it is.

    Raises
    ------
    ValueError
        If `y` holds a label that the target does not know.
    TypeError
        If the target has no ``predict_proba``.

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
    check_ready(target)
    rng = check_random_state(random_state)
    answers = []
    for i in range(n_queries):
        asked = X if i == 0 or augment is None else augment(X, rng)
        answers.append(np.asarray(target.predict_proba(asked), dtype=np.float32))
    proba = answers[0]
    label = proba.argmax(axis=1).astype(np.int64) if y is None else label_index(target.classes_, y)
    view = SliceDict(proba=proba, label=label, X=RecordRows(X))
    if n_queries > 1:
        view["repeats"] = np.stack(answers, axis=1)
    return view


def check_ready(target):
    """Refuse a target that cannot be asked; one without ``fit`` is fitted elsewhere."""
    if not hasattr(target, "predict_proba"):
        raise TypeError(f"target={target!r} has no predict_proba to attack.")
    if hasattr(target, "fit"):
        check_is_fitted(target)


def find_labels(classes, y):
    """Return the int64 index into `classes` of every label in `y`, -1 where it is not there."""
    classes, y = np.asarray(classes), np.asarray(y)
    order = np.argsort(classes)
    place = np.searchsorted(classes, y, sorter=order).clip(max=len(classes) - 1)
    index = order[place].astype(np.int64)
    return np.where(classes[index] == y, index, -1)


def label_index(classes, y):
    """Return the int64 index into `classes` of every label in `y`; refuse unknown labels."""
    index = find_labels(classes, y)
    if (index < 0).any():
        raise ValueError(
            f"y={np.unique(np.asarray(y)[index < 0])[:5].tolist()} holds labels that the target "
            "does not know: give labels out of target.classes_, or leave these records out."
        )
    return index


@np.errstate(under="ignore")
def read_view(attack, X, *, reset):
    """Return `X` as the pair (proba, label) that an attack works on.

    A mapping must hold ``proba``; a plain two-dimensional array is read as ``proba``. Without
    ``label`` the predicted one stands in. Sets or checks ``attack.n_features_in_`` (= K).
    """
    label = None
    if isinstance(X, dict) and not issparse(X):  # scipy's dok_matrix is a dict too
        if "proba" not in X:
            raise ValueError(
                f"X={sorted(X)} holds no 'proba': make it with sklearn_aeppt.attacks.query."
            )
        label = X.get("label")
        X = X["proba"]
    proba = validate_data(attack, X, dtype=np.float32, reset=reset)
    if label is None:
        return proba, proba.argmax(axis=1).astype(np.int64)
    label = check_array(label, ensure_2d=False, dtype=np.int64)
    if label.shape != proba.shape[:1] or label.min() < 0 or label.max() >= proba.shape[1]:
        raise ValueError(
            f"X['label'] must be {len(proba)} class indices from 0 to {proba.shape[1] - 1}, "
            f"got shape {label.shape} and values from {label.min()} to {label.max()}: "
            "make X with sklearn_aeppt.attacks.query."
        )
    return proba, label


def read_records(attack, X, *, reset):
    """Return (records, proba, label) of a view that holds the records themselves."""
    proba, label = read_view(attack, X, reset=reset)
    records = X.get("X") if isinstance(X, dict) else None
    if records is None:
        raise ValueError(
            f"{type(attack).__name__} trains on records and X holds answers only: make it with "
            "sklearn_aeppt.attacks.query, or put the records under the key 'X'."
        )
    return records.take() if isinstance(records, RecordRows) else records, proba, label


def check_membership(y, n):
    """Return (classes, target) of a membership vector: target is 1 for the greater class."""
    if y is None:
        raise ValueError(
            "requires y to be passed, but the target y is None: y says which records are members."
        )
    y = column_or_1d(y, warn=True)
    assert_all_finite(y, input_name="y")
    check_classification_targets(y)
    if len(y) != n:
        raise ValueError(f"y has {len(y)} memberships for {n} records: give one for each.")
    classes, target = np.unique(y, return_inverse=True)
    if len(classes) > 2:
        raise ValueError(
            "Only binary classification is supported. The type of the target is "
            f"{type_of_target(y)}: y must hold members (1) and non-members (0)."
        )
    if len(classes) < 2:
        raise ValueError(
            f"y holds one class only, {classes[0]!r}: an attack is trained on members (1) and "
            "non-members (0)."
        )
    return classes, target
