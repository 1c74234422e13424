"""ROC of a membership inference attack on logarithmic axes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from sklearn_aeppt.displays._plotting import legend_above, legend_label, new_axes, next_style
from sklearn_aeppt.metrics import counts_at_thresholds

if TYPE_CHECKING:
    from matplotlib.axes import Axes


class MembershipRocDisplay:
    """ROC of a membership inference attack on logarithmic axes.

    What counts for privacy is how many members an attack identifies at very few false positives;
    on linear axes that corner is a point.

    Parameters
    ----------
    fpr : ndarray of shape (n_thresholds,)
        False positive rate at each distinct score, rising to 1.
    tpr : ndarray of shape (n_thresholds,)
        True positive rate at each distinct score, rising to 1.
    n_members : int
        Number of members; the axis of the true positive rate starts at one of them.
    n_non_members : int
        Number of non-members; the axis of the false positive rate starts at one of them.
    name : object, default=None
        Name of the curve in the legend. None has no entry.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes with the curve.
    line_ : matplotlib Line2D
        The curve.
    figure_ : matplotlib Figure
        Figure of the axes.

    See Also
    --------
    sklearn.metrics.RocCurveDisplay : The same on linear axes.
    sklearn_aeppt.metrics.tpr_at_fpr : One point of the curve.

    References
    ----------
    Carlini, Chien, Nasr, Song, Terzis, Tramer (2022), "Membership inference attacks from first
    principles", Section IV.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_aeppt.displays import MembershipRocDisplay
    >>> rng = np.random.default_rng(0)
    >>> y_true = np.r_[np.ones(500), np.zeros(500)]
    >>> display = MembershipRocDisplay.from_predictions(y_true, rng.normal(y_true), name="loss")
    >>> display.ax_.get_xscale()
    'log'
    """

    def __init__(
        self,
        *,
        fpr: np.ndarray,
        tpr: np.ndarray,
        n_members: int,
        n_non_members: int,
        name: object = None,
    ) -> None:
        self.fpr, self.tpr = fpr, tpr
        self.n_members, self.n_non_members = n_members, n_non_members
        self.name = name

    @classmethod
    def from_estimator(
        cls,
        attack: BaseEstimator,
        X: Any,
        y: ArrayLike,
        *,
        name: object = None,
        ax: Axes | None = None,
        **kwargs: Any,
    ) -> MembershipRocDisplay:
        """Draw the ROC of a fitted attack.

        Parameters
        ----------
        attack : fitted binary classifier
            Attack with ``decision_function`` or ``predict_proba``.
        X : SliceDict of `sklearn_aeppt.attacks.query`, or whatever `attack` takes
            What the attack sees of the records.
        y : array-like of shape (n,), boolean or 0/1
            Membership; both values must occur.
        name : object, default=None
            Name of the curve in the legend. None is the attack's class name.
        ax : matplotlib Axes, default=None
            Axes to draw on. None makes new ones.
        **kwargs : dict
            Keywords for matplotlib's ``step``.

        Returns
        -------
        display : MembershipRocDisplay
            The drawn display.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            If `attack` is not fitted.
        ValueError
            If the lengths differ, a score is NaN, or `y` holds one side only.

        See Also
        --------
        MembershipRocDisplay.from_predictions : From scores that are already there.

        Examples
        --------
        >>> import numpy as np
        >>> from sklearn_aeppt.attacks import ThresholdAttack
        >>> from sklearn_aeppt.displays import MembershipRocDisplay
        >>> rng = np.random.default_rng(0)
        >>> is_member = np.arange(200) < 100
        >>> top = np.where(is_member, 0.9, 0.7) + rng.uniform(-0.1, 0.1, 200)
        >>> proba = np.column_stack([top, 1 - top])
        >>> attack = ThresholdAttack().fit(proba, is_member)
        >>> MembershipRocDisplay.from_estimator(attack, proba, is_member).name
        'ThresholdAttack'
        """
        check_is_fitted(attack)
        if hasattr(attack, "decision_function"):
            y_score = attack.decision_function(X)
        else:
            y_score = attack.predict_proba(X)[:, 1]
        name = type(attack).__name__ if name is None else name
        return cls.from_predictions(y, y_score, name=name, ax=ax, **kwargs)

    @classmethod
    def from_predictions(
        cls,
        y_true: ArrayLike,
        y_score: ArrayLike,
        *,
        name: object = None,
        ax: Axes | None = None,
        **kwargs: Any,
    ) -> MembershipRocDisplay:
        """Draw the ROC of scores.

        Parameters
        ----------
        y_true : array-like of shape (n,), boolean or 0/1
            Membership; both values must occur.
        y_score : array-like of shape (n,)
            Attack scores; greater means more likely a member. May be infinite.
        name : object, default=None
            Name of the curve in the legend. None has no entry.
        ax : matplotlib Axes, default=None
            Axes to draw on. None makes new ones.
        **kwargs : dict
            Keywords for matplotlib's ``step``.

        Returns
        -------
        display : MembershipRocDisplay
            The drawn display.

        Raises
        ------
        ValueError
            If the lengths differ, a score is NaN, or `y_true` holds one side only.

        See Also
        --------
        MembershipRocDisplay.from_estimator : From a fitted attack.

        Examples
        --------
        >>> from sklearn_aeppt.displays import MembershipRocDisplay
        >>> display = MembershipRocDisplay.from_predictions([1, 1, 0, 0], [0.9, 0.6, 0.6, 0.1])
        >>> display.fpr, display.tpr
        (array([0. , 0.5, 1. ]), array([0.5, 1. , 1. ]))
        """
        _, members, non_members = counts_at_thresholds(y_true, y_score)
        display = cls(
            fpr=non_members / non_members[-1],
            tpr=members / members[-1],
            n_members=int(members[-1]),
            n_non_members=int(non_members[-1]),
            name=name,
        )
        return display.plot(ax=ax, **kwargs)

    def plot(
        self, ax: Axes | None = None, *, name: object = None, **kwargs: Any
    ) -> MembershipRocDisplay:
        """Draw the curve; several on the same `ax` share the line of random guessing.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw on. None makes new ones.
        name : object, default=None
            Name of the curve in the legend. None is the display's own `name`.
        **kwargs : dict
            Keywords for matplotlib's ``step``.

        Returns
        -------
        self : MembershipRocDisplay
            The drawn display.

        Raises
        ------
        ImportError
            If matplotlib is not installed.

        See Also
        --------
        MembershipRocDisplay.from_predictions : Compute the curve and draw it.

        Examples
        --------
        >>> import numpy as np
        >>> from sklearn_aeppt.displays import MembershipRocDisplay
        >>> display = MembershipRocDisplay(
        ...     fpr=np.array([0, 1]), tpr=np.array([0.5, 1]), n_members=10, n_non_members=10
        ... )
        >>> display.plot(name="attack").line_.get_label()
        'attack'
        """
        ax = new_axes(self, ax, figsize=(4.8, 5))
        left, bottom = 1 / self.n_non_members, 1 / self.n_members
        n_curves, style = next_style(ax, "membership-roc")
        style |= {"label": legend_label(self.name if name is None else name), **kwargs}
        # Steps, as nothing is interpolated. A rate of 0 has no place on a log axis: the curve
        # comes in at the left edge with what it finds without any false positive.
        x, y = np.r_[0, self.fpr].clip(left / 2), np.r_[0, self.tpr].clip(bottom / 2)
        self.line_ = ax.step(x, y, where="post", gid="membership-roc", **style)[0]
        if n_curves == 0:
            low = min(left, bottom) / 2
            ax.plot([low, 1], [low, 1], color="0.6", linewidth=1, label="chance", zorder=1)
            ax.set(xscale="log", yscale="log", xlim=(left / 2, 1), ylim=(bottom / 2, 1))
            ax.set(xlabel="False positive rate", ylabel="True positive rate")
            ax.grid(alpha=0.3)
        else:
            ax.set_xlim(left=min(ax.get_xlim()[0], left / 2))
            ax.set_ylim(bottom=min(ax.get_ylim()[0], bottom / 2))
        if style["label"] is not None:
            legend_above(ax)
        self.ax_, self.figure_ = ax, ax.figure
        return self
