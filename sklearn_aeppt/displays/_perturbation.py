"""Confidence vector of one record before and after a defense."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from sklearn_aeppt._ask import ask_as_attacker
from sklearn_aeppt._groups import as_labels
from sklearn_aeppt._text import picture_name
from sklearn_aeppt.displays._plotting import MEMBER, NON_MEMBER, as_table, legend_above, new_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_LEAST_ON_LOG = 1e-6


class PerturbationDisplay:
    """Confidence vector of one record before and after a defense.

    Parameters
    ----------
    before : ndarray of shape (K,)
        The model's confidences, as probabilities (0 to 1).
    after : ndarray of shape (K,)
        The defended confidences.
    classes : ndarray of shape (K,)
        Labels of the classes for the axis.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes with the points.
    figure_ : matplotlib Figure
        Figure of the axes.

    See Also
    --------
    sklearn_aeppt.metrics.perturbation_size : Mean size over records.

    References
    ----------
    AEPPT (arXiv 2011.13696), Fig. 6.

    Examples
    --------
    >>> from sklearn_aeppt.displays import PerturbationDisplay
    >>> display = PerturbationDisplay.from_predictions([[0.9, 0.08, 0.02]], [[0.7, 0.2, 0.1]])
    >>> display.ax_.get_ylabel()
    'Confidence (probability)'
    """

    def __init__(self, *, before: np.ndarray, after: np.ndarray, classes: np.ndarray) -> None:
        self.before, self.after, self.classes = before, after, classes

    @classmethod
    def from_estimator(
        cls,
        defense: BaseEstimator,
        X: Any,
        *,
        record: int = 0,
        ax: Axes | None = None,
        log: bool = True,
    ) -> PerturbationDisplay:
        """Ask a defense and the model that it wraps about records, and draw one of them.

        Parameters
        ----------
        defense : fitted output defense with ``estimator_``
            The defense.
        X : records
            Whatever the defended model takes.
        record : int, default=0
            Index of the row to draw.
        ax : matplotlib Axes, default=None
            Axes to draw on. None makes new ones.
        log : bool, default=True
            Whether the confidence axis is logarithmic.

        Returns
        -------
        display : PerturbationDisplay
            The drawn display.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            If `defense` is not fitted.
        IndexError
            If `record` is not a row of `X`.

        See Also
        --------
        PerturbationDisplay.from_predictions : From confidences that are already there.

        Examples
        --------
        >>> from sklearn.datasets import load_iris
        >>> from sklearn.linear_model import LogisticRegression
        >>> from sklearn_aeppt.defenses import RoundingClassifier
        >>> from sklearn_aeppt.displays import PerturbationDisplay
        >>> X, y = load_iris(return_X_y=True)
        >>> model = LogisticRegression(max_iter=1000).fit(X[::2], y[::2])
        >>> defense = RoundingClassifier(model, decimals=1).fit(X[::2], X[1::2])
        >>> PerturbationDisplay.from_estimator(defense, X).classes
        array([0, 1, 2])
        """
        check_is_fitted(defense)
        before, after = (ask_as_attacker(one, X) for one in (defense.estimator_, defense))
        return cls.from_predictions(
            before, after, record=record, classes=defense.classes_, ax=ax, log=log
        )

    @classmethod
    def from_predictions(
        cls,
        p: ArrayLike,
        q: ArrayLike,
        *,
        record: int = 0,
        classes: ArrayLike | None = None,
        ax: Axes | None = None,
        log: bool = True,
    ) -> PerturbationDisplay:
        """Draw one row of the confidences `p` (before) and `q` (after).

        Parameters
        ----------
        p : array-like of shape (n, K)
            Confidence vectors before the defense, as probabilities (0 to 1).
        q : array-like of shape (n, K)
            Confidence vectors of the same records after the defense.
        record : int, default=0
            Index of the row to draw.
        classes : array-like of shape (K,), default=None
            Labels of the classes. None means 0 to K - 1.
        ax : matplotlib Axes, default=None
            Axes to draw on. None makes new ones.
        log : bool, default=True
            Whether the confidence axis is logarithmic.

        Returns
        -------
        display : PerturbationDisplay
            The drawn display.

        Raises
        ------
        ValueError
            If the shapes differ, are not two-dimensional, or `classes` has another length.
        IndexError
            If `record` is not a row of `p`.

        See Also
        --------
        PerturbationDisplay.from_estimator : From a fitted defense.

        Examples
        --------
        >>> from sklearn_aeppt.displays import PerturbationDisplay
        >>> display = PerturbationDisplay.from_predictions(
        ...     [[0.9, 0.1]], [[0.7, 0.3]], classes=["no", "yes"], log=False
        ... )
        >>> display.ax_.get_title(loc="right")
        'L1 = 0.4'
        """
        before, after = as_table(p, "p"), as_table(q, "q")
        if before.shape != after.shape:
            raise ValueError(
                f"p has shape {before.shape} and q {after.shape}: both must have the same."
            )
        K = before.shape[1]
        labels = np.arange(K) if classes is None else as_labels(classes)
        if len(labels) != K:
            raise ValueError(
                f"classes has {len(labels)} entries for {K} columns of p: give one for each."
            )
        display = cls(before=before[record], after=after[record], classes=labels)
        return display.plot(ax=ax, log=log)

    def plot(self, ax: Axes | None = None, *, log: bool = True) -> PerturbationDisplay:
        """Draw a ring (before) and a dot (after) for each class, joined by a line.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw on. None makes new ones.
        log : bool, default=True
            Whether the confidence axis is logarithmic; confidences below one millionth are drawn
            at its bottom.

        Returns
        -------
        self : PerturbationDisplay
            The drawn display.

        Raises
        ------
        ImportError
            If matplotlib is not installed.

        See Also
        --------
        PerturbationDisplay.from_predictions : Choose a record and draw it.

        Examples
        --------
        >>> import numpy as np
        >>> from sklearn_aeppt.displays import PerturbationDisplay
        >>> display = PerturbationDisplay(
        ...     before=np.array([0.9, 0.1]), after=np.array([0.7, 0.3]), classes=np.array([0, 1])
        ... )
        >>> display.plot(log=False).ax_.get_yscale()
        'linear'
        """
        K = len(self.classes)
        ax = new_axes(self, ax, figsize=(min(10, max(5.0, 1.5 + 0.14 * K)), 4.2))
        place = np.arange(K)
        floor = _LEAST_ON_LOG if log else 0.0
        before, after = self.before.clip(floor), self.after.clip(floor)
        ax.vlines(place, np.minimum(before, after), np.maximum(before, after), color="0.6", lw=1)
        size = 7.0 if K <= 40 else 5.0
        marks: dict[str, Any] = {"linestyle": "none", "marker": "o"}
        ring: dict[str, Any] = {"markerfacecolor": "none", "color": NON_MEMBER, "markersize": size}
        ax.plot(place, before, label="before", **marks, **ring)
        ax.plot(place, after, label="after", **marks, color=MEMBER, markersize=size / 2)
        if log:
            ax.set_yscale("log")
            ax.set_ylim(floor / 2, 2)
        else:
            ax.set_ylim(-0.02, 1.02)
        self._label_axes(ax)
        legend_above(ax)
        self.ax_, self.figure_ = ax, ax.figure
        return self

    def _label_axes(self, ax):
        """Name the classes where there is room, and state the size of the change."""
        K = len(self.classes)
        if K <= 30:
            labels = [picture_name(c, 20) for c in self.classes]
            crowded = K * max(map(len, labels)) > 40
            ax.set_xticks(np.arange(K), labels, rotation=90 if crowded else 0)
            ax.set_xlabel("Class")
        else:
            ax.set_xlabel("Class (index of the column)")
        ax.set_xlim(-0.8, K - 0.2)
        ax.set_ylabel("Confidence (probability)")
        size = np.abs(self.before - self.after).sum()
        ax.set_title(f"L1 = {size:.3g}", loc="right", fontsize="medium")
        ax.grid(alpha=0.3, axis="y")
