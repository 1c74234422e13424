"""Empirical distributions of a quantity, class by class."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator

from sklearn_aeppt._groups import as_labels, as_written
from sklearn_aeppt._text import group_name, picture_name
from sklearn_aeppt.displays._plotting import SIDES, legend_above, new_axes
from sklearn_aeppt.metrics import per_class_report
from sklearn_aeppt.metrics._membership import as_membership

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_TOP_CONFIDENCE = "Top confidence (probability)"


class ClassCdfDisplay:
    """Empirical distributions of a quantity, members against non-members, class by class.

    Parameters
    ----------
    classes : ndarray of shape (n_classes,)
        The classes, one panel each.
    members : sequence of n_classes ndarrays
        Sorted values of each class's members.
    non_members : sequence of n_classes ndarrays
        Sorted values of each class's non-members.
    xlabel : str, default="Top confidence (probability)"
        The quantity and its unit.

    Attributes
    ----------
    axes_ : ndarray of shape (n_classes,) of matplotlib Axes
        One panel for each class.
    figure_ : matplotlib Figure
        Figure of the panels.

    See Also
    --------
    sklearn_aeppt.metrics.per_class_report : Attack accuracy of each class.

    References
    ----------
    AEPPT (arXiv 2011.13696), Fig. 4.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_aeppt.displays import ClassCdfDisplay
    >>> rng = np.random.default_rng(0)
    >>> is_member, y_class = np.arange(400) < 200, np.arange(400) % 2
    >>> top = rng.beta(np.where(is_member, 9, 3), 2)
    >>> display = ClassCdfDisplay.from_predictions(top, y_class, is_member)
    >>> len(display.axes_)
    2
    """

    def __init__(
        self,
        *,
        classes: np.ndarray,
        members: Sequence[np.ndarray],
        non_members: Sequence[np.ndarray],
        xlabel: str = _TOP_CONFIDENCE,
    ) -> None:
        self.classes = classes
        self.members, self.non_members = members, non_members
        self.xlabel = xlabel

    @classmethod
    def from_estimator(
        cls,
        target: BaseEstimator,
        X: Any,
        y_class: ArrayLike,
        is_member: ArrayLike,
        *,
        attack: BaseEstimator | None = None,
        classes: Sequence[Any] | np.ndarray | None = None,
        ax: Axes | np.ndarray | None = None,
        **kwargs: Any,
    ) -> ClassCdfDisplay:
        """Draw a target's top confidence, or the loss of an attack on its outputs.

        Parameters
        ----------
        target : fitted classifier
            Model with ``predict_proba``, defended or not.
        X : records
            Whatever `target` takes.
        y_class : array-like of shape (n,)
            Classes of the records, or any other grouping.
        is_member : array-like of shape (n,), boolean or 0/1
            Membership; both values must occur.
        attack : fitted binary classifier with ``predict_proba``, default=None
            If given, the quantity is its cross-entropy (in nats) against the membership.
        classes : sequence or one-dimensional ndarray, default=None
            The classes to draw. None is the four with the most records.
        ax : matplotlib Axes or array of n_classes Axes, default=None
            Axes to draw on, one for each class. None makes new ones.
        **kwargs : dict
            Keywords for matplotlib's ``step``.

        Returns
        -------
        display : ClassCdfDisplay
            The drawn display.

        Raises
        ------
        ValueError
            If a requested class has no records, or `ax` does not have one panel for each class.

        See Also
        --------
        ClassCdfDisplay.from_predictions : From values that are already there.

        Examples
        --------
        >>> from sklearn.datasets import load_digits
        >>> from sklearn.ensemble import RandomForestClassifier
        >>> from sklearn_aeppt.displays import ClassCdfDisplay
        >>> X, y = load_digits(return_X_y=True)
        >>> is_member = [True] * 300 + [False] * 300
        >>> target = RandomForestClassifier(n_estimators=10, random_state=0).fit(X[:300], y[:300])
        >>> display = ClassCdfDisplay.from_estimator(
        ...     target, X[:600], y[:600], is_member, classes=[3, 8]
        ... )
        >>> display.classes
        array([3, 8])
        """
        from sklearn_aeppt.attacks import query  # displays know no attack at import

        view = query(target, X)
        if attack is None:
            values, xlabel = view["proba"].max(axis=1), _TOP_CONFIDENCE
        else:
            is_member = as_membership(is_member, "is_member")
            truth = attack.predict_proba(view)[np.arange(len(is_member)), is_member.astype(int)]
            values = -np.log(truth.clip(np.finfo(np.float64).tiny))
            xlabel = "Loss of the attack (nats)"
        return cls.from_predictions(
            values, y_class, is_member, classes=classes, xlabel=xlabel, ax=ax, **kwargs
        )

    @classmethod
    def from_predictions(
        cls,
        values: ArrayLike,
        y_class: ArrayLike,
        is_member: ArrayLike,
        *,
        classes: Sequence[Any] | np.ndarray | None = None,
        xlabel: str = _TOP_CONFIDENCE,
        ax: Axes | np.ndarray | None = None,
        **kwargs: Any,
    ) -> ClassCdfDisplay:
        """Draw the distributions of `values`.

        Parameters
        ----------
        values : array-like of shape (n,)
            The quantity, such as ``proba.max(axis=1)`` or the loss of an attack.
        y_class : array-like of shape (n,)
            Classes of the records, or any other grouping.
        is_member : array-like of shape (n,), boolean or 0/1
            Membership; both values must occur.
        classes : sequence or one-dimensional ndarray, default=None
            The classes to draw. None is the four with the most records.
        xlabel : str, default="Top confidence (probability)"
            What `values` are, and in which unit.
        ax : matplotlib Axes or array of n_classes Axes, default=None
            Axes to draw on, one for each class. None makes new ones.
        **kwargs : dict
            Keywords for matplotlib's ``step``.

        Returns
        -------
        display : ClassCdfDisplay
            The drawn display.

        Raises
        ------
        ValueError
            If a requested class has no records, or `ax` does not have one panel for each class.

        See Also
        --------
        ClassCdfDisplay.from_estimator : From a fitted target.

        Examples
        --------
        >>> from sklearn_aeppt.displays import ClassCdfDisplay
        >>> display = ClassCdfDisplay.from_predictions(
        ...     [0.9, 0.8, 0.6, 0.5], list("aabb"), [1, 0, 1, 0], classes=["b"]
        ... )
        >>> display.members[0]
        array([0.6])
        """
        report = per_class_report(y_class, is_member, is_member, y_score=values)
        chosen = _largest(report) if classes is None else _find_classes(report, classes)
        display = cls(
            classes=report["class"][chosen],
            members=report["member_scores"][chosen],
            non_members=report["non_member_scores"][chosen],
            xlabel=xlabel,
        )
        return display.plot(ax=ax, **kwargs)

    def plot(self, ax: Axes | np.ndarray | None = None, **kwargs: Any) -> ClassCdfDisplay:
        """Draw one panel for each class.

        Parameters
        ----------
        ax : matplotlib Axes or array of n_classes Axes, default=None
            Axes to draw on, one for each class. None makes new ones.
        **kwargs : dict
            Keywords for matplotlib's ``step``.

        Returns
        -------
        self : ClassCdfDisplay
            The drawn display.

        Raises
        ------
        ValueError
            If `ax` does not have one panel for each class.
        ImportError
            If matplotlib is not installed.

        See Also
        --------
        ClassCdfDisplay.from_predictions : Compute the distributions and draw them.

        Examples
        --------
        >>> import numpy as np
        >>> from sklearn_aeppt.displays import ClassCdfDisplay
        >>> display = ClassCdfDisplay(
        ...     classes=np.array(["a"]), members=[np.array([0.9])], non_members=[np.array([0.6])]
        ... )
        >>> display.plot().axes_[0].get_ylabel()
        'Share of records at or below'
        """
        n = len(self.classes)
        given = ax
        axes = np.ravel(
            new_axes(self, ax, ncols=n, figsize=(1 + 2.6 * n, 3.1), sharex=True, sharey=True)
        )
        if len(axes) != n:
            raise ValueError(f"ax has {len(axes)} axes for {n} classes: give one for each.")
        everything = np.concatenate([*self.members, *self.non_members])
        low, high = everything.min(), everything.max()
        pad = 0.03 * (high - low) or 0.5
        for panel, label, *sides in zip(axes, self.classes, self.members, self.non_members):
            _draw_panel(panel, sides, (low - pad, high + pad), kwargs)
            panel.set_xlabel(f"{self.xlabel}, class {picture_name(group_name(label), 24)}")
        axes[0].set_ylabel("Share of records at or below")
        if given is None and n > 1:  # one label for all panels
            for panel, label in zip(axes, self.classes):
                panel.set_xlabel(f"class {picture_name(group_name(label), 24)}")
            axes[0].figure.supxlabel(self.xlabel, fontsize="medium")
        self.axes_, self.figure_ = axes, axes[0].figure
        return self


def _largest(report):
    """Return the places of the four classes with the most records."""
    size = report["n_members"] + report["n_non_members"]
    return np.sort(np.argsort(-size, kind="stable")[:4])


def _find_classes(report, classes):
    """Return the places of the requested classes."""
    place = {label: i for i, label in enumerate(report["class"].tolist())}
    asked = as_written(as_labels(classes)).tolist()
    unknown = [c for c in asked if c not in place]
    if unknown:
        raise ValueError(
            f"classes={unknown} have no records in y_class: choose classes that occur there."
        )
    return [place[c] for c in asked]


def _draw_panel(panel, sides, xlim, kwargs):
    """Draw the distribution functions of one class: (members' values, non-members' values)."""
    for (side, color, style), values in zip(SIDES, sides):
        share = np.arange(len(values) + 1) / max(len(values), 1)
        panel.step(
            np.r_[xlim[0], values, xlim[1]],
            np.r_[share, share[-1]],
            where="post",
            label=f"{side} (n = {len(values)})",
            **{"color": color, "linestyle": style, **kwargs},
        )
    panel.set(xlim=xlim, ylim=(-0.02, 1.02))
    panel.grid(alpha=0.3)
    legend_above(panel, ncols=1)
