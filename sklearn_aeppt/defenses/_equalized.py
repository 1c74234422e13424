"""Equalized confidences: members and non-members are shown the same distribution."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any

import numpy as np
from scipy.special import entr
from scipy.stats import ks_2samp
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from sklearn_aeppt._one_step import as_fitted
from sklearn_aeppt.defenses import _certificate
from sklearn_aeppt.defenses._base import OutputDefense
from sklearn_aeppt.defenses._bins import N_QUANTILES, bin_contents, find_bins, quantile_edges
from sklearn_aeppt.defenses._label_excess import MOST, halved, label_excess
from sklearn_aeppt.defenses._label_groups import group_labels
from sklearn_aeppt.defenses._other_classes import OTHER_CLASSES, ranking_is_safe
from sklearn_aeppt.defenses._transport import equalizing_map

BOUND_LEVEL = 0.95  # at which advantage_bound_ holds
#: Of how much more often members are right, what `constraint="attack_accuracy"` does not use: for
#: the error of counts.
ODDS_MARGIN = 0.1
#: Distance between the distributions of members and non-members below which a group of labels
#: may stay as it is: two points of accuracy.
EQUIVALENCE_MARGIN = 0.04


class EqualizedClassifier(OutputDefense):
    """Classifier whose largest confidence is distributed alike for members and non-members.

    Within groups of labels that behave alike, the largest confidence is cut into bins; a random
    map W from bin to bin, found by a linear program, makes the histograms P of members and N of
    non-members the same after it::

        minimize the expected cost of the move
        subject to   sum_j max(0, (N W)_j - (P W)_j) = 0.5 * || P W - N W ||_1 <= delta

    At query time the target bin and the confidence in it are drawn, and the vector is rebuilt
    around that confidence with its label kept. The draws belong to the record: they come from a
    secret smooth field over the records' space, so that a repeated or slightly varied query gets
    the same draws, and they do not depend on the confidences that they hide. An attacker who
    trains on single defended outputs is left with the label, which no output defense hides.

    What variants of a record still give away depends on the map. Whoever moves a record far
    enough gets new draws, and where the undefended confidence jumps under tiny changes (trees,
    nearest neighbors, boosting), so may the defended one: from 257 variants of a record, noise of
    0.01, an attack gains 0.26 of AUC over the labels on a random forest, 0.06 with
    ``pairwise_delta=0.2``. Only ``pairwise_delta=0`` with ``other_classes="template"`` leaves
    nothing to see or to average (0.02 at most on seven models). The page "Choosing a defense" of
    the documentation has the figures of each setting.

    Parameters
    ----------
    estimator : classifier with ``predict_proba``
        Fitted: defended as it is. Not fitted: `fit` trains a clone on part of the records.
    delta : float in [0, 1], default=0.0
        Total variation left between the released histograms; trades leakage for size.
    pairwise_delta : float in [0, 1], default=1.0
        Total variation left between the outputs for any two records with the same label. Below 1
        it bounds what an attacker gains who knows how hard the very record is (shadow models),
        or who asks about many variants of it.
    constraint : {"total_variation", "attack_accuracy"}, default="total_variation"
        "total_variation" makes P W and N W equal. "attack_accuracy" needs class labels and asks
        for less: members are right more often than non-members, by a factor of o, so that an
        attacker who sees a right label guesses "member" anyhow; as long as N W is nowhere above
        o P W, no confidence changes that guess, and their accuracy among as many members as
        non-members stays at the label-only floor. It changes far less and keeps more of what
        confidences are good for, but single records can still be identified with certainty (TPR
        at a low FPR).
    cost : {"auto", "l1", "log_loss"}, default="auto"
        What the map saves: the change of the confidence, or the log loss of the released
        confidence on non-members (private, and better calibrated than an overfit model). "auto"
        is "log_loss" where class labels are given, "l1" elsewhere.
    rank_weight : float in [0, 1], default=0.0
        With cost log loss: share of what the map saves of the model's own log loss that is given
        back to keep non-members in the model's own order, so that confidences separate right
        labels from wrong ones about as well as before. 0.25 costs little on any model we tried.
    other_classes : {"auto", "ranking", "rescaled", "template"}, default="auto"
        The other classes' confidences: the model's own ranking with the values of a template;
        the model's own values, rescaled; or the mean vector of the group, so that the output
        depends on the label and the draw alone. A ranking reveals members where it holds more
        than the label does: on models that misclassify many members, and wherever confidences
        are equal (zeros of trees and neighbors, which members have more of). "auto" keeps the
        ranking only where boosting that is cross-fitted on it gains at most 0.02 of AUC over the
        label, which takes class labels and 500 records a side, and takes the template elsewhere.
        On extremely randomized trees "ranking" gives 0.26 of AUC over the labels away with a
        single output and "rescaled", which keeps all that the model's own values tell, 0.30; with
        variants 0.32 and 0.36, the template 0.04.
    n_bins : int, default=24
        Quantile bins of the largest confidence, at most: the last one begins at 0.999 or below,
        and with ``constraint="total_variation"`` none is narrower than 0.01 or, in log-odds, 0.5.
    n_label_groups : int >= 1 or "auto", default="auto"
        Groups of labels; "auto" gives each at least 500 members and 500 non-members, at most 10,
        and cuts those in two whose labels behave so differently that attackers who use the label
        would gain two points of accuracy.
    alpha : float in (0, 1], default=0.001
        A group of labels is left as it is only if the data exclude, at this level, that the
        distributions of members and non-members are more than 0.04 apart (two points of
        accuracy). That takes some 20,000 records on each side, and ``pairwise_delta=1`` without a
        template. 1 equalizes every group.
    holdout_fraction : float in [0, 1), default=0.2
        With a template: share of the records on each side that is kept from the maps and gives
        `advantage_bound_`; 0 fits the maps on all of them, without a bound.
    member_fraction : float in (0, 1), default=0.5
        Share of each class that trains an unfitted `estimator`.
    key : bytes of length 16 or more, or None, default=None
        Secret that the draws follow from. None takes a new one from the operating system at each
        `fit`. Whoever has the key and the undefended model can undo the defense. One model that
        is served under two keys gives its attackers two draws a record.
    random_state : int, RandomState instance or None, default=None
        Governs the splits. It has no part in the key.

    Attributes
    ----------
    estimator_ : classifier
        The wrapped estimator; undefended.
    classes_ : ndarray of shape (K,)
        Class labels.
    label_group_ : ndarray of shape (K,)
        Group of each label.
    other_classes_ : {"ranking", "rescaled", "template"}
        Resolved value of `other_classes`.
    transport_ : list of ndarray of shape (B, B)
        The random map of each group.
    unchanged_groups_ : boolean ndarray of shape (n_groups,)
        Groups that are left as they are, see `alpha`.
    total_variation_ : float in [0, 1]
        Largest total variation over the groups between what is released of fitted members and of
        non-members; at most `delta` but for the solver's tolerance, unless
        ``constraint="attack_accuracy"``.
    advantage_bound_ : float in [0, 1]
        No attacker on single outputs, however adaptive, has a greater advantage (TPR - FPR) over
        the population, labels included: at 95 % confidence, from held-out records. It holds for
        attackers who know true labels, if `fit` did. There only with a template and a holdout:
        then the output depends on the label and the draw alone.
    pairwise_total_variation_ : float in [0, 1]
        Largest total variation between the outputs for any two records of a group; with a
        template it bounds what the confidences add to the label for an attacker who knows
        everything about the record.
    n_features_in_ : int
        Number of features; only if the records have a fixed width.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features; only if the records have names, all of them strings.

    See Also
    --------
    AEPPTClassifier : The paper's perturbation, for attackers who do not adapt.
    sklearn_aeppt.audit.audit : Measures what attackers still find.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.ensemble import RandomForestClassifier
    >>> from sklearn_aeppt import EqualizedClassifier
    >>> X, y = load_digits(return_X_y=True)
    >>> model = RandomForestClassifier(random_state=0).fit(X[::2], y[::2])
    >>> defended = EqualizedClassifier(model, random_state=0)
    >>> _ = defended.fit(X[::2], X[1::2], y_mem=y[::2], y_non=y[1::2])
    >>> bool((defended.predict_proba(X).argmax(axis=1) == model.predict(X)).all())
    True
    """

    _parameter_constraints: dict = {
        **OutputDefense._parameter_constraints,
        "delta": [Interval(Real, 0, 1, closed="both")],
        "pairwise_delta": [Interval(Real, 0, 1, closed="both")],
        "constraint": [StrOptions({"total_variation", "attack_accuracy"})],
        "cost": [StrOptions({"auto", "l1", "log_loss"})],
        "rank_weight": [Interval(Real, 0, 1, closed="both")],
        "other_classes": [StrOptions({"auto", *OTHER_CLASSES})],
        "n_bins": [Interval(Integral, 2, None, closed="left")],
        "n_label_groups": [Interval(Integral, 1, None, closed="left"), StrOptions({"auto"})],
        "alpha": [Interval(Real, 0, 1, closed="right")],
        "holdout_fraction": [Interval(Real, 0, 1, closed="left")],
        "key": "no_validation",  # `fit` checks it, to print nothing of it
    }

    n_draws = 2  # which bin, and where in it

    def __init__(
        self,
        estimator: BaseEstimator,
        *,
        delta: float = 0.0,
        pairwise_delta: float = 1.0,
        constraint: str = "total_variation",
        cost: str = "auto",
        rank_weight: float = 0.0,
        other_classes: str = "auto",
        n_bins: int = 24,
        n_label_groups: int | str = "auto",
        alpha: float = 0.001,
        holdout_fraction: float = 0.2,
        member_fraction: float = 0.5,
        key: bytes | None = None,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.estimator = estimator
        self.delta = delta
        self.pairwise_delta = pairwise_delta
        self.constraint = constraint
        self.cost = cost
        self.rank_weight = rank_weight
        self.other_classes = other_classes
        self.n_bins = n_bins
        self.n_label_groups = n_label_groups
        self.alpha = alpha
        self.holdout_fraction = holdout_fraction
        self.member_fraction = member_fraction
        self.key = key
        self.random_state = random_state

    def _fit_defense(self, members, non_members):
        labeled = members.label is not None and non_members.label is not None
        self._check_parameters(labeled)
        sides: Sequence[Side] = [Side.of(records) for records in (members, non_members)]
        self.other_classes_ = self.other_classes
        if self.other_classes == "auto":
            safe = ranking_is_safe(members, non_members)
            self.other_classes_ = "ranking" if safe else "template"
        held_out = None
        if self.other_classes_ == "template" and self.holdout_fraction > 0:
            rng = check_random_state(self.random_state)
            sides, held_out = zip(*(side.split(self.holdout_fraction, rng) for side in sides))
        by_log_loss = labeled and self.cost != "l1"
        self.label_group_, groups = self._fit_groups(sides, by_log_loss)
        self.transport_ = [group.transport for group in groups]
        self.total_variation_ = max(group.total_variation for group in groups)
        self.pairwise_total_variation_ = max(map(pairwise_distance, self.transport_))
        self.unchanged_groups_ = np.array([group.unchanged for group in groups])
        self._histograms = [group.histogram for group in groups]
        # what predicting looks up, a group each: an infinite edge or sum is never passed
        self._edges = padded([group.edges for group in groups], np.inf)
        self._cumulative = padded([w.cumsum(axis=1) for w in self.transport_], np.inf)
        self._values = padded([group.values for group in groups], 0)
        self._tails = padded([group.tails for group in groups], 0)
        if held_out is not None and min(map(len, held_out)) > 0:  # one record is too few
            self._advantage_bound = self._bound(held_out)

    def _check_parameters(self, labeled):
        """Refuse what lacks its class labels, and parameters without an effect."""
        for name, value, other in (
            ("cost", "log_loss", "l1"),
            ("constraint", "attack_accuracy", "total_variation"),
        ):
            if getattr(self, name) == value and not labeled:
                raise ValueError(
                    f"{name}={value!r} needs class labels: give y_mem and y_non, or y with "
                    f"is_member, or use {name}={other!r}."
                )
        cost = self.cost if self.cost != "auto" else "log_loss" if labeled else "l1"
        idle = {
            "rank_weight": ((0.0,), cost == "l1", 'cost="l1" (or "auto" without class labels)'),
            "holdout_fraction": (
                (0.2, 0.0),
                self.other_classes in ("ranking", "rescaled"),
                f"other_classes={self.other_classes!r}: only a template has a bound",
            ),
            "alpha": (
                (0.001, 1),
                self.other_classes == "template" or self.pairwise_delta < 1,
                "a template or pairwise_delta below 1: every group is equalized then",
            ),
        }
        for name, (harmless, has_no_effect, beside) in idle.items():
            if has_no_effect and getattr(self, name) not in harmless:
                raise ValueError(
                    f"{name}={getattr(self, name)!r} has no effect with {beside}. Leave it at its "
                    f"default, {harmless[0]!r}."
                )

    def _fit_groups(self, sides, by_log_loss):
        """Return the group of each label, and what was learned of each group.

        Groups in which the labels can be told apart are cut in two, as long as their records are
        enough; else all outputs of the group get one distribution, which hides the most.
        """
        sizes, most = [len(side) for side in sides], MOST + self.delta / 2
        label_group = group_labels(sides, self.n_label_groups, sides[0].proba.shape[1])
        groups: dict[int, Group] = {}
        excess: dict[int, float] = {}
        todo = [(g, self.pairwise_delta) for g in range(label_group.max() + 1)]
        while todo:
            for g, pairwise_delta in todo:
                own = [s.take(label_group[s.label] == g) for s in sides]
                groups[g] = self._fit_group(own, by_log_loss, sizes, pairwise_delta)
                shown = groups[g].transport
                shown = np.eye(len(shown)) if groups[g].unchanged else shown
                excess[g] = label_excess(own, groups[g].edges, shown, sizes)
            gained = sum(excess.values())
            if gained <= most:
                break
            if not isinstance(self.n_label_groups, str):
                warnings.warn(
                    f"n_label_groups={self.n_label_groups} puts labels that behave differently "
                    "into one group: attackers who use the label gain about "
                    f"{gained:.1%} in accuracy. Raise it, use 'auto', or set "
                    "pairwise_delta=0.",
                    UserWarning,
                    stacklevel=2,
                )
                break
            worst = max(excess, key=lambda g: excess[g])
            cut = halved(sides, label_group, worst)
            todo = [(worst, 0.0)]
            if cut is not None:
                label_group = cut
                todo = [(worst, self.pairwise_delta), (cut.max(), self.pairwise_delta)]
        return label_group, [groups[g] for g in range(len(groups))]

    def _fit_group(self, sides, by_log_loss, sizes, pairwise_delta):
        """Return the `Group` of some labels; `sizes` counts members and non-members of all."""
        shown = OTHER_CLASSES[self.other_classes_]
        confident = [side.top[side.right] for side in sides]
        if min(map(len, confident)) == 0:
            confident = [side.top for side in sides]  # a side without right labels: all of it
        # inside wide bins, attackers who see the label too gain 1.5 points from unequal odds
        edges = quantile_edges(confident, self.n_bins, self.constraint == "total_variation")
        n_bins = len(edges) + 1
        share = [counts(find_bins(edges, c), n_bins) / len(c) for c in confident]
        tail = np.concatenate([shown.learn(side.proba, side.label) for side in sides])
        values, tails = bin_contents(edges, np.concatenate([side.top for side in sides]), tail)
        center = values.mean(axis=1)
        odds = 1.0
        if self.constraint == "attack_accuracy":
            ratio = len(confident[0]) / sizes[0] / (len(confident[1]) / sizes[1])
            odds = max(1.0, 1 + (1 - ODDS_MARGIN) * (ratio - 1))
        non, allowed = sides[1], (self.delta, pairwise_delta, odds)
        bins = find_bins(edges, non.top)
        if by_log_loss:
            cost = log_loss_cost(bins, non.right, center, non.proba.shape[1])
        else:
            cost = (share[0] + share[1])[:, None] * np.abs(center[:, None] - center)
        transport, least = equalizing_map(share[0], share[1], cost, *allowed)
        spare = np.trace(cost) - least  # what the map saves beside the identity
        if by_log_loss and self.rank_weight > 0 and spare > 0:
            budget = cost, least + self.rank_weight * spare
            order = order_cost(bins, n_bins)
            transport, _ = equalizing_map(share[0], share[1], order, *allowed, budget)
        both = [counts(find_bins(edges, s.top), n_bins) / n for s, n in zip(sides, sizes)]
        return Group(
            edges=edges,
            transport=transport,
            values=values,
            tails=tails,
            total_variation=float(0.5 * np.abs((share[0] - share[1]) @ transport).sum()),
            unchanged=pairwise_delta == 1
            and self.other_classes_ != "template"
            and leak_is_excluded(sides, self.alpha),
            histogram={
                "p": share[0],
                "n": share[1],
                "center": center,
                "mass_p": len(confident[0]) / sizes[0],
                "mass_n": len(confident[1]) / sizes[1],
                "all": (both[0] + both[1]) / 2,
            },
        )

    def _bound(self, held_out):
        """Return the bound on the advantage from records that the maps were not fitted on."""
        n_classes, n_bins = len(self.label_group_), max(map(len, self.transport_))
        cells = []
        for side in held_out:
            released = np.zeros((n_classes, n_bins))
            for g, transport in enumerate(self.transport_):
                rows = np.flatnonzero((self.label_group_[side.label] == g) & side.right)
                # the mean over the draw, not a draw
                target = transport[find_bins(self._edges[g], side.top[rows])]
                np.add.at(released[:, : target.shape[1]], side.label[rows], target)
            cells.append(released / len(side))
        wrong = 1 - held_out[0].right.mean()
        n_mem, n_non = map(len, held_out)
        return _certificate.advantage_bound(cells[0], cells[1], wrong, n_mem, n_non, BOUND_LEVEL)

    @property
    def advantage_bound_(self) -> float:
        """Upper bound on the advantage of any attacker on single outputs, at 95 % confidence."""
        check_is_fitted(self)
        try:
            return self._advantage_bound
        except AttributeError:
            raise AttributeError(
                "There is no advantage_bound_: it requires other_classes='template' and a "
                f"holdout_fraction above 0, but this defense was fitted with "
                f"other_classes_={self.other_classes_!r}."
            ) from None

    @as_fitted
    def frontier(self, n_points: int = 11) -> dict[str, np.ndarray]:
        """Return the least perturbation that any such defense needs, against delta.

        Parameters
        ----------
        n_points : int, default=11
            Number of values of delta, evenly spaced from 0 to what is left without a defense.

        Returns
        -------
        frontier : dict of float64 ndarray of shape (n_points,)
            ``delta``; ``l1``, the mean L1 that any defense of the largest confidence needs at
            least (on the fitted records, as far as bins can tell); ``excess``, the accuracy that
            this delta leaves attackers beyond what labels give.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            If the defense is not fitted.

        See Also
        --------
        sklearn_aeppt.displays.TradeoffDisplay : Draws it beside defenses that were measured.
        """
        check_is_fitted(self)
        return _certificate.frontier(self._histograms, n_points)

    def _perturb_block(self, proba, draws):
        n, n_classes = proba.shape
        label = proba.argmax(axis=1)
        if n_classes == 1:
            return np.ones_like(proba)
        group = self.label_group_[label]
        target = self._draw_bins(proba[np.arange(n), label].astype(np.float64), group, draws[:, :1])
        confidence = self._draw_confidence(group, target, draws[:, 1])
        shown = OTHER_CLASSES[self.other_classes_]
        order = shown.order(proba, label)
        tail = shown.show(self._tails[group, target], proba, order)
        released = rebuild(confidence, tail, label, order, proba.dtype)
        stays = self.unchanged_groups_[group]
        released[stays] = proba[stays] / proba[stays].sum(axis=1, keepdims=True)
        return released

    def _draw_bins(self, top, group, draw):
        source = (self._edges[group] <= top[:, None]).sum(axis=1)
        return (draw > self._cumulative[group, source]).sum(axis=1)

    def _draw_confidence(self, group, target, draw):
        place = draw * (N_QUANTILES - 1)
        low = np.minimum(place.astype(np.intp), N_QUANTILES - 2)
        below, above = (self._values[group, target, i] for i in (low, low + 1))
        return below + (place - low) * (above - below)


@dataclass
class Side:
    """Members or non-members, as the maps see them."""

    top: np.ndarray  # (n,) largest confidence
    label: np.ndarray  # (n,) index of the predicted class
    right: np.ndarray  # (n,) whether that is the true one; all, where true labels are not known
    proba: np.ndarray  # (n, K)

    @classmethod
    def of(cls, records: Any) -> Side:
        """Return the side that some `Records` are."""
        p = records.proba.astype(np.float64)
        label = p.argmax(axis=1)
        known = records.label is not None
        return cls(p.max(axis=1), label, records.label == label if known else label >= 0, p)

    def __len__(self) -> int:
        return len(self.top)

    def take(self, rows: np.ndarray) -> Side:
        """Return some of the records."""
        return Side(self.top[rows], self.label[rows], self.right[rows], self.proba[rows])

    def split(self, fraction: float, rng: np.random.RandomState) -> tuple[Side, Side]:
        """Return two sides at random, the second with `fraction` of the records."""
        order = rng.permutation(len(self))
        cut = min(max(1, round(fraction * len(order))), len(order) - 1)
        return self.take(order[cut:]), self.take(order[:cut])


@dataclass
class Group:
    """What was learned of one group of labels, B bins."""

    edges: np.ndarray  # (B - 1,) inner edges of the bins
    transport: np.ndarray  # (B, B) the random map
    values: np.ndarray  # (B, 33) quantiles of the confidences in each bin
    tails: np.ndarray  # (B, K - 1 or K) what the other classes share
    total_variation: float
    unchanged: bool
    histogram: dict[str, Any]  # for the frontier


def leak_is_excluded(sides, alpha):
    """Return whether members and non-members are alike in all that simple attacks look at.

    Of right labels the largest confidence, the second and the entropy; each pair of distributions
    is within the margin if the largest difference of their empirical ones (Kolmogorov, Smirnov)
    is, with what chance may have hidden at level `alpha` (Dvoretzky, Kiefer, Wolfowitz; Massart).
    """
    proba = [side.proba[side.right] for side in sides]
    if min(map(len, proba)) == 0 or proba[0].shape[1] == 1 or alpha == 1:
        return False
    looks = [
        [p.max(axis=1), np.partition(p, -2, axis=1)[:, -2], entr(p).sum(axis=1)] for p in proba
    ]
    by_chance = np.sqrt(np.log(2 * 2 * len(looks[0]) / alpha) / 2)
    hidden = by_chance * sum(len(p) ** -0.5 for p in proba)
    if hidden > EQUIVALENCE_MARGIN:
        return False
    apart = max(ks_2samp(a, b).statistic for a, b in zip(*looks))
    return bool(apart + hidden <= EQUIVALENCE_MARGIN)


def order_cost(bins, n_bins):
    """Return by how many ranks among all confidences a move changes those of a bin, (B, B)."""
    share = counts(bins, n_bins) / len(bins)
    rank = share.cumsum() - share / 2
    return share[:, None] * np.abs(rank[:, None] - rank)


def log_loss_cost(bins, right, center, n_classes):
    """Return N_i (-a_i log c_j - (1 - a_i) log((1 - c_j) / wrong classes in question)), (B, B)."""
    n = counts(bins, len(center))
    # one record's weight of prior: an empty bin is half right
    accuracy = (counts(bins[right], len(center)) + 0.5) / (n + 1)
    c = center.clip(1e-6, 1 - 1e-6)
    wrong = np.clip(n_classes - 1, 1, 10)
    loss = -np.outer(accuracy, np.log(c)) - np.outer(1 - accuracy, np.log((1 - c) / wrong))
    return ((n + 1e-3) / n.sum())[:, None] * loss


def rebuild(confidence, tail, label, order, dtype):
    """Return vectors of the label's confidence and the others' shares of what that leaves.

    Parameters
    ----------
    confidence : ndarray of shape (n,)
    tail : ndarray of shape (n, K-1)
        Shares of the other classes, rows sum to one.
    label : int ndarray of shape (n,)
    order : int ndarray of shape (n, K-1) or (1, K-1)
        Class of each column of `tail`.
    dtype : floating dtype

    Returns
    -------
    vectors : ndarray of shape (n, K)
        Rows sum to one; the label leads.
    """
    n, n_classes = len(label), tail.shape[1] + 1
    # the label leads: at least a hair above uniform, and the others below it
    confidence = np.maximum(confidence, 1.001 / n_classes)
    rest = tail * (1 - confidence)[:, None]
    level = (1 - confidence) / (n_classes - 1)
    over, limit = rest.max(axis=1), confidence * (1 - 1e-4)
    high = np.flatnonzero(over > limit)
    share = ((limit - level)[high] / (over - level)[high]).clip(0, 1)
    even = level[high, None]
    rest[high] = even + share[:, None] * (rest[high] - even)
    vectors = np.empty((n, n_classes), dtype)
    # as np.put_along_axis(vectors, order, rest, 1), in a quarter of its time
    vectors.reshape(-1)[order + n_classes * np.arange(n)[:, None]] = rest
    vectors[np.arange(n), label] = confidence
    return vectors


def pairwise_distance(transport):
    """Return the largest total variation between two rows of a random map."""
    return float(0.5 * np.abs(transport[:, None] - transport[None]).sum(axis=2).max())


def counts(bins, n_bins):
    """Return how often each bin occurs, ndarray of shape (n_bins,)."""
    return np.bincount(bins, minlength=n_bins)


def padded(arrays, fill):
    """Return arrays as one, each filled up at the end of its axes to the largest."""
    out = np.full((len(arrays), *np.max([a.shape for a in arrays], axis=0)), fill, dtype=float)
    for one, a in zip(out, arrays):
        one[tuple(map(slice, a.shape))] = a
    return out
