"""Generated baskets in the regime of Purchase-100, and its recipe for classes."""

from __future__ import annotations

from numbers import Integral, Real

import numpy as np
from numpy.typing import ArrayLike
from sklearn.cluster import MiniBatchKMeans
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, validate_params


@validate_params(
    {
        "n_samples": [Interval(Integral, 1, None, closed="left")],
        "n_features": [Interval(Integral, 1, None, closed="left")],
        "n_classes": [Interval(Integral, 1, None, closed="left")],
        "n_tastes": [Interval(Integral, 3, None, closed="left")],
        "noise": [Interval(Real, 0, 1, closed="both")],
        "random_state": ["random_state"],
    },
    prefer_skip_nested_validation=True,
)
def make_purchase(
    n_samples: int = 40_000,
    *,
    n_features: int = 600,
    n_classes: int = 100,
    n_tastes: int = 25,
    noise: float = 0.25,
    random_state: int | np.random.RandomState | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Generate baskets on which networks overfit as they do on Purchase-100.

    Every customer has three of `n_tastes` tastes, in shares of their own; a taste is a sparse
    vector of probabilities to buy each product. Classes are clusters of baskets, as in
    Purchase-100.

    Parameters
    ----------
    n_samples : int, default=40_000
        Number of baskets.
    n_features : int, default=600
        Number of products.
    n_classes : int, default=100
        Number of classes, at most `n_samples`.
    n_tastes : int, default=25
        Number of tastes, at least 3. Fewer tastes make the classes easier to tell apart.
    noise : float in [0, 1], default=0.25
        Share of what is bought that has nothing to do with taste.
    random_state : int, RandomState instance or None, default=None
        Controls the baskets and their clustering. Pass an int for reproducible data.

    Returns
    -------
    X : ndarray of shape (n_samples, n_features), uint8
        1 where a product was bought, else 0.
    y : ndarray of shape (n_samples,), int64
        Class, from 0.

    Raises
    ------
    ValueError
        If a parameter is outside its range, or if there are fewer baskets than classes.

    See Also
    --------
    purchase_classes : The classes of baskets that exist already.
    fetch_purchase100 : The published baskets.

    References
    ----------
    Shokri et al. (2017), Section VI.A, for the data it stands for.

    Examples
    --------
    >>> from sklearn_aeppt.datasets import make_purchase
    >>> X, y = make_purchase(1000, n_classes=10, random_state=0)
    >>> X.shape, int(y.max())
    ((1000, 600), 9)
    """
    rng = check_random_state(random_state)
    # few products are much bought by those who like them, most hardly ever
    tastes = rng.beta(0.08, 0.6, size=(n_tastes, n_features))
    X = np.empty((n_samples, n_features), dtype=np.uint8)
    for start in range(0, n_samples, 10_000):
        rows = slice(start, min(start + 10_000, n_samples))
        n = rows.stop - rows.start
        liked = rng.random_sample((n, n_tastes)).argsort(axis=1)[:, :3]
        share = rng.dirichlet((1.0, 0.5, 0.25), size=n)
        probability = np.einsum("ij,ijk->ik", share, tastes[liked])
        probability = (1 - noise) * probability + noise * tastes.mean()
        X[rows] = rng.random_sample((n, n_features)) < probability
    return X, purchase_classes(X, n_classes, random_state=rng)


def purchase_classes(
    X: ArrayLike,
    n_classes: int,
    *,
    random_state: int | np.random.RandomState | None = None,
) -> np.ndarray:
    """Return classes of baskets by Purchase-100's recipe: their clusters by k-means.

    Parameters
    ----------
    X : array-like of shape (n, d)
        Baskets, 1 where a product was bought, else 0.
    n_classes : int
        Number of clusters, at most n.
    random_state : int, RandomState instance or None, default=None
        Controls the start and the batches of k-means. Pass an int for reproducible classes.

    Returns
    -------
    y : ndarray of shape (n,), int64
        Class, from 0.

    Raises
    ------
    ValueError
        If there are fewer baskets than classes.

    See Also
    --------
    make_purchase : Generated baskets with their classes.

    References
    ----------
    Shokri et al. (2017), Section VI.A.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_aeppt.datasets import purchase_classes
    >>> y = purchase_classes(np.eye(8)[[0, 0, 0, 1, 1, 1]], 2, random_state=0)
    >>> bool(y[0] == y[1] == y[2] != y[3] == y[4] == y[5])
    True
    """
    cluster = MiniBatchKMeans(n_classes, batch_size=4096, n_init=1, random_state=random_state)
    return cluster.fit_predict(np.asarray(X, dtype=np.float32)).astype(np.int64)
