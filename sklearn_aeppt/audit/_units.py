"""Who is judged: each record by itself, or each person (group of records) as one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.stats import rankdata
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedGroupKFold, train_test_split

from sklearn_aeppt._groups import find_groups
from sklearn_aeppt.attacks import best_threshold

Part = tuple[np.ndarray, np.ndarray]  # what an attack says of the records of a half: said, score


def split_halves(is_member, groups, seed):
    """Return two halves of the records, each with its share of members; no group is in both."""
    rows = np.arange(len(is_member))
    if groups is None:
        return train_test_split(rows, test_size=0.5, stratify=is_member, random_state=seed)
    splitter = StratifiedGroupKFold(n_splits=2, shuffle=True, random_state=seed)
    first, second = next(splitter.split(rows, is_member, groups))
    return [first, second]


class Records:
    """Every record is judged by itself.

    Parameters
    ----------
    is_member : boolean ndarray of shape (n,)
    halves : sequence of two int ndarrays

    Attributes
    ----------
    of : int ndarray of shape (n,)
        The unit that each record belongs to.
    is_member : boolean ndarray of shape (n_units,)
    halves : list of two int ndarrays
        The units of each half.
    """

    def __init__(self, is_member, halves):
        self.is_member, self.halves, self.of = is_member, list(halves), np.arange(len(is_member))

    def pool(self, parts: Sequence[Part]) -> Part:
        """Return (decision, score) of each unit from what is said of the records of each half.

        Scores of two trainings are on two scales (logits of two networks, distances from two
        thresholds). What they share is the order of the records that they score, of which each
        half has the same share of members: the rank within the half, as a share of its size, takes
        the place of the score. Equal scores have one rank, the mean of theirs.
        """
        said, score = np.empty(len(self.of), dtype=bool), np.empty(len(self.of))
        for (one_said, one_score), half in zip(parts, self.halves):
            said[half], score[half] = one_said, _ranks(one_score)
        return said, score


class Persons:
    """All records of one person are judged together.

    The scores of their records are taken as one by their maximum, their mean and their log-sum-exp
    (less the logarithm of their number, which tells nothing of membership). Which of the three, and
    from which value on it says "member", is decided for each half by the persons of the other.

    Parameters
    ----------
    is_member : boolean ndarray of shape (n,)
        Of the records; all of one person are on one side.
    halves : sequence of two int ndarrays
        The records of each half; all of one person are in one half.
    persons : int ndarray of shape (n,)
        The person of each record.

    Attributes
    ----------
    of, is_member, halves
        As of `Records`.
    """

    def __init__(self, is_member, halves, persons):
        _, first, self.of = np.unique(persons, return_index=True, return_inverse=True)
        self.is_member = is_member[first]
        self.records = list(halves)
        self.halves = [np.unique(self.of[half]) for half in halves]

    def sizes(self) -> dict[str, int]:
        """Return how many persons there are on each side."""
        n = int(self.is_member.sum())
        return {"members": n, "non_members": len(self.is_member) - n}

    def pool(self, parts: Sequence[Part]) -> Part:
        """Return (decision, score) of each person from what is said of their records."""
        said, score = np.empty(len(self.is_member), dtype=bool), np.empty(len(self.is_member))
        each = [
            [_ranks(one) for one in _as_one(part[1], np.searchsorted(units, self.of[rows]))]
            for part, rows, units in zip(parts, self.records, self.halves)
        ]
        for here, there in ((0, 1), (1, 0)):
            truth = self.is_member[self.halves[there]]
            best = int(np.argmax([roc_auc_score(truth, one) for one in each[there]]))
            threshold = best_threshold(each[there][best], truth)
            units, ranks = self.halves[here], each[here][best]
            said[units], score[units] = ranks > threshold, ranks
        return said, score


def _ranks(score):
    return rankdata(score) / len(score)


def _as_one(score, unit):
    """Return the maximum, the mean and the log-mean-exp of the scores of each unit.

    The scores are standardized: the last would be another thing on every scale.
    """
    finite = np.append(score[np.isfinite(score)], [] if np.isfinite(score).any() else [0.0])
    step = finite.std() or 1.0
    score = score.clip(finite.min() - step, finite.max() + step)  # infinite ones: beyond all others
    score = (score - score.mean()) / (score.std() or 1.0)
    count = np.bincount(unit)
    most = np.full(len(count), -np.inf)
    np.maximum.at(most, unit, score)
    mean = np.bincount(unit, weights=score) / count
    soft = np.log(np.bincount(unit, weights=np.exp(score - most[unit])) / count) + most
    return most, mean, soft


def split_units(is_member, persons, seed):
    """Return (halves of the records, the units that are judged)."""
    if persons is None:
        halves = split_halves(is_member, None, seed)
        return halves, Records(is_member, halves)
    persons = find_groups(persons)[1]
    for side, what in ((is_member, "members"), (~is_member, "non-members")):
        n = len(np.unique(persons[side]))
        if n < 4:
            raise ValueError(
                f"groups has {n} person(s) among the {what} that are left: an audit needs 4 on "
                "each side."
            )
    halves = split_halves(is_member, persons, seed)
    return halves, Persons(is_member, halves, persons)
