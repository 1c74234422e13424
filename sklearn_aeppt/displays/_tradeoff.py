"""Privacy against perturbation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils import check_consistent_length, column_or_1d

from sklearn_aeppt.displays._plotting import (
    MARKERS,
    legend_above,
    legend_label,
    new_axes,
    next_style,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes


class TradeoffDisplay:
    """Privacy against perturbation, with the floor and the limit of any label-keeping defense.

    Parameters
    ----------
    size : ndarray of shape (n_settings,)
        Mean L1 of each setting (0 to 2), in increasing order.
    accuracy : ndarray of shape (n_settings,)
        Balanced accuracy of the attack (0 to 1).
    floor : float in [0, 1]
        See `sklearn_aeppt.metrics.label_only_floor`.
    interval : tuple of two ndarrays of shape (n_settings,), default=None
        Lower and upper ends of the accuracy's confidence interval (0 to 1).
    limit : tuple of two ndarrays of shape (n_points,), default=None
        (size, accuracy) of the least perturbation that any defense needs, by increasing size.
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
    sklearn_aeppt.EqualizedClassifier : Its ``frontier`` computes the limit.
    sklearn_aeppt.metrics.balanced_accuracy_interval : Computes the interval of an accuracy.

    References
    ----------
    AEPPT (arXiv 2011.13696), Tables I and II: accuracy and perturbation of the chosen settings.

    Examples
    --------
    >>> from sklearn_aeppt.displays import TradeoffDisplay
    >>> display = TradeoffDisplay.from_predictions(
    ...     [0.0, 0.1, 0.2], [0.74, 0.68, 0.61], floor=0.61, name="equalized"
    ... )
    >>> display.ax_.get_ylabel()
    'Attack accuracy (%)'
    """

    def __init__(
        self,
        *,
        size: np.ndarray,
        accuracy: np.ndarray,
        floor: float,
        interval: tuple[np.ndarray, np.ndarray] | None = None,
        limit: tuple[np.ndarray, np.ndarray] | None = None,
        name: object = None,
    ) -> None:
        self.size, self.accuracy, self.floor = size, accuracy, floor
        self.interval, self.limit, self.name = interval, limit, name

    @classmethod
    def from_predictions(
        cls,
        size: ArrayLike,
        accuracy: ArrayLike,
        floor: float,
        *,
        interval: tuple[ArrayLike, ArrayLike] | None = None,
        limit: tuple[ArrayLike, ArrayLike] | None = None,
        name: object = None,
        excess: bool = False,
        ax: Axes | None = None,
        **kwargs: Any,
    ) -> TradeoffDisplay:
        """Draw measured settings of one defense.

        Parameters
        ----------
        size : array-like of shape (n_settings,)
            Mean L1 of each setting (0 to 2), in any order.
        accuracy : array-like of shape (n_settings,)
            Balanced accuracy of the attack on each setting (0 to 1).
        floor : float in [0, 1]
            See `sklearn_aeppt.metrics.label_only_floor`.
        interval : tuple (low, high) of array-like of shape (n_settings,), default=None
            Ends of the accuracy's confidence interval (0 to 1).
        limit : tuple (size, accuracy) of array-like of shape (n_points,), default=None
            The least perturbation that any defense needs, in any order.
        name : object, default=None
            Name of the curve in the legend. None has no entry.
        excess : bool, default=False
            Whether to draw accuracy minus floor, in percentage points.
        ax : matplotlib Axes, default=None
            Axes to draw on. None makes new ones.
        **kwargs : dict
            Keywords for matplotlib's ``plot``.

        Returns
        -------
        display : TradeoffDisplay
            The drawn display.

        Raises
        ------
        ValueError
            If the lengths differ, or `accuracy` or `floor` is outside [0, 1], as percentages are.

        See Also
        --------
        TradeoffDisplay.plot : Draws another display on the same axes.

        Examples
        --------
        >>> from sklearn_aeppt.displays import TradeoffDisplay
        >>> display = TradeoffDisplay.from_predictions([0.1, 0.0], [0.6, 0.7], 0.6, excess=True)
        >>> display.size
        array([0. , 0.1])
        """
        sizes, accuracies = (column_or_1d(v).astype(np.float64) for v in (size, accuracy))
        check_consistent_length(sizes, accuracies)
        for key, value in (("accuracy", accuracies), ("floor", np.array([floor]))):
            if not np.all((value >= 0) & (value <= 1)):
                raise ValueError(
                    f"{key} has values outside [0, 1]: give fractions, not percentages."
                )
        order = np.argsort(sizes, kind="stable")
        display = cls(
            size=sizes[order],
            accuracy=accuracies[order],
            floor=float(floor),
            interval=None if interval is None else _reordered(interval, order),
            limit=None if limit is None else _reordered(limit, np.argsort(limit[0], kind="stable")),
            name=name,
        )
        return display.plot(ax=ax, excess=excess, **kwargs)

    def plot(
        self, ax: Axes | None = None, *, excess: bool = False, **kwargs: Any
    ) -> TradeoffDisplay:
        """Draw the defense; several on the same `ax` share the line of the floor.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw on. None makes new ones.
        excess : bool, default=False
            Whether to draw accuracy minus floor, in percentage points.
        **kwargs : dict
            Keywords for matplotlib's ``plot``.

        Returns
        -------
        self : TradeoffDisplay
            The drawn display.

        Raises
        ------
        ImportError
            If matplotlib is not installed.

        See Also
        --------
        TradeoffDisplay.from_predictions : Sort the settings and draw them.

        Examples
        --------
        >>> import numpy as np
        >>> from sklearn_aeppt.displays import TradeoffDisplay
        >>> display = TradeoffDisplay(size=np.array([0.1]), accuracy=np.array([0.7]), floor=0.6)
        >>> display.plot(excess=True).ax_.get_ylabel()
        'Excess over the label alone (points)'
        """
        ax = new_axes(self, ax, figsize=(5.6, 4.4))
        base = self.floor if excess else 0.0
        n_curves, style = next_style(ax, "tradeoff")
        style |= {"marker": MARKERS[n_curves % len(MARKERS)], "label": legend_label(self.name)}
        style |= kwargs
        self.line_ = ax.plot(self.size, 100 * (self.accuracy - base), gid="tradeoff", **style)[0]
        if self.interval is not None:
            low, high = (100 * (end - base) for end in self.interval)
            ax.vlines(self.size, low, high, color=self.line_.get_color(), lw=1, alpha=0.7)
        if self.limit is not None:
            size, accuracy = self.limit
            label = "least that any defense needs"
            dots: dict[str, Any] = {"color": "0.4", "linestyle": (0, (1, 1)), "label": label}
            ax.plot(size, 100 * (accuracy - base), **dots)
        if n_curves == 0:
            dashes: dict[str, Any] = {"color": "0.2", "linewidth": 1, "linestyle": (0, (6, 3))}
            label = f"label alone: {self.floor:.1%}"
            ax.axhline(100 * (self.floor - base), label=label, **dashes)
            ax.set_xlabel("Perturbation: mean L1 over records (probability)")
            unit = "Excess over the label alone (points)" if excess else "Attack accuracy (%)"
            ax.set_ylabel(unit)
            ax.grid(alpha=0.3)
        legend_above(ax)
        self.ax_, self.figure_ = ax, ax.figure
        return self


def _reordered(pair, order):
    """Return the two arrays of `pair` in the given order."""
    first, second = (np.asarray(values, dtype=np.float64)[order] for values in pair)
    return first, second
