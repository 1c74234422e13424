"""Moments of each record's answers, over the shadow models that a mask marks."""

import numpy as np


def masked_mean(values, mask):
    """Return the mean over models of the values that the mask marks, shape (n,)."""
    return np.where(mask, values, 0).sum(axis=0) / np.maximum(mask.sum(axis=0), 1)


def moments(values, mask):
    """Return (count, mean, sum of squares) over the models that the mask marks, each (n,)."""
    mean = masked_mean(values, mask)
    squares = (np.where(mask, values - mean, 0) ** 2).sum(axis=0)
    return mask.sum(axis=0), mean, squares
