"""A lower bound on epsilon from one training run: inclusion coins, guesses, and abstention."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import exp, inf
from numbers import Integral, Real

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import brentq
from scipy.special import log_ndtr, logit, ndtr, ndtri
from scipy.stats import beta, binom
from sklearn.utils import check_consistent_length, column_or_1d
from sklearn.utils._param_validation import Interval, StrOptions, validate_params

from sklearn_aeppt.metrics._intervals import CONFIDENCE
from sklearn_aeppt.metrics._membership import as_membership

#: Largest mu that is looked for: at 40, two Gaussians are told apart without error in float64.
LARGEST_MU = 40.0


@dataclass(frozen=True)
class OneRunEpsilon:
    """A lower bound on epsilon with the ceiling that its number of guesses allows.

    Made by `one_run_epsilon`. ``float(bound)`` is `epsilon`; ``str(bound)`` names the ceiling, too.

    Parameters
    ----------
    epsilon : float >= 0
        Lower confidence bound; 0 where nothing is ruled out.
    ceiling : float >= 0
        The bound that as many guesses give where all of them are right: a small `epsilon` under a
        small ceiling says little about the target.
    n_correct : int
        Number of right guesses.
    n_guesses : int
        Number of guesses; about the other records the attack abstained.
    n_records : int
        Number of records whose membership was decided by a coin.
    delta : float in [0, 1)
        The delta of the guarantee.
    confidence : float in (0, 1)
        Probability with which the bound holds, at least.
    mu : float or None, default=None
        Lower confidence bound on mu of Gaussian differential privacy; None for the other family.

    See Also
    --------
    one_run_epsilon : Makes it.

    Examples
    --------
    >>> from sklearn_aeppt.metrics import one_run_epsilon
    >>> bound = one_run_epsilon([1, 0] * 100, [1, 0] * 95 + [0, 1] * 5)
    >>> print(bound)
    epsilon >= 2.40 at 95 % confidence: 190 of 200 guesses right; 200 guesses show at most 4.19
    >>> round(float(bound), 2)
    2.4
    """

    epsilon: float
    ceiling: float
    n_correct: int
    n_guesses: int
    n_records: int
    delta: float
    confidence: float
    mu: float | None = None

    def __float__(self) -> float:
        return self.epsilon

    def __str__(self) -> str:
        at_delta = f", delta = {self.delta:g}" if self.delta else ""
        return (
            f"epsilon >= {self.epsilon:.2f} at {100 * self.confidence:g} % confidence{at_delta}: "
            f"{self.n_correct:,} of {self.n_guesses:,} guesses right; {self.n_guesses:,} guesses "
            f"show at most {self.ceiling:.2f}"
        )


@validate_params(
    {
        "delta": [Interval(Real, 0, 1, closed="left")],
        "confidence": CONFIDENCE,
        "family": [StrOptions({"approximate", "gaussian"})],
    },
    prefer_skip_nested_validation=True,
)
def one_run_epsilon(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    *,
    delta: float = 0.0,
    confidence: float = 0.95,
    family: str = "approximate",
) -> OneRunEpsilon:
    r"""Lower confidence bound on the epsilon of a training procedure, from one training run.

    A fair coin decided for each of m records, independently, whether it trained the target. An
    attacker guesses the coins of r of them and abstains from the others. If the training procedure
    is (epsilon, 0)-differentially private, then no attacker is right more often than a binomial
    variable W of r trials with success probability ``q = exp(epsilon) / (1 + exp(epsilon))``, so
    that v right guesses rule out every epsilon with ``P(W >= v) < 1 - confidence``. With a delta,
    they rule out those with ::

        P(W >= v) + 2 * m * delta * max_{1 <= i <= v} P(v - i <= W < v) / i  <  1 - confidence

    The number of guesses is a limit of its own: r guesses that are all right cannot rule out more
    than the `~OneRunEpsilon.ceiling`, whatever the target. It is part of the result.

    With ``family="gaussian"``, the hypotheses are the trade-off functions of Gaussian differential
    privacy instead of (epsilon, delta) pairs: the greatest mu is found that v right guesses of r
    rule out, and the epsilon that this mu has at `delta`. That is tighter where noise is Gaussian
    (DP-SGD), and says nothing about procedures whose trade-off function is another.

    Parameters
    ----------
    y_true : array-like of shape (m,), boolean or 0/1
        What the coins said: 1 for a record that trained the target.
    y_pred : array-like of shape (m,), boolean, or 0, 1 and NaN
        The attack's guesses; NaN where it abstains (see `most_certain_guesses`). They must not
        have been learned from these very coins, and the number of guesses must not have been
        chosen by them.
    delta : float in [0, 1), default=0.0
        The delta of (epsilon, delta)-differential privacy; above 0 for the Gaussian family.
    confidence : float in (0, 1), default=0.95
        Probability with which the bound holds, at least.
    family : {"approximate", "gaussian"}, default="approximate"
        The hypotheses that are ruled out: (epsilon, delta)-differential privacy, or Gaussian
        differential privacy.

    Returns
    -------
    bound : OneRunEpsilon
        The bound, its ceiling, and the counts; ``float(bound)`` is the epsilon.

    Raises
    ------
    ValueError
        If the lengths differ, a value of `y_true` is neither 0 nor 1 or of `y_pred` neither of
        these nor NaN, no guess was made, or the Gaussian family is given no delta.

    See Also
    --------
    epsilon_lower_bound : What the members and non-members of one model differ by, whoever drew
        them; its two sides are sampled, not coined, and it splits the records to choose a
        threshold.
    most_certain_guesses : Guesses of scores, with abstention.

    Notes
    -----
    This bound is about the *training procedure*, over its randomness and the coins: half of the
    records that take part must have been left out at random. Members and non-members that somebody
    else chose, such as two hospitals, have no coins. `epsilon_lower_bound` is about the
    distinguishability of the two samples that it is given.

    References
    ----------
    Steinke, Nasr, Jagielski (2023), "Privacy auditing with one (1) training run", Theorems 5.1 and
    5.2.

    Mahloujifar, Melis, Chaudhuri (2024), "Auditing f-differential privacy in one run", Algorithm 3.

    Dong, Roth, Su (2022), "Gaussian differential privacy", Corollary 2.13.

    Examples
    --------
    >>> from sklearn_aeppt.metrics import one_run_epsilon
    >>> y_true, y_pred = [1, 0] * 500, [1, 0] * 420 + [0, 1] * 80
    >>> for delta, family in [(0, "approximate"), (1e-5, "approximate"), (1e-5, "gaussian")]:
    ...     bound = one_run_epsilon(y_true, y_pred, delta=delta, family=family)
    ...     print(f"{bound.epsilon:.2f} of at most {bound.ceiling:.2f}")
    1.51 of at most 5.81
    1.51 of at most 5.78
    2.82 of at most 12.33
    """
    coins = as_membership(y_true)
    guess = _as_guesses(coins, y_pred)
    if family == "gaussian" and delta == 0:
        raise ValueError(
            "delta=0 with family='gaussian': Gaussian noise has no finite epsilon without a delta. "
            "Give one, such as 1e-5."
        )
    made = ~np.isnan(guess)
    r, v, m = int(made.sum()), int((guess[made] == coins[made]).sum()), len(coins)
    level = 1 - confidence
    mu = None
    if family == "gaussian":
        mu = _largest_mu(v, r, m, level)
        epsilon, ceiling = (_gaussian_epsilon(x, delta) for x in (mu, _largest_mu(r, r, m, level)))
    else:
        epsilon, ceiling = (_largest_epsilon(k, r, m, level, delta) for k in (v, r))
    return OneRunEpsilon(epsilon, ceiling, v, r, m, float(delta), float(confidence), mu)


@validate_params(
    {"n_guesses": [Interval(Integral, 1, None, closed="left")]}, prefer_skip_nested_validation=True
)
def most_certain_guesses(y_score: ArrayLike, n_guesses: int) -> np.ndarray:
    """Guesses about the records with the most extreme scores, and abstention from the others.

    The greatest scores are guessed to be members, the least to be non-members, half each.

    Parameters
    ----------
    y_score : array-like of shape (n,)
        Attack scores; greater means more likely a member. May be infinite.
    n_guesses : int >= 1
        Number of guesses; at most n. Fix it before the membership of the records is known: the
        best of several numbers is no longer covered by a confidence bound.

    Returns
    -------
    y_pred : float64 ndarray of shape (n,)
        1 for a member, 0 for a non-member, NaN where no guess is made. Equal scores across the end
        of either half are abstained from, so that nothing depends on the order of the rows; then
        there are fewer guesses than `n_guesses`.

    Raises
    ------
    ValueError
        If a score is NaN or `n_guesses` is above n.

    See Also
    --------
    one_run_epsilon : What the guesses rule out.

    References
    ----------
    Steinke, Nasr, Jagielski (2023), "Privacy auditing with one (1) training run", Algorithm 1.

    Examples
    --------
    >>> from sklearn_aeppt.metrics import most_certain_guesses
    >>> most_certain_guesses([0.1, 0.9, 0.5, 0.4, 0.8, 0.2], 4)
    array([ 0.,  1., nan, nan,  1.,  0.])
    """
    score = column_or_1d(y_score).astype(np.float64)
    if np.isnan(score).any():
        raise ValueError(
            f"y_score contains NaN in {np.isnan(score).sum()} of {len(score)} records."
        )
    if n_guesses > len(score):
        raise ValueError(
            f"n_guesses={n_guesses} of {len(score)} records: guess at most once for each."
        )
    falling = np.sort(score)[::-1]
    n_members, n_others = (n_guesses + 1) // 2, n_guesses // 2
    guess = np.full(len(score), np.nan)
    # beyond the first score that is not guessed: of equal scores, all or none
    guess[score > (falling[n_members] if n_members < len(score) else -inf)] = 1
    if n_others:
        guess[score < (falling[-n_others - 1] if n_others < len(score) else inf)] = 0
    return guess


def _as_guesses(coins, y_pred):
    guess = column_or_1d(y_pred).astype(np.float64)
    check_consistent_length(coins, guess)
    known = np.isin(guess, [0, 1]) | np.isnan(guess)
    if not known.all():
        raise ValueError(
            f"y_pred holds {np.unique(guess[~known])[:3].tolist()}: give 1 for a member, 0 for a "
            "non-member, and NaN where the attack abstains (most_certain_guesses makes such "
            "guesses of scores)."
        )
    if np.isnan(guess).all():
        raise ValueError("y_pred abstains from every record: make at least one guess.")
    return guess


def _largest_epsilon(v, r, m, level, delta):
    """Return the largest epsilon that v right guesses of r, about m coins, rule out."""
    if v == 0:
        return 0.0
    pure = max(0.0, float(logit(beta.ppf(level, v, r - v + 1))))
    if delta == 0 or pure == 0:
        return pure

    def too_likely(epsilon):
        return _tail(epsilon, v, r, m, delta) - level

    return 0.0 if too_likely(0.0) >= 0 else _crossing(too_likely, pure)


def _tail(epsilon, v, r, m, delta):
    """Return a bound on the probability of v or more right guesses under (epsilon, delta)."""
    q = 1 / (1 + exp(-epsilon))
    below = np.cumsum(binom.pmf(np.arange(v - 1, -1, -1), r, q))  # P(v - i <= W < v), i = 1...v
    return binom.sf(v - 1, r, q) + 2 * m * delta * (below / np.arange(1, v + 1)).max()


def _largest_mu(v, r, m, level):
    """Return the largest mu that v right guesses of r, about m coins, rule out."""

    def room(mu):
        return _least_mass(v, r, m, level, mu) - r / m

    if room(0.0) <= 0:
        return 0.0
    return LARGEST_MU if room(LARGEST_MU) > 0 else _crossing(lambda mu: -room(mu), LARGEST_MU)


def _least_mass(v, r, m, level, mu):
    """Return the least total of ``r / m`` that a tail P(W >= v) of `level` leaves possible.

    With p_i the probability of exactly i right guesses, ``right = sum_{i >= k} p_i i / m`` and
    ``wrong = sum_{i >= k} p_i (r - i) / m``, flipping the coin of a random record turns i right
    guesses into i - 1. So ``right`` from k + 1 on is at most the Gaussian blow-up of ``wrong`` from
    k on, which decides p_k from below, one k after the other.
    """
    right, wrong = level * v / m, level * (r - v) / m
    for i in range(v - 1, -1, -1):
        more = ndtr(ndtri(right) - mu) - wrong
        if more > 0:
            wrong += more
            right += more * i / (r - i)
        if right + wrong > 1:  # already impossible, and ndtri knows no more than 1
            break
    return right + wrong


def _gaussian_epsilon(mu, delta):
    """Return the epsilon that mu-Gaussian differential privacy has at `delta`."""

    def above(epsilon):
        second = epsilon + log_ndtr(-epsilon / mu - mu / 2)
        return delta - (ndtr(-epsilon / mu + mu / 2) - exp(second))

    if mu == 0 or above(0.0) >= 0:
        return 0.0
    return _crossing(above, mu * mu / 2 + mu * float(-ndtri(delta)) + 1)


def _crossing(rising: Callable[[float], float], high: float) -> float:
    """Return where a function that is negative at 0 and not at `high` crosses zero, or below it."""
    root = brentq(rising, 0.0, high, xtol=1e-9)
    return max(0.0, float(root) - 1e-9)
