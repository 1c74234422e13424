"""Confidence vectors: how they are checked, and how moved ones get back onto the simplex."""

from decimal import Decimal
from numbers import Real

import numpy as np


@np.errstate(under="ignore")  # what is nearly nothing may become nothing
def check_proba(proba, *, source, n_classes=None, sums=True, figures=True):
    """Return `proba` as a float array of shape (n, K) whose rows are probability vectors.

    No copy is made of a float array, and no temporary of its size, so that a million rows cost
    nothing extra. Rows may miss a sum of one by 0.001, as rounded answers do; with `sums` false
    their sums are not looked at, and with `figures` false no message says anything of them.
    """
    proba = _as_floats(proba, source)
    if proba.ndim != 2 or 0 in proba.shape:
        raise ValueError(
            f"{source} has shape {proba.shape}: it must be (n_records, n_classes), neither empty."
        )
    if n_classes is not None and proba.shape[1] != n_classes:
        raise ValueError(
            f"{source} has {proba.shape[1]} columns for {n_classes} classes: give one column per "
            "entry of classes_."
        )
    low, high = proba.min(), proba.max()
    if not np.isfinite([low, high]).all():
        raise ValueError(f"{source} contains NaN or infinity: fix the model first.")
    if low < 0:
        number = f"{low:.6g}" if figures else "a negative number"
        raise ValueError(
            f"{source} contains {number}, but confidences are not negative: "
            "give probabilities, not logits or decision values."
        )
    off = np.abs(proba.sum(axis=1, dtype=np.float64) - 1).max() if sums else 0
    if off > 1e-3:
        by = f" (off by up to {off:.3g})" if figures else ""
        raise ValueError(
            f"{source} has rows that do not sum to one{by}: "
            "divide each row by its sum if they are unnormalized scores, percentages by 100."
        )
    return proba


def _as_floats(proba, source):
    """Return numbers of any real type as floats; refuse what numpy would read as some."""
    proba = np.asarray(proba)
    if proba.dtype.kind == "f" and proba.dtype.itemsize <= 8:  # torch knows no longer floats
        return proba
    kinds = {proba.dtype.name}
    if proba.dtype.kind == "O":
        cells = proba.ravel().tolist()
        kinds = {type(cell).__name__ for cell in cells if not isinstance(cell, (Real, Decimal))}
    if proba.dtype.kind not in "biufO" or (proba.dtype.kind == "O" and kinds):
        raise ValueError(
            f"{source} holds {', '.join(sorted(kinds))} in the place of numbers: give an array of "
            "floats, one row for each record."
        )
    return proba.astype(np.float64)


def to_simplex(p, q, label):
    """Return the moved rows `q` as probability vectors that keep the labels of `p`.

    Of the ways back to the simplex, dividing by the sum needs the least L1 for the same
    protection (docs/perturbation.md has the measurement). A row that changed its argmax goes
    back along the segment towards `p`: there the lead of the label over class j is linear, so
    the last point that keeps the label is known in closed form.

    Parameters
    ----------
    p : float ndarray of shape (n, K)
        Rows before the move, no entry negative.
    q : float ndarray of shape (n, K)
        Rows after the move, no entry negative; they need not sum to one.
    label : int ndarray of shape (n,)
        ``p.argmax(axis=1)``.

    Returns
    -------
    shown : ndarray of shape (n, K)
        Probability vectors whose argmax is `label`, of the dtype of `p`.

    See Also
    --------
    sklearn_aeppt.defenses.OutputDefense : Base of the defenses that release such vectors.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_aeppt.defenses import to_simplex
    >>> p, q = np.array([[0.75, 0.25]]), np.array([[0.75, 0.75]])
    >>> to_simplex(p, q, p.argmax(axis=1)).round(3)
    array([[0.5, 0.5]])
    """
    total = q.sum(axis=1, keepdims=True, dtype=np.float64)
    shown = np.where(total > 0, q / np.where(total > 0, total, 1), 1 / q.shape[1]).astype(p.dtype)
    crossed = np.flatnonzero(~leads(shown, label))
    if not len(crossed):
        return shown
    before, after = p[crossed].astype(np.float64), shown[crossed].astype(np.float64)
    before /= before.sum(axis=1, keepdims=True)
    top = label[crossed][:, None]
    lead_before = np.take_along_axis(before, top, 1) - before
    lead_after = np.take_along_axis(after, top, 1) - after
    losing = lead_after < 0
    share = np.where(losing, lead_before / np.where(losing, lead_before - lead_after, 1), 1)
    # a hair less than the crossing, so that the label leads and does not merely tie
    share = 0.999 * share.min(axis=1, keepdims=True)
    shown[crossed] = let_lead((before + share * (after - before)).astype(p.dtype), top[:, 0])
    return shown


def leads(proba, label):
    """Return which rows have their argmax at `label`, as float32 too, boolean of shape (n,).

    Whoever stores what they are shown as float32 reads the same label then.
    """
    found = proba.argmax(axis=1) == label
    if proba.dtype != np.float32:
        found &= proba.astype(np.float32).argmax(axis=1) == label
    return found


def let_lead(proba, label):
    """Raise `label` in place where it does not lead, to one step of float32 above the others."""
    rows = np.flatnonzero(~leads(proba, label))
    highest = proba[rows].max(axis=1).astype(np.float32)
    proba[rows, label[rows]] = np.nextafter(highest, np.inf, dtype=np.float32)
    return proba


def shares(values):
    """Return rows divided by their sums; a row of zeros becomes uniform."""
    total = values.sum(axis=1, keepdims=True)
    return np.where(total > 0, values / np.where(total > 0, total, 1), 1 / max(values.shape[1], 1))


def falling_order(values):
    """Return the columns of each row of float32 values >= 0, greatest first, equals in order.

    The bits of such floats are in their order, so that one fast sort of (bits, column) as
    integers does; numpy's stable argsort takes four times as long.
    """
    bits = (values + np.float32(0)).view(np.uint32)  # no -0.0: its bits are great
    keys = (~bits).astype(np.uint64)  # the greatest is the least
    keys <<= np.uint64(32)
    keys |= np.arange(values.shape[1], dtype=np.uint64)
    keys.sort(axis=1)
    keys &= np.uint64(0xFFFFFFFF)
    return keys.astype(np.intp, copy=False)
