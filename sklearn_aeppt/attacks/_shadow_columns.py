"""Shadow models' answers as columns of a view: sliced, split and passed on with its records."""

from typing import NamedTuple

import numpy as np

#: Keys of a view: which models a record trained, and what they answer.
IN, ANSWERS = "shadow_in", "shadow_answers"


class Shadows(NamedTuple):
    """What shadow models say of n records."""

    in_mask: np.ndarray  # bool, (n_shadow_models, n): which record trained which model
    answers: np.ndarray  # (n_shadow_models, n, 3): label's confidence, sum of the others, right

    def joined(self, other):
        """Return those of two tables of records as those of one."""
        if len(self.in_mask) != len(other.in_mask):
            raise ValueError(
                f"The records of fit were judged by {len(self.in_mask)} shadow models and those "
                f"asked about by {len(other.in_mask)}: take both from one ShadowMatrix."
            )
        return Shadows(*(np.hstack(parts) for parts in zip(self, other)))


def shadow_columns(in_mask, answers):
    """Return the keys and arrays that a view holds of shadow models, one row a record."""
    return {IN: in_mask.T, ANSWERS: answers.swapaxes(0, 1)}


def read_shadows(X):
    """Return the `Shadows` that a view holds, or None."""
    if not isinstance(X, dict) or X.get(ANSWERS) is None:
        return None
    return Shadows(np.asarray(X[IN], dtype=bool).T, np.asarray(X[ANSWERS]).swapaxes(0, 1))
