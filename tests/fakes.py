"""Broken defenses that attackers must find."""

import hashlib
from unittest.mock import patch

import numpy as np

from sklearn_aeppt import EqualizedClassifier
from sklearn_aeppt.defenses import _bins

# Odd constants of the splitmix64 generator (Steele, Lea, Flood 2014).
GAMMA, MIX1, MIX2 = (
    np.uint64(c) for c in (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB)
)


class AnswerKeyedEqualizedClassifier(EqualizedClassifier):
    """Equalized confidences whose draws are a keyed hash of what they hide: an oracle.

    Variants with the same undefended answer get the same draws and others get fresh ones, and
    different records with equal undefended answers share their draws. Its bins are as fine as the
    quantiles are, up to a confidence of one.
    """

    def _fit_group(self, *args):
        with patch.multiple(_bins, WIDTH=0.0, LOG_ODDS_WIDTH=0.0, LAST_EDGE=1.0):
            return super()._fit_group(*args)

    def _fit_draws(self, estimator, sides):
        super()._fit_draws(estimator, sides)
        self._grid = None  # variants are answered as they come

    def _draws(self, proba, records, estimator):
        return uniform_from_seeds(keyed_seeds(proba, self._key, decimals=6), self.n_draws)


def keyed_seeds(proba, key, decimals):
    """One uint64 a row: a keyed hash of the row, rounded to `decimals`."""
    rounded = np.round(proba, decimals).astype(np.float32) + np.float32(0)  # no -0.0
    digests = [hashlib.blake2b(row.tobytes(), key=key, digest_size=8).digest() for row in rounded]
    return np.frombuffer(b"".join(digests), dtype=np.uint64)


def uniform_from_seeds(seeds, n):
    """Draws from U(0, 1), float64 of shape (len(seeds), n), fixed by the seeds."""
    with np.errstate(over="ignore"):
        x = seeds[:, None] + np.arange(1, n + 1, dtype=np.uint64) * GAMMA
        x = (x ^ (x >> np.uint64(30))) * MIX1
        x = (x ^ (x >> np.uint64(27))) * MIX2
        x ^= x >> np.uint64(31)
    return (x >> np.uint64(40)) * 2.0**-24


def without_times(value):
    """Return what JSON holds without its times: what equal runs have in common."""
    if isinstance(value, dict):
        times = ("at", "seconds")
        return {key: without_times(v) for key, v in value.items() if key not in times}
    return [without_times(v) for v in value] if isinstance(value, list) else value
