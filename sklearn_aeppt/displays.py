"""Pictures of attacks and defenses, made from arrays.

Each display stores what it shows and draws it on ``plot()``; ``from_predictions`` computes that
from answers and scores, ``from_estimator`` only asks a model for them first. matplotlib is needed
to plot, not to import this module. Names are drawn literally, whatever they are: no dollar sign
starts a formula, long ones are shortened, and what the font lacks stands as its escape.
"""

import numpy as np
from sklearn.utils import check_consistent_length, column_or_1d
from sklearn.utils._optional_dependencies import check_matplotlib_support
from sklearn.utils.validation import check_is_fitted

from sklearn_aeppt._groups import as_labels, as_written
from sklearn_aeppt._one_step import as_fitted
from sklearn_aeppt._text import picture_name
from sklearn_aeppt.metrics import _as_membership, counts_at_thresholds, per_class_report

__all__ = [
    "ClassCdfDisplay",
    "IterationLossDisplay",
    "MembershipRocDisplay",
    "PerturbationDisplay",
    "TradeoffDisplay",
]

# Okabe and Ito's palette: told apart with any color vision, and here by line style too.
_MEMBER, _NON_MEMBER = "#D55E00", "#0072B2"
_SIDES = (("members", _MEMBER, "-"), ("non-members", _NON_MEMBER, "--"))
_CYCLE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
_STYLES = ("-", "--", "-.", ":")


def _new_axes(display, ax, **subplots):
    """Return `ax`, or a new one, where matplotlib can be imported."""
    check_matplotlib_support(f"{type(display).__name__}.plot")
    if ax is not None:
        return ax
    import matplotlib.pyplot as plt

    return plt.subplots(layout="constrained", **subplots)[1]


def _legend_above(ax, ncols=2):
    """Put the legend over the axes, where it covers no data; long names one under another."""
    labels = ax.get_legend_handles_labels()[1]
    ncols = 1 if max(map(len, labels)) > 16 else ncols
    ax.legend(loc="lower left", bbox_to_anchor=(0, 1.01), ncols=ncols, frameon=False, borderpad=0)


def _legend_label(name):
    """Return the legend's label of a curve: None stays None, and has no entry."""
    return None if name is None else picture_name(name, 36)


def _as_table(values, name):
    values = np.asarray(values, dtype=np.float64)
    if values.ndim != 2 or 0 in values.shape:
        raise ValueError(f"{name} has shape {values.shape}: it must be two-dimensional, not empty.")
    return values


class MembershipRocDisplay:
    """ROC of a membership inference attack on logarithmic axes.

    What counts for privacy is how many members an attack finds while it accuses hardly anybody
    wrongly; on linear axes that corner is a point.

    Parameters
    ----------
    fpr, tpr : ndarray of shape (n_thresholds,)
        Rates at each distinct score, both rising to 1.
    n_members, n_non_members : int
        Sample sizes; the axes start at one record.
    name : object, default=None
        For the legend; None has no entry.

    Attributes
    ----------
    ax_ : matplotlib Axes
    line_ : matplotlib Line2D
    figure_ : matplotlib Figure

    See Also
    --------
    sklearn.metrics.RocCurveDisplay : The same on linear axes.

    References
    ----------
    Carlini, Chien, Nasr, Song, Terzis, Tramer (2022), "Membership inference attacks from first
    principles", Section IV.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_aeppt.displays import MembershipRocDisplay
    >>> rng = np.random.default_rng(0)
    >>> y = np.r_[np.ones(500), np.zeros(500)]
    >>> display = MembershipRocDisplay.from_predictions(y, rng.normal(y), name="loss")
    >>> display.ax_.get_xscale()
    'log'
    """

    def __init__(self, *, fpr, tpr, n_members, n_non_members, name=None):
        self.fpr, self.tpr = fpr, tpr
        self.n_members, self.n_non_members = n_members, n_non_members
        self.name = name

    @classmethod
    def from_estimator(cls, attack, X, y, *, name=None, ax=None, **kwargs):
        """Draw the ROC of a fitted attack.

        Parameters
        ----------
        attack : fitted binary classifier
        X : SliceDict of `sklearn_aeppt.attacks.query`, or whatever `attack` takes
        y : array-like of shape (n,), boolean or 0/1
            Membership.
        name : object, default=None
            None is the attack's class name.
        ax : matplotlib Axes, default=None
        **kwargs : dict
            For matplotlib's ``plot``.

        Returns
        -------
        display : MembershipRocDisplay
        """
        check_is_fitted(attack)
        if hasattr(attack, "decision_function"):
            score = attack.decision_function(X)
        else:
            score = attack.predict_proba(X)[:, 1]
        name = type(attack).__name__ if name is None else name
        return cls.from_predictions(y, score, name=name, ax=ax, **kwargs)

    @classmethod
    def from_predictions(cls, y, score, *, name=None, ax=None, **kwargs):
        """Draw the ROC of scores.

        Parameters
        ----------
        y : array-like of shape (n,), boolean or 0/1
            Membership.
        score : array-like of shape (n,)
            Greater means rather a member.
        name : object, default=None
        ax : matplotlib Axes, default=None
        **kwargs : dict
            For matplotlib's ``plot``.

        Returns
        -------
        display : MembershipRocDisplay
        """
        _, members, non_members = counts_at_thresholds(y, score)
        display = cls(
            fpr=non_members / non_members[-1],
            tpr=members / members[-1],
            n_members=int(members[-1]),
            n_non_members=int(non_members[-1]),
            name=name,
        )
        return display.plot(ax=ax, **kwargs)

    def plot(self, ax=None, *, name=None, **kwargs):
        """Draw the curve; several on one `ax` share its chance line.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
        name : object, default=None
        **kwargs : dict
            For matplotlib's ``plot``.

        Returns
        -------
        self : MembershipRocDisplay
        """
        ax = _new_axes(self, ax, figsize=(4.8, 5))
        left, bottom = 1 / self.n_non_members, 1 / self.n_members
        n_curves = sum(line.get_gid() == "membership-roc" for line in ax.lines)
        style = {
            "color": _CYCLE[n_curves % len(_CYCLE)],
            "linestyle": _STYLES[n_curves % len(_STYLES)],
            "label": _legend_label(self.name if name is None else name),
            **kwargs,
        }
        # Steps, as nothing is interpolated. A rate of 0 has no place on a log axis: the curve
        # comes in at the left edge with what it finds without any false positive.
        x, y = np.r_[0, self.fpr].clip(left / 2), np.r_[0, self.tpr].clip(bottom / 2)
        (self.line_,) = ax.step(x, y, where="post", gid="membership-roc", **style)
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
            _legend_above(ax)
        self.ax_, self.figure_ = ax, ax.figure
        return self


class ClassCdfDisplay:
    """Empirical distributions of a quantity, members against non-members, class by class.

    Parameters
    ----------
    classes : ndarray of shape (n_classes,)
    members, non_members : sequence of n_classes ndarrays
        Sorted values of each class.
    xlabel : str, default="Top confidence (probability)"
        The quantity and its unit.

    Attributes
    ----------
    axes_ : ndarray of shape (n_classes,) of matplotlib Axes
    figure_ : matplotlib Figure

    References
    ----------
    AEPPT (arXiv 2011.13696), Fig. 4.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_aeppt.displays import ClassCdfDisplay
    >>> rng = np.random.default_rng(0)
    >>> membership, y_class = np.arange(400) < 200, np.arange(400) % 2
    >>> top = rng.beta(np.where(membership, 9, 3), 2)
    >>> display = ClassCdfDisplay.from_predictions(top, y_class, membership)
    >>> len(display.axes_)
    2
    """

    def __init__(self, *, classes, members, non_members, xlabel="Top confidence (probability)"):
        self.classes = classes
        self.members, self.non_members = members, non_members
        self.xlabel = xlabel

    @classmethod
    def from_estimator(
        cls, target, X, y_class, membership, *, attack=None, classes=None, ax=None, **kwargs
    ):
        """Draw what a target shows: its top confidence, or the loss of an attack on it.

        Parameters
        ----------
        target : fitted classifier
            Defended or not.
        X : records
        y_class : array-like of shape (n,)
            Classes of the records, or any other grouping.
        membership : array-like of shape (n,), boolean or 0/1
        attack : fitted binary classifier with ``predict_proba``, default=None
            With it, the quantity is its cross-entropy (in nats) against the membership.
        classes : sequence, default=None
            The classes to draw; None is the four with the most records.
        ax : matplotlib Axes or array of n_classes Axes, default=None
        **kwargs : dict
            For matplotlib's ``step``.

        Returns
        -------
        display : ClassCdfDisplay
        """
        from sklearn_aeppt.attacks import query

        view = query(target, X)
        if attack is None:
            values, xlabel = view["proba"].max(axis=1), "Top confidence (probability)"
        else:
            is_member = _as_membership(membership, "membership")
            truth = attack.predict_proba(view)[np.arange(len(is_member)), is_member.astype(int)]
            values = -np.log(truth.clip(np.finfo(np.float64).tiny))
            xlabel = "Loss of the attack (nats)"
        return cls.from_predictions(
            values, y_class, membership, classes=classes, xlabel=xlabel, ax=ax, **kwargs
        )

    @classmethod
    def from_predictions(
        cls,
        values,
        y_class,
        membership,
        *,
        classes=None,
        xlabel="Top confidence (probability)",
        ax=None,
        **kwargs,
    ):
        """Draw the distributions of `values`.

        Parameters
        ----------
        values : array-like of shape (n,)
            Such as ``proba.max(axis=1)`` or the loss of an attack.
        y_class : array-like of shape (n,)
        membership : array-like of shape (n,), boolean or 0/1
        classes : sequence, default=None
            The classes to draw; None is the four with the most records.
        xlabel : str, default="Top confidence (probability)"
            What `values` are, and in which unit.
        ax : matplotlib Axes or array of n_classes Axes, default=None
        **kwargs : dict
            For matplotlib's ``step``.

        Returns
        -------
        display : ClassCdfDisplay

        Raises
        ------
        ValueError
            If a class asked for has no records.
        """
        report = per_class_report(y_class, membership, membership, score=values)
        if classes is None:
            size = report["n_members"] + report["n_non_members"]
            chosen = np.sort(np.argsort(-size, kind="stable")[:4])
        else:
            place = {label: i for i, label in enumerate(report["class"].tolist())}
            asked = as_written(as_labels(classes)).tolist()
            unknown = [c for c in asked if c not in place]
            if unknown:
                raise ValueError(f"classes={unknown} have no records in y_class.")
            chosen = [place[c] for c in asked]
        display = cls(
            classes=report["class"][chosen],
            members=report["member_scores"][chosen],
            non_members=report["non_member_scores"][chosen],
            xlabel=xlabel,
        )
        return display.plot(ax=ax, **kwargs)

    def plot(self, ax=None, **kwargs):
        """Draw one panel a class.

        Parameters
        ----------
        ax : matplotlib Axes or array of n_classes Axes, default=None
        **kwargs : dict
            For matplotlib's ``step``.

        Returns
        -------
        self : ClassCdfDisplay

        Raises
        ------
        ValueError
            If `ax` has not one panel for each class.
        """
        n = len(self.classes)
        given = ax
        axes = np.ravel(
            _new_axes(self, ax, ncols=n, figsize=(1 + 2.6 * n, 3.1), sharex=True, sharey=True)
        )
        if len(axes) != n:
            raise ValueError(f"ax has {len(axes)} axes for {n} classes: give one for each.")
        everything = np.concatenate([*self.members, *self.non_members])
        low, high = everything.min(), everything.max()
        pad = 0.03 * (high - low) or 0.5
        for panel, label, *sides in zip(axes, self.classes, self.members, self.non_members):
            for (side, color, style), values in zip(_SIDES, sides):
                share = np.arange(len(values) + 1) / max(len(values), 1)
                x = np.r_[low - pad, values, high + pad]
                panel.step(
                    x,
                    np.r_[share, share[-1]],
                    where="post",
                    label=f"{side} (n = {len(values)})",
                    **{"color": color, "linestyle": style, **kwargs},
                )
            panel.set(xlim=(low - pad, high + pad), ylim=(-0.02, 1.02))
            panel.set_xlabel(f"{self.xlabel}, class {picture_name(label, 24)}")
            panel.grid(alpha=0.3)
            _legend_above(panel, ncols=1)
        axes[0].set_ylabel("Share of records at or below")
        if given is None and n > 1:  # one label for all panels
            for panel, label in zip(axes, self.classes):
                panel.set_xlabel(f"class {picture_name(label, 24)}")
            axes[0].figure.supxlabel(self.xlabel, fontsize="medium")
        self.axes_, self.figure_ = axes, axes[0].figure
        return self


class IterationLossDisplay:
    """Loss of the substitute MIM's own belief along the perturbation, members and non-members.

    The perturbation climbs this loss; above log 2 the MIM has changed its mind.

    Parameters
    ----------
    loss : ndarray of shape (n_iterations + 1, n)
        Cross-entropy in nats, before the first and after each iteration.
    membership : boolean ndarray of shape (n,)

    Attributes
    ----------
    ax_ : matplotlib Axes
    lines_ : list of two matplotlib Line2D
        Medians of members and of non-members.
    figure_ : matplotlib Figure

    References
    ----------
    AEPPT (arXiv 2011.13696), Fig. 5.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_aeppt.displays import IterationLossDisplay
    >>> loss = np.linspace(0.2, 0.9, 11)[:, None] + np.linspace(0, 0.1, 20)
    >>> display = IterationLossDisplay.from_predictions(loss, np.arange(20) < 10)
    >>> display.ax_.get_xlabel()
    'Iteration'
    """

    def __init__(self, *, loss, membership):
        self.loss, self.membership = loss, membership

    @classmethod
    def from_estimator(cls, defense, X, membership, *, ax=None, **kwargs):
        """Run a fitted `AEPPTClassifier` on records and draw the loss of its substitute.

        The loss is that of the vectors on their way (Algorithm 1), before they are brought back
        to rows that sum to one and keep the label.

        Parameters
        ----------
        defense : fitted AEPPTClassifier
        X : records
        membership : array-like of shape (n,), boolean or 0/1
        ax : matplotlib Axes, default=None
        **kwargs : dict
            For matplotlib's ``plot``.

        Returns
        -------
        display : IterationLossDisplay
        """
        check_is_fitted(defense)
        loss = _loss_per_iteration(defense, X)
        return cls.from_predictions(loss, membership, ax=ax, **kwargs)

    @classmethod
    def from_predictions(cls, loss, membership, *, ax=None, **kwargs):
        """Draw losses.

        Parameters
        ----------
        loss : array-like of shape (n_iterations + 1, n)
        membership : array-like of shape (n,), boolean or 0/1
        ax : matplotlib Axes, default=None
        **kwargs : dict
            For matplotlib's ``plot``.

        Returns
        -------
        display : IterationLossDisplay
        """
        loss = _as_table(loss, "loss")
        membership = _as_membership(membership, "membership")
        check_consistent_length(loss.T, membership)
        return cls(loss=loss, membership=membership).plot(ax=ax, **kwargs)

    def plot(self, ax=None, **kwargs):
        """Draw the median of each side, with a band from the 10th to the 90th percentile.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
        **kwargs : dict
            For matplotlib's ``plot``.

        Returns
        -------
        self : IterationLossDisplay
        """
        ax = _new_axes(self, ax, figsize=(5.6, 4.2))
        iteration = np.arange(len(self.loss))
        self.lines_ = []
        for (side, color, style), mask in zip(_SIDES, (self.membership, ~self.membership)):
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
        _legend_above(ax, ncols=1)
        self.ax_, self.figure_ = ax, ax.figure
        return self


@as_fitted
def _loss_per_iteration(defense, X):
    """Return the substitute's loss before and after each iteration, shape (max_iter + 1, n)."""
    import torch
    from torch.nn.functional import softplus

    from sklearn_aeppt._perturbation import AutogradGradient, perturb_block

    module = defense.substitute_.module_
    proba = np.asarray(defense.estimator_.predict_proba(X))
    draws = defense._draws(proba, X, defense.estimator_) if defense.n_draws else None
    p = torch.as_tensor(proba, dtype=torch.float32, device=defense.device)
    label = p.argmax(dim=1)
    logits = []
    perturb_block(
        AutogradGradient(module),
        p,
        label,
        torch.as_tensor(defense._steps(len(p), draws), device=defense.device),
        defense.step_size_,
        on_iteration=lambda q: logits.append(module(q, label)),
    )
    logits = torch.stack(logits)
    believed = torch.where(logits[0] >= 0, 1.0, -1.0)
    return softplus(-believed * logits).cpu().numpy()


class PerturbationDisplay:
    """Confidence vector of one record before and after a defense.

    Parameters
    ----------
    before, after : ndarray of shape (K,)
        In probability.
    classes : ndarray of shape (K,)
        Labels for the axis.

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure

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

    def __init__(self, *, before, after, classes):
        self.before, self.after, self.classes = before, after, classes

    @classmethod
    def from_estimator(cls, defense, X, *, record=0, ax=None, log=True):
        """Ask a defense and the model that it wraps about records, and draw one of them.

        Parameters
        ----------
        defense : fitted output defense with ``estimator_``
        X : records
        record : int, default=0
            The row to draw.
        ax : matplotlib Axes, default=None
        log : bool, default=True
            Logarithmic confidence axis.

        Returns
        -------
        display : PerturbationDisplay
        """
        check_is_fitted(defense)
        before, after = defense.estimator_.predict_proba(X), defense.predict_proba(X)
        return cls.from_predictions(
            before, after, record=record, classes=defense.classes_, ax=ax, log=log
        )

    @classmethod
    def from_predictions(cls, p, q, *, record=0, classes=None, ax=None, log=True):
        """Draw one row of the confidences `p` (before) and `q` (after).

        Parameters
        ----------
        p, q : array-like of shape (n, K)
        record : int, default=0
            The row to draw.
        classes : array-like of shape (K,), default=None
            None is 0 to K - 1.
        ax : matplotlib Axes, default=None
        log : bool, default=True
            Logarithmic confidence axis.

        Returns
        -------
        display : PerturbationDisplay
        """
        p, q = _as_table(p, "p"), _as_table(q, "q")
        if p.shape != q.shape:
            raise ValueError(f"p has shape {p.shape} and q {q.shape}: they must be alike.")
        classes = np.arange(p.shape[1]) if classes is None else as_labels(classes)
        if len(classes) != p.shape[1]:
            raise ValueError(f"classes has {len(classes)} entries for {p.shape[1]} columns of p.")
        return cls(before=p[record], after=q[record], classes=classes).plot(ax=ax, log=log)

    def plot(self, ax=None, *, log=True):
        """Draw a ring (before) and a dot (after) for each class, joined by a line.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
        log : bool, default=True
            Logarithmic confidence axis; confidences under a millionth stand at its bottom.

        Returns
        -------
        self : PerturbationDisplay
        """
        K = len(self.classes)
        ax = _new_axes(self, ax, figsize=(min(10, max(5.0, 1.5 + 0.14 * K)), 4.2))
        place = np.arange(K)
        floor = 1e-6 if log else 0.0
        before, after = self.before.clip(floor), self.after.clip(floor)
        ax.vlines(place, np.minimum(before, after), np.maximum(before, after), color="0.6", lw=1)
        rings = {"linestyle": "none", "marker": "o", "markersize": 7 if K <= 40 else 5}
        ax.plot(place, before, markerfacecolor="none", color=_NON_MEMBER, label="before", **rings)
        rings["markersize"] /= 2
        ax.plot(place, after, color=_MEMBER, label="after", **rings)
        size = np.abs(self.before - self.after).sum()
        if log:
            ax.set_yscale("log")
            ax.set_ylim(floor / 2, 2)
        else:
            ax.set_ylim(-0.02, 1.02)
        if K <= 30:
            labels = [picture_name(c, 20) for c in self.classes]
            crowded = K * max(map(len, labels)) > 40
            ax.set_xticks(place, labels, rotation=90 if crowded else 0)
            ax.set_xlabel("Class")
        else:
            ax.set_xlabel("Class (index of the column)")
        ax.set_xlim(-0.8, K - 0.2)
        ax.set_ylabel("Confidence (probability)")
        ax.set_title(f"L1 = {size:.3g}", loc="right", fontsize="medium")
        ax.grid(alpha=0.3, axis="y")
        _legend_above(ax)
        self.ax_, self.figure_ = ax, ax.figure
        return self


class TradeoffDisplay:
    """Privacy against perturbation, with the floor and the limit of any label-keeping defense.

    Parameters
    ----------
    size : ndarray of shape (n_settings,)
        Mean L1 of each setting, in increasing order.
    accuracy : ndarray of shape (n_settings,)
        Balanced accuracy of the attack, 0 to 1.
    floor : float
        See `sklearn_aeppt.metrics.label_only_floor`.
    interval : tuple of two ndarrays of shape (n_settings,), default=None
        Ends of the accuracy's confidence interval.
    limit : tuple of two ndarrays, default=None
        (size, accuracy) of the least perturbation that any defense needs.
    name : object, default=None
        For the legend; None has no entry.

    Attributes
    ----------
    ax_ : matplotlib Axes
    line_ : matplotlib Line2D
    figure_ : matplotlib Figure

    Examples
    --------
    >>> from sklearn_aeppt.displays import TradeoffDisplay
    >>> display = TradeoffDisplay.from_predictions(
    ...     [0.0, 0.1, 0.2], [0.74, 0.68, 0.61], floor=0.61, name="equalized"
    ... )
    >>> display.ax_.get_ylabel()
    'Attack accuracy (%)'
    """

    def __init__(self, *, size, accuracy, floor, interval=None, limit=None, name=None):
        self.size, self.accuracy, self.floor = size, accuracy, floor
        self.interval, self.limit, self.name = interval, limit, name

    @classmethod
    def from_predictions(
        cls,
        size,
        accuracy,
        floor,
        *,
        interval=None,
        limit=None,
        name=None,
        excess=False,
        ax=None,
        **kwargs,
    ):
        """Draw measured settings of one defense.

        Parameters
        ----------
        size, accuracy : array-like of shape (n_settings,)
            Mean L1 and attack accuracy (0 to 1) of each setting, in any order.
        floor : float
        interval : tuple (low, high) of array-like of shape (n_settings,), default=None
        limit : tuple (size, accuracy) of array-like, default=None
        name : object, default=None
        excess : bool, default=False
            Draw accuracy minus floor, in percentage points.
        ax : matplotlib Axes, default=None
        **kwargs : dict
            For matplotlib's ``plot``.

        Returns
        -------
        display : TradeoffDisplay

        Raises
        ------
        ValueError
            If an accuracy is not between 0 and 1, as one in percent is not.
        """
        size, accuracy = (column_or_1d(v).astype(np.float64) for v in (size, accuracy))
        check_consistent_length(size, accuracy)
        for name_, value in (("accuracy", accuracy), ("floor", np.array([floor]))):
            if not ((value >= 0) & (value <= 1)).all():
                raise ValueError(f"{name_} has values outside [0, 1]: give shares, not percent.")
        order = np.argsort(size, kind="stable")
        if interval is not None:
            interval = tuple(np.asarray(end, dtype=np.float64)[order] for end in interval)
        if limit is not None:
            at = np.argsort(limit[0], kind="stable")
            limit = tuple(np.asarray(v, dtype=np.float64)[at] for v in limit)
        display = cls(
            size=size[order],
            accuracy=accuracy[order],
            floor=float(floor),
            interval=interval,
            limit=limit,
            name=name,
        )
        return display.plot(ax=ax, excess=excess, **kwargs)

    def plot(self, ax=None, *, excess=False, **kwargs):
        """Draw the defense; several on one `ax` share the floor.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
        excess : bool, default=False
            Draw accuracy minus floor, in percentage points.
        **kwargs : dict
            For matplotlib's ``plot``.

        Returns
        -------
        self : TradeoffDisplay
        """
        ax = _new_axes(self, ax, figsize=(5.6, 4.4))
        base = self.floor if excess else 0.0
        n_curves = sum(line.get_gid() == "tradeoff" for line in ax.lines)
        style = {
            "color": _CYCLE[n_curves % len(_CYCLE)],
            "linestyle": _STYLES[n_curves % len(_STYLES)],
            "marker": "osD^v"[n_curves % 5],
            "label": _legend_label(self.name),
            **kwargs,
        }
        (self.line_,) = ax.plot(self.size, 100 * (self.accuracy - base), gid="tradeoff", **style)
        if self.interval is not None:
            low, high = (100 * (end - base) for end in self.interval)
            ax.vlines(self.size, low, high, color=self.line_.get_color(), lw=1, alpha=0.7)
        if self.limit is not None:
            ax.plot(
                self.limit[0],
                100 * (self.limit[1] - base),
                color="0.4",
                linestyle=(0, (1, 1)),
                label="least that any defense needs",
            )
        if n_curves == 0:
            ax.axhline(
                100 * (self.floor - base),
                color="0.2",
                linewidth=1,
                linestyle=(0, (6, 3)),
                label=f"label alone: {self.floor:.1%}",
            )
            ax.set_xlabel("Perturbation: mean L1 over records (probability)")
            unit = "Excess over the label alone (points)" if excess else "Attack accuracy (%)"
            ax.set_ylabel(unit)
            ax.grid(alpha=0.3)
        _legend_above(ax)
        self.ax_, self.figure_ = ax, ax.figure
        return self
