"""AEPPT's substitute as it is trained by default, and where clones keep trained ones."""

from collections import OrderedDict
from copy import deepcopy

import joblib

from sklearn_aeppt.attacks._mim import MIMAttack

#: Passes over the records, at least and at most, and the records that all passes together see.
MIN_EPOCHS, MAX_EPOCHS, N_SEEN = 10, 40, 200_000


def default_substitute(n, device="cpu", verbose=0):
    """Return the paper's substitute for n records, unfitted.

    The paper trains a hundred epochs. That the step is chosen by what held-out adversaries make of
    the perturbation leaves no more to a longer training (docs/results/protection.md).
    """
    epochs = min(MAX_EPOCHS, max(MIN_EPOCHS, N_SEEN // n))
    return MIMAttack("substitute", max_epochs=epochs, device=device, verbose=verbose)


class Shelf:
    """Trained substitutes by what they follow from; the last few, in memory, for clones to share.

    No confidence vectors are kept, only hashes of them.
    """

    def __init__(self, size=32):
        self.size = size
        self.trained = OrderedDict()

    def fit(self, substitute, params, view, is_member):
        """Return `substitute`, fitted, or a copy of one with equal `params` on equal data."""
        key = joblib.hash((params, view["proba"], view["label"], is_member))
        found = self.trained.get(key)
        if found is None:
            found = self.trained[key] = substitute.fit(view, is_member)
            while len(self.trained) > self.size:
                self.trained.popitem(last=False)
        return deepcopy(found)


def shelf_of(estimator):
    """Return the shelf that an estimator shares with its clones; a new one at first."""
    if getattr(estimator, "_shelf", None) is None:
        vars(estimator)["_shelf"] = Shelf()
    return estimator._shelf
