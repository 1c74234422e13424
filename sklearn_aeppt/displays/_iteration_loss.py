"""Loss of the substitute MIM along the perturbation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator
from sklearn.utils import check_consistent_length
from sklearn.utils.validation import check_is_fitted

from sklearn_aeppt._ask import ask
from sklearn_aeppt.displays._plotting import SIDES, as_table, legend_above, new_axes
from sklearn_aeppt.metrics._membership import as_membership

if TYPE_CHECKING:
    from matplotlib.axes import Axes


class IterationLossDisplay:
    """Loss of the substitute MIM's own belief along the perturbation, members and non-members.

    The perturbation climbs this loss; above log 2, the MIM has changed its decision.

    Parameters
    ----------
    loss : ndarray of shape (n_iterations + 1, n)
        Cross-entropy in nats, before the first and after each iteration.
    is_member : boolean ndarray of shape (n,)
        Membership of the records.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes with the curves.
    lines_ : list of two matplotlib Line2D
        Medians of members and of non-members.
    figure_ : matplotlib Figure
        Figure of the axes.

    See Also
    --------
    sklearn_aeppt.AEPPTClassifier : The defense whose iterations are drawn.
    PerturbationDisplay : What they do to one record.

    References
    ----------
    AEPPT (arXiv 2011.13696), Algorithm 1 and Fig. 5.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_aeppt.displays import IterationLossDisplay
    >>> loss = np.linspace(0.2, 0.9, 11)[:, None] + np.linspace(0, 0.1, 20)
    >>> display = IterationLossDisplay.from_predictions(loss, np.arange(20) < 10)
    >>> display.ax_.get_xlabel()
    'Iteration'
    """

    def __init__(self, *, loss: np.ndarray, is_member: np.ndarray) -> None:
        self.loss, self.is_member = loss, is_member

    @classmethod
    def from_estimator(
        cls,
        defense: BaseEstimator,
        X: Any,
        is_member: ArrayLike,
        *,
        ax: Axes | None = None,
        **kwargs: Any,
    ) -> IterationLossDisplay:
        """Run a fitted `AEPPTClassifier` on records and draw the loss of its substitute MIM.

        The loss is that of the vectors during the iterations (Algorithm 1), before they are
        brought back to rows that sum to one and keep the label.

        Parameters
        ----------
        defense : fitted AEPPTClassifier
            The defense.
        X : records
            Whatever the defended model takes.
        is_member : array-like of shape (n,), boolean or 0/1
            Membership; both values must occur.
        ax : matplotlib Axes, default=None
            Axes to draw on. None makes new ones.
        **kwargs : dict
            Keywords for matplotlib's ``plot``.

        Returns
        -------
        display : IterationLossDisplay
            The drawn display.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            If `defense` is not fitted.
        ValueError
            If the lengths differ or `is_member` holds one side only.

        See Also
        --------
        IterationLossDisplay.from_predictions : From losses that are already there.
        """
        check_is_fitted(defense)
        loss = _loss_per_iteration(defense, X)
        return cls.from_predictions(loss, is_member, ax=ax, **kwargs)

    @classmethod
    def from_predictions(
        cls, loss: ArrayLike, is_member: ArrayLike, *, ax: Axes | None = None, **kwargs: Any
    ) -> IterationLossDisplay:
        """Draw losses.

        Parameters
        ----------
        loss : array-like of shape (n_iterations + 1, n)
            Cross-entropy in nats, before the first and after each iteration.
        is_member : array-like of shape (n,), boolean or 0/1
            Membership; both values must occur.
        ax : matplotlib Axes, default=None
            Axes to draw on. None makes new ones.
        **kwargs : dict
            Keywords for matplotlib's ``plot``.

        Returns
        -------
        display : IterationLossDisplay
            The drawn display.

        Raises
        ------
        ValueError
            If `loss` is not two-dimensional, the numbers of records differ, or `is_member` holds
            one side only.

        See Also
        --------
        IterationLossDisplay.from_estimator : From a fitted defense.

        Examples
        --------
        >>> from sklearn_aeppt.displays import IterationLossDisplay
        >>> display = IterationLossDisplay.from_predictions([[0.2, 0.4], [0.9, 0.8]], [1, 0])
        >>> display.loss.shape
        (2, 2)
        """
        table = as_table(loss, "loss")
        mask = as_membership(is_member, "is_member")
        check_consistent_length(table.T, mask)
        return cls(loss=table, is_member=mask).plot(ax=ax, **kwargs)

    def plot(self, ax: Axes | None = None, **kwargs: Any) -> IterationLossDisplay:
        """Draw the median of each side, with a band from the 10th to the 90th percentile.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw on. None makes new ones.
        **kwargs : dict
            Keywords for matplotlib's ``plot``.

        Returns
        -------
        self : IterationLossDisplay
            The drawn display.

        Raises
        ------
        ImportError
            If matplotlib is not installed.

        See Also
        --------
        IterationLossDisplay.from_predictions : Check the losses and draw them.

        Examples
        --------
        >>> import numpy as np
        >>> from sklearn_aeppt.displays import IterationLossDisplay
        >>> display = IterationLossDisplay(
        ...     loss=np.array([[0.2, 0.4], [0.9, 0.8]]), is_member=np.array([True, False])
        ... )
        >>> len(display.plot().lines_)
        2
        """
        ax = new_axes(self, ax, figsize=(5.6, 4.2))
        iteration = np.arange(len(self.loss))
        self.lines_ = []
        for (side, color, style), mask in zip(SIDES, (self.is_member, ~self.is_member)):
            low, middle, high = np.percentile(self.loss[:, mask], [10, 50, 90], axis=1)
            options = {"color": color, "linestyle": style, **kwargs}
            label = f"{side} (n = {mask.sum()}): median, 10th to 90th percentile"
            (line,) = ax.plot(iteration, middle, label=label, **options)
            ax.fill_between(iteration, low, high, color=line.get_color(), alpha=0.15)
            self.lines_.append(line)
        ax.axhline(np.log(2), color="0.3", linewidth=1, linestyle=":", label="log 2: undecided")
        ax.set(xlabel="Iteration", ylabel="Loss of the MIM's first belief (nats)")
        ax.set_xlim(0, max(iteration[-1], 1))
        ax.set_ylim(bottom=-0.02 * ax.get_ylim()[1])  # a loss of 0 stays visible
        ax.grid(alpha=0.3)
        legend_above(ax, ncols=1)
        self.ax_, self.figure_ = ax, ax.figure
        return self


def _loss_per_iteration(defense, X):
    """Return the substitute's loss before and after each iteration, shape (max_iter + 1, n)."""
    import torch
    from torch.nn.functional import softplus

    from sklearn_aeppt._nets._perturbation import AutogradGradient, perturb_block

    proba = ask(defense.estimator_, X)
    draws = defense._draws(proba, X, defense.estimator_) if defense.n_draws else None
    module = defense.substitute_.module_
    device = next(module.parameters(), torch.empty(0)).device  # where it was loaded to
    p = torch.as_tensor(proba, dtype=torch.float32, device=device)
    label = p.argmax(dim=1)
    logits = []
    perturb_block(
        AutogradGradient(module),
        p,
        label,
        torch.as_tensor(defense._steps(len(proba), draws), device=device),
        defense.step_size_,
        on_iteration=lambda q: logits.append(module(q, label)),
    )
    logit = torch.stack(logits)
    believed = torch.where(logit[0] >= 0, 1.0, -1.0)
    return softplus(-believed * logit).cpu().numpy()
