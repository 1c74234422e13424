"""Equalized confidences: members and non-members are shown the same distribution."""

import secrets
from numbers import Integral, Real

import numpy as np
from scipy.special import entr
from scipy.stats import ks_2samp
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from sklearn_aeppt._certificate import advantage_bound, frontier
from sklearn_aeppt._output_defense import OutputDefense
from sklearn_aeppt._perturbation import keyed_seeds, uniform_from_seeds
from sklearn_aeppt._transport import equalizing_map

N_QUANTILES = 33  # of the confidences inside a bin
ENOUGH_TO_TELL = 200  # right answers on a side, for a test to mean something
BOUND_LEVEL = 0.95  # at which advantage_bound_ holds
ODDS_MARGIN = 0.1  # of how much more often members are right, for the error of counts
RANKING_MAY_TELL = 0.005  # accuracy, before the template takes the ranking's place


class EqualizedClassifier(OutputDefense):
    """Classifier whose largest confidence is distributed alike for members and non-members.

    Within groups of labels that behave alike, the largest confidence is cut into bins; a random
    map W from bin to bin, found by a linear program, makes the histograms P of members and N of
    non-members the same after it::

        minimize the expected cost of the move
        subject to   sum_j max(0, (N W)_j - (P W)_j) = 0.5 * || P W - N W ||_1 <= delta

    At query time the target bin and the confidence in it are drawn from a keyed hash of the
    answer, and the vector is rebuilt around that confidence with its label kept. There is
    nothing left that an attacker could learn by training on the answers: what remains to him is
    the label, which no output defense hides.

    Parameters
    ----------
    estimator : classifier with ``predict_proba``
        Fitted: defended as it is. Not fitted: `fit` trains a clone on part of the records.
    delta : float in [0, 1], default=0.0
        Total variation left between the shown histograms; trades leakage for size.
    record_delta : float in [0, 1], default=1.0
        Total variation left between what any two answers with the same label are shown. Below 1
        it bounds what an attacker gains who knows how hard the very record is (shadow models).
    protect : {"distribution", "accuracy"}, default="distribution"
        "distribution" makes P W and N W equal. "accuracy" needs class labels and asks for less:
        members are right more often than non-members, by a factor of o, so that an attacker who
        sees a right answer guesses "member" anyhow; as long as N W is nowhere above o P W, no
        confidence makes him change his mind, and his accuracy among as many members as
        non-members stays at the label-only floor. It changes far less and keeps more of what
        confidences are good for, but lets some records be told with certainty (TPR at a low
        FPR).
    cost : {"auto", "l1", "log_loss"}, default="auto"
        What the map saves: the change of the confidence, or the log loss of the shown confidence
        on non-members (private, and better calibrated than an overfit model). "auto" is
        "log_loss" where class labels are given, "l1" elsewhere.
    ordered : float in [0, 1], default=0.0
        With cost log loss: share of what the map saves of the model's own log loss that is given
        back to keep non-members in the model's own order, so that confidences tell right answers
        from wrong ones about as well as before. 0.25 costs little on any model we tried.
    rest : {"auto", "ranking", "own", "template"}, default="auto"
        The other classes' confidences: the model's own ranking with the values of a template;
        the model's own values, rescaled; or the mean vector of the group, so that what is shown
        depends on the label and the draw alone. A ranking tells who knows the true class where
        it stands when the label is wrong, and members' true classes stand higher on a model that
        misclassifies many of them: "auto" takes the template where that is worth more than half
        a point of accuracy (at `significance`), and the ranking elsewhere and where no class
        labels are given.
    n_bins : int, default=24
        Quantile bins of the largest confidence.
    n_groups : int or "auto", default="auto"
        Groups of labels; "auto" gives each at least 500 members and 500 non-members, at most 10.
    significance : float in (0, 1], default=0.001
        A group of labels in which members and non-members cannot be told apart at this level is
        left as it is: equalizing what differs by chance alone would only cost. 1 equalizes every
        group, and so do fewer than 200 right answers on a side, ``record_delta`` below 1 and
        ``rest="template"``.
    bound_fraction : float in [0, 1), default=0.2
        With ``rest="template"``: share of the records on each side that is kept from the maps and
        gives `advantage_bound_`; 0 fits the maps on all of them, without a bound.
    member_fraction : float in (0, 1), default=0.5
        Share of each class that trains an unfitted `estimator`.
    random_state : int, RandomState instance or None, default=None
        Governs the splits and the key. None takes the key from the operating system: do so
        where an attacker could know the seed.

    Attributes
    ----------
    estimator_ : classifier
        The wrapped estimator; undefended.
    classes_ : ndarray of shape (K,)
    group_ : ndarray of shape (K,)
        Group of each label.
    rest_ : {"ranking", "own", "template"}
        What `rest` came to.
    maps_ : list of ndarray of shape (B, B)
        The random map of each group.
    alike_ : boolean ndarray of shape (n_groups,)
        Groups that are left as they are, see `significance`.
    shown_distance_ : float in [0, 1]
        Largest total variation over the groups between what fitted members and non-members are
        shown; at most `delta` but for the solver's tolerance, unless ``protect="accuracy"``.
    advantage_bound_ : float in [0, 1]
        No attacker on single answers, however adaptive, has a greater advantage (TPR - FPR) over
        the population, labels included: at 95 % confidence, from held-out records. An attacker
        who knows true labels, if `fit` did; else one who does not. 1.0, no bound at all, unless
        ``rest="template"``, where what is shown depends on the label and the draw alone.
    record_bound_ : float in [0, 1]
        Largest total variation between what any two answers of a group are shown; with
        ``rest="template"`` it bounds what the confidences add to the label for an attacker who
        knows everything about the record.
    frontier_ : dict of ndarray
        Least perturbation against delta; computed when asked for.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.ensemble import RandomForestClassifier
    >>> from sklearn_aeppt import EqualizedClassifier
    >>> X, y = load_digits(return_X_y=True)
    >>> model = RandomForestClassifier(random_state=0).fit(X[:900], y[:900])
    >>> defended = EqualizedClassifier(model, random_state=0)
    >>> _ = defended.fit(X[:900], X[900:], y_mem=y[:900], y_non=y[900:])
    >>> bool((defended.predict_proba(X).argmax(axis=1) == model.predict(X)).all())
    True
    """

    _parameter_constraints: dict = {
        **OutputDefense._parameter_constraints,
        "delta": [Interval(Real, 0, 1, closed="both")],
        "record_delta": [Interval(Real, 0, 1, closed="both")],
        "protect": [StrOptions({"distribution", "accuracy"})],
        "cost": [StrOptions({"auto", "l1", "log_loss"})],
        "ordered": [Interval(Real, 0, 1, closed="both")],
        "rest": [StrOptions({"auto", "ranking", "own", "template"})],
        "n_bins": [Interval(Integral, 2, None, closed="left")],
        "n_groups": [Interval(Integral, 1, None, closed="left"), StrOptions({"auto"})],
        "significance": [Interval(Real, 0, 1, closed="right")],
        "bound_fraction": [Interval(Real, 0, 1, closed="left")],
    }

    def __init__(
        self,
        estimator,
        *,
        delta=0.0,
        record_delta=1.0,
        protect="distribution",
        cost="auto",
        ordered=0.0,
        rest="auto",
        n_bins=24,
        n_groups="auto",
        significance=0.001,
        bound_fraction=0.2,
        member_fraction=0.5,
        random_state=None,
    ):
        self.estimator = estimator
        self.delta = delta
        self.record_delta = record_delta
        self.protect = protect
        self.cost = cost
        self.ordered = ordered
        self.rest = rest
        self.n_bins = n_bins
        self.n_groups = n_groups
        self.significance = significance
        self.bound_fraction = bound_fraction
        self.member_fraction = member_fraction
        self.random_state = random_state

    def fit(self, X, y=None, *, is_member=None, y_mem=None, y_non=None):
        """Fit the maps, and the wrapped estimator too where it is not fitted yet.

        Parameters
        ----------
        X, y, is_member
            The three forms of `AEPPTClassifier.fit`.
        y_mem, y_non : array-like of shape (n,), default=None
            Class labels of the two sets of records, in the form ``fit(X_mem, X_non)``.

        Returns
        -------
        self : EqualizedClassifier

        Raises
        ------
        ValueError
            As `AEPPTClassifier.fit`, and if ``cost="log_loss"`` has no class labels to go by.
        """
        return self._fit(X, y, is_member, y_mem, y_non)

    def _fit_defense(self, members, non_members):
        labeled = members.label is not None and non_members.label is not None
        for name, value, other in (("cost", "log_loss", "l1"),
                                   ("protect", "accuracy", "distribution")):  # fmt: skip
            if getattr(self, name) == value and not labeled:
                raise ValueError(
                    f"{name}={value!r} needs class labels: give y_mem and y_non, or y with "
                    f"is_member, or take {name}={other!r}."
                )
        sides = [read_side(side, labeled) for side in (members, non_members)]
        rng = check_random_state(self.random_state)
        self.rest_ = self.rest
        if self.rest == "auto":
            told = labeled and ranking_tells(members, non_members, self.significance)
            self.rest_ = "template" if told else "ranking"
        held_out = None
        if self.rest_ == "template" and self.bound_fraction > 0:
            sides, held_out = zip(*(part(side, self.bound_fraction, rng) for side in sides))
        n_classes = members.proba.shape[1]
        self.group_ = self._group_labels(sides, n_classes)
        by_log_loss = labeled and self.cost != "l1"
        fitted = [
            self._fit_group(
                [[a[self.group_[side[1]] == g] for a in side] for side in sides],
                by_log_loss,
                [len(side[0]) for side in sides],
            )
            for g in range(self.group_.max() + 1)
        ]
        self.maps_ = [f["map"] for f in fitted]
        self.shown_distance_ = max(f["distance"] for f in fitted)
        self.record_bound_ = max(row_distance(w) for w in self.maps_)
        # what answering looks up, a group each: an infinite edge or sum is never passed
        self._edges = padded([f["edges"] for f in fitted], np.inf)
        self._cumulative = padded([w.cumsum(axis=1) for w in self.maps_], np.inf)
        self._values = padded([f["values"] for f in fitted], 0)
        self._tails = padded([f["tails"] for f in fitted], 0)
        may_stay = self.record_delta == 1 and self.rest_ != "template"
        self.alike_ = np.array([may_stay and f["p_value"] > self.significance for f in fitted])
        self._histograms = [f["histogram"] for f in fitted]
        n_mem, n_non = (len(side[0]) for side in sides)
        for h in self._histograms:  # counts of a group to shares of all records
            h["mass_p"], h["mass_n"] = h["mass_p"] / n_mem, h["mass_n"] / n_non
            h["all"] = (h["bins"][0] / n_mem + h["bins"][1] / n_non) / 2
        self.advantage_bound_ = 1.0 if held_out is None else self._bound(held_out)
        self._key = secrets.token_bytes(32) if self.random_state is None else rng.bytes(32)

    def _group_labels(self, sides, n_classes):
        """Group labels whose non-members are about equally sure, with enough records in each."""
        counts = np.array(
            [np.bincount(label[hit], minlength=n_classes) for _, label, hit, _ in sides]
        )
        n_groups = self.n_groups
        if n_groups == "auto":
            n_groups = int(np.clip(counts.sum(axis=1).min() // 500, 1, 10))
        top, label, _, _ = sides[1]
        sure = np.bincount(label, top, n_classes) / np.maximum(
            np.bincount(label, minlength=n_classes), 1
        )
        order = np.argsort(sure, kind="stable")
        # cut where the scarcer side has had its share
        scarcer = counts[counts.sum(axis=1).argmin()][order]
        share = np.cumsum(scarcer) - scarcer / 2
        group = np.empty(n_classes, dtype=np.intp)
        group[order] = np.minimum(share * n_groups / max(scarcer.sum(), 1), n_groups - 1)
        # a group that lacks a side altogether joins its neighbor
        for g in range(group.max() + 1):
            if any(np.bincount(group[side[1]], minlength=g + 1)[g] == 0 for side in sides):
                group[group == g] = g + 1 if g < group.max() else group[group < g].max(initial=g)
        return np.unique(group, return_inverse=True)[1]

    def _fit_group(self, sides, by_log_loss, sizes):
        """Return edges, map, and contents of the bins of one group of labels.

        `sizes` counts the members and the non-members of all groups.
        """
        tops, hits = [side[0] for side in sides], [side[2] for side in sides]
        right = [top[hit] for top, hit in zip(tops, hits)]
        if min(map(len, right)) == 0:
            right = tops  # a group without right answers on one side: all of it
        # quantiles of both sides in equal weight
        levels = np.linspace(0, 1, self.n_bins + 1)[1:-1]
        pooled = np.concatenate([np.quantile(r, np.linspace(0, 1, 2001)) for r in right])
        edges = np.unique(np.quantile(pooled, levels))
        n_bins = len(edges) + 1
        bins = [np.searchsorted(edges, top, side="right") for top in tops]
        share = [
            np.bincount(np.searchsorted(edges, r, side="right"), minlength=n_bins) / len(r)
            for r in right
        ]
        every_top, every_bin = np.concatenate(tops), np.concatenate(bins)
        values = np.empty((n_bins, N_QUANTILES))
        tail = np.concatenate([self._tail(p, label) for _, label, _, p in sides])
        tails = np.empty((n_bins, tail.shape[1]))
        for j in range(n_bins):
            inside = every_bin == j
            if not inside.any():  # ties can empty the bin below an edge
                inside = np.abs(every_top - edges[min(j, len(edges) - 1)]).argsort()[:1]
            values[j] = np.quantile(every_top[inside], np.linspace(0, 1, N_QUANTILES))
            tails[j] = tail[inside].mean(axis=0)
        center = values.mean(axis=1)
        if by_log_loss:
            cost = self._log_loss_cost(bins[1], hits[1], center, sides[0][3].shape[1])
        else:
            cost = (share[0] + share[1])[:, None] * np.abs(center[:, None] - center)
        odds = 1.0
        if self.protect == "accuracy":
            ratio = len(right[0]) / sizes[0] / (len(right[1]) / sizes[1])
            odds = max(1.0, 1 + (1 - ODDS_MARGIN) * (ratio - 1))
        allowed = self.delta, self.record_delta, odds
        solved, least = equalizing_map(*share, cost, *allowed)
        spare = np.trace(cost) - least  # what the map saves beside the identity
        if by_log_loss and self.ordered > 0 and spare > 0:
            order = self._order_cost(bins[1], n_bins)
            budget = cost, least + self.ordered * spare
            solved, _ = equalizing_map(*share, order, *allowed, budget)
        distance = 0.5 * np.abs((share[0] - share[1]) @ solved).sum()
        return {
            "edges": edges, "map": solved, "values": values, "tails": tails,
            "distance": float(distance), "p_value": self._p_value(sides),
            "histogram": {
                "p": share[0], "n": share[1], "center": center,
                "mass_p": float(len(right[0])), "mass_n": float(len(right[1])),
                "bins": [np.bincount(b, minlength=n_bins) for b in bins],
            },
        }  # fmt: skip

    @staticmethod
    def _p_value(sides):
        """Return how likely so great a difference is by chance, over what attackers look at.

        Kolmogorov and Smirnov's test of the largest confidence, the second and the entropy of right
        answers, corrected for being three.
        """
        kept = [side[3][side[2]] for side in sides]
        if min(map(len, kept)) < ENOUGH_TO_TELL or kept[0].shape[1] == 1:
            return 0.0
        looks = [
            [p.max(axis=1), np.partition(p, -2, axis=1)[:, -2], entr(p).sum(axis=1)] for p in kept
        ]
        return min(1.0, 3 * min(ks_2samp(a, b).pvalue for a, b in zip(*looks)))

    def _bound(self, held_out):
        """Return the bound on the advantage from records that the maps were not fitted on."""
        if min(len(side[0]) for side in held_out) == 0:  # one record was too few to hold out
            return 1.0
        n_classes, n_bins = len(self.group_), max(map(len, self.maps_))
        cells = []
        for top, label, hit, _ in held_out:
            shown = np.zeros((n_classes, n_bins))
            for g, edges in enumerate(self._edges):
                rows = np.flatnonzero((self.group_[label] == g) & hit)
                # the mean over the draw, not a draw
                target = self.maps_[g][np.searchsorted(edges, top[rows], "right")]
                np.add.at(shown[:, : target.shape[1]], label[rows], target)
            cells.append(shown / len(top))
        wrong = 1 - held_out[0][2].mean()
        return advantage_bound(*cells, wrong, len(held_out[0][0]), len(held_out[1][0]), BOUND_LEVEL)

    @property
    def frontier_(self):
        """Least perturbation against delta: dict of ndarrays ``delta``, ``l1``, ``excess``.

        What any defense of the largest confidence needs at least (mean L1, on the fitted records,
        as far as bins can tell) to leave attackers the excess accuracy that goes with each delta.
        """
        check_is_fitted(self)
        return frontier(self._histograms, 11)

    @staticmethod
    def _order_cost(bin_of, n_bins):
        """Return by how many ranks among all answers a move changes those of a bin."""
        share = np.bincount(bin_of, minlength=n_bins) / len(bin_of)
        rank = share.cumsum() - share / 2
        return share[:, None] * np.abs(rank[:, None] - rank)

    @staticmethod
    def _log_loss_cost(bin_of, hit, center, n_classes):
        """Return N_i (-a_i log c_j - (1 - a_i) log((1 - c_j) / wrong classes in question))."""
        n = np.bincount(bin_of, minlength=len(center))
        # one record's weight of prior: an empty bin is half right
        accuracy = (np.bincount(bin_of[hit], minlength=len(center)) + 0.5) / (n + 1)
        c = center.clip(1e-6, 1 - 1e-6)
        wrong = np.clip(n_classes - 1, 1, 10)
        loss = -np.outer(accuracy, np.log(c)) - np.outer(1 - accuracy, np.log((1 - c) / wrong))
        return ((n + 1e-3) / n.sum())[:, None] * loss

    def _tail(self, p, label):
        """Return what the template of a bin is the mean of, rows summing to one.

        The other classes' shares of what the largest confidence leaves: sorted downwards, shape
        (n, K-1), or for "template" class by class with zero at the label, shape (n, K).
        """
        if self.rest_ == "template":
            tail = p.copy()
            tail[np.arange(len(p)), label] = 0
        else:
            tail = np.take_along_axis(p, self._other_classes(p, label), 1)
        return shares(tail)

    def _perturb_block(self, proba):
        n, n_classes = proba.shape
        label = proba.argmax(axis=1)
        if n_classes == 1:
            return np.ones_like(proba)
        top = proba[np.arange(n), label].astype(np.float64)
        draws = uniform_from_seeds(keyed_seeds(proba, self._key, decimals=6), 2).astype(np.float64)
        group = self.group_[label]
        source = (self._edges[group] <= top[:, None]).sum(axis=1)
        target = (draws[:, :1] > self._cumulative[group, source]).sum(axis=1)
        place = draws[:, 1] * (N_QUANTILES - 1)
        low = place.astype(np.intp)
        below, above = (self._values[group, target, i] for i in (low, low + 1))
        confidence = below + (place - low) * (above - below)
        tail = self._tails[group, target]
        order = self._other_classes(proba, label)
        if self.rest_ == "own":
            tail = shares(np.take_along_axis(proba, order, 1).astype(np.float64))
        elif self.rest_ == "template":
            tail = shares(np.take_along_axis(tail, order, 1))
        # the label leads: at least a hair above uniform, and the others below it
        confidence = np.maximum(confidence, 1.001 / n_classes)
        rest = tail * (1 - confidence)[:, None]
        level = (1 - confidence) / (n_classes - 1)
        over, limit = rest.max(axis=1), confidence * (1 - 1e-4)
        high = np.flatnonzero(over > limit)
        share = ((limit - level)[high] / (over - level)[high]).clip(0, 1)
        even = level[high, None]
        rest[high] = even + share[:, None] * (rest[high] - even)
        shown = np.empty(proba.shape, proba.dtype)  # row by row, whatever the order of proba
        # as np.put_along_axis(shown, order, rest, 1), in a quarter of its time
        shown.reshape(-1)[order + n_classes * np.arange(n)[:, None]] = rest
        shown[np.arange(n), label] = confidence
        stays = self.alike_[group]
        shown[stays] = proba[stays] / proba[stays].sum(axis=1, keepdims=True)
        return shown

    def _other_classes(self, proba, label):
        """Return the other classes of each row in the order of the tails, shape (n, K-1)."""
        n, n_classes = proba.shape
        if self.rest_ == "template":
            others = np.arange(n_classes - 1)[None, :]
            return others + (others >= label[:, None])
        masked = proba.astype(np.float32)
        masked[np.arange(n), label] = np.inf
        return falling_order(masked)[:, 1:]


def read_side(side, labeled):
    """Return (largest confidence, label, whether it is right, confidences) of `Records`."""
    p = side.proba.astype(np.float64)
    label = p.argmax(axis=1)
    hit = side.label == label if labeled else np.ones(len(p), dtype=bool)
    return p.max(axis=1), label, hit, p


def ranking_tells(members, non_members, significance):
    """Return whether the true class's place in the ranking tells members where the label is wrong.

    The gain in accuracy over the label alone is that of who takes wrongly labeled records for
    members whose true class stands within the best place; it must also be greater than what
    chance would give (Smirnov's one-sided test).
    """
    within, sizes = [], []
    for side in (members, non_members):
        known = np.flatnonzero(side.label >= 0)
        p = side.proba[known]
        place = (p > p[np.arange(len(p)), side.label[known], None]).sum(axis=1)
        counts = np.bincount(place, minlength=p.shape[1])[1:]  # 0 is a right label
        sizes.append(max(len(p), 1))
        within.append(counts.cumsum() / sizes[-1])
    lead = float((within[0] - within[1]).max(initial=0.0))
    by_chance = np.sqrt(-np.log(significance) / 2 * (1 / sizes[0] + 1 / sizes[1]))
    return lead / 2 > RANKING_MAY_TELL and lead > by_chance


def row_distance(w):
    """Return the largest total variation between two rows of a random map."""
    return float(0.5 * np.abs(w[:, None] - w[None]).sum(axis=2).max())


def part(side, fraction, rng):
    """Return the arrays of a side in two parts, the second with `fraction` of the records."""
    order = rng.permutation(len(side[0]))
    cut = min(max(1, round(fraction * len(order))), len(order) - 1)
    return tuple([a[rows] for a in side] for rows in (order[cut:], order[:cut]))


def padded(arrays, fill):
    """Return arrays as one, each filled up at the end of its axes to the largest."""
    out = np.full((len(arrays), *np.max([a.shape for a in arrays], axis=0)), fill, dtype=float)
    for one, a in zip(out, arrays):
        one[tuple(map(slice, a.shape))] = a
    return out


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


def shares(values):
    """Return rows divided by their sums; a row of zeros becomes uniform."""
    total = values.sum(axis=1, keepdims=True)
    return np.where(total > 0, values / np.where(total > 0, total, 1), 1 / max(values.shape[1], 1))
