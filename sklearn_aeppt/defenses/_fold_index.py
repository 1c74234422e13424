"""An approximate search for many records: a graph of neighbors, of the library faiss."""

from numbers import Integral
from typing import Any, Self

import numpy as np
from joblib import effective_n_jobs
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator
from sklearn.utils._param_validation import Interval
from sklearn.utils.validation import check_is_fitted, validate_data

from sklearn_aeppt._one_step import OneStep, as_fitted


class GraphNeighbors(OneStep, BaseEstimator):
    """Approximate nearest neighbors, for ``OutOfFoldClassifier(neighbors=...)``.

    A hierarchical graph (HNSW) of the records, by faiss (``pip install sklearn-aeppt[index]``). A
    query walks along its edges and looks at some hundreds of records in place of all.

    Approximate: a query may find the second nearest record first. `OutOfFoldClassifier` makes up
    for that at the training records themselves, not around them: an attacker's variant of a record
    may be answered by models that have seen the record, as rarely as the walk misses it.
    Near-duplicates that are missed may be in different folds. Distances of many features that are
    independent of each other are hard for any such graph.

    Parameters
    ----------
    n_links : int >= 2, default=32
        Edges of each record; more of them find more, take more memory (about 8 bytes each) and
        longer to build.
    n_built : int >= 1, default=100
        Candidates kept while the graph is built.
    n_searched : int >= 1, default=200
        Candidates kept while it is searched: more of them find more and take longer.
    n_jobs : int or None, default=None
        Threads; None is one. With more than one, the graph is another one each time it is built.

    Attributes
    ----------
    index_ : faiss.IndexHNSWFlat
        The graph; it holds the records as float32.
    n_features_in_ : int
        Number of features.

    See Also
    --------
    OutOfFoldClassifier : What it is for.
    sklearn.neighbors.NearestNeighbors : The exact search.

    References
    ----------
    Malkov and Yashunin (2018), "Efficient and robust approximate nearest neighbor search using
    Hierarchical Navigable Small World graphs". Douze et al. (2024), "The Faiss library".

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.tree import DecisionTreeClassifier
    >>> from sklearn_aeppt import OutOfFoldClassifier
    >>> from sklearn_aeppt.defenses import GraphNeighbors
    >>> X, y = load_iris(return_X_y=True)
    >>> defended = OutOfFoldClassifier(
    ...     DecisionTreeClassifier(), neighbors=GraphNeighbors(), bandwidth=0.1, random_state=0
    ... )
    >>> defended.fit(X, y).score(X, y) > 0.9  # doctest: +SKIP
    True
    """

    _parameter_constraints: dict = {
        "n_links": [Interval(Integral, 2, None, closed="left")],
        "n_built": [Interval(Integral, 1, None, closed="left")],
        "n_searched": [Interval(Integral, 1, None, closed="left")],
        "n_jobs": [Integral, None],
    }

    def __init__(
        self,
        *,
        n_links: int = 32,
        n_built: int = 100,
        n_searched: int = 200,
        n_jobs: int | None = None,
    ) -> None:
        self.n_links = n_links
        self.n_built = n_built
        self.n_searched = n_searched
        self.n_jobs = n_jobs

    def fit(self, X: ArrayLike, y: Any = None) -> Self:
        """Build the graph of some records.

        Parameters
        ----------
        X : array-like of shape (n, n_features)
            Numbers; taken as float32.
        y : None
            Ignored.

        Returns
        -------
        self : GraphNeighbors
            The fitted search.

        Raises
        ------
        ImportError
            If faiss is not installed.
        TypeError
            If `X` is sparse.
        ValueError
            If a parameter is out of its range, or `X` holds no finite numbers.
        """
        self._validate_params()
        place: np.ndarray = validate_data(self, X, dtype=np.float32, order="C")
        faiss = _faiss()
        index = faiss.IndexHNSWFlat(place.shape[1], int(self.n_links))
        index.hnsw.efConstruction = int(self.n_built)
        with _Threads(faiss, self.n_jobs):
            index.add(place)
        self.index_ = index
        return self

    @as_fitted
    def kneighbors(self, X: ArrayLike, n_neighbors: int = 5, return_distance: bool = True) -> Any:
        """Return the records that were found nearest to each query.

        Parameters
        ----------
        X : array-like of shape (n_queries, n_features)
            Numbers; taken as float32.
        n_neighbors : int, default=5
            How many, at most as many as there are records.
        return_distance : bool, default=True
            Whether the distances are returned as well.

        Returns
        -------
        distances : float64 ndarray of shape (n_queries, n_neighbors)
            Euclidean distances, least first; only if they are asked for.
        indices : int64 ndarray of shape (n_queries, n_neighbors)
            Rows of the records in `fit`.

        Raises
        ------
        ValueError
            If more records are asked for than there are, or than the walk along the graph reaches.
        """
        check_is_fitted(self)
        X = validate_data(self, X, dtype=np.float32, order="C", reset=False, ensure_min_samples=0)
        if n_neighbors > self.index_.ntotal:
            raise ValueError(
                f"n_neighbors={n_neighbors} is more than the {self.index_.ntotal} records in fit: "
                "ask for fewer."
            )
        faiss = _faiss()
        how = faiss.SearchParametersHNSW(efSearch=int(max(self.n_searched, n_neighbors)))
        with _Threads(faiss, self.n_jobs):
            squares, index = self.index_.search(X, int(n_neighbors), params=how)
        if (index < 0).any():
            raise ValueError(
                f"n_searched={self.n_searched} reaches fewer than n_neighbors={n_neighbors} "
                "records for some queries: give a larger one, or more n_links."
            )
        distance = np.sqrt(squares.clip(0), dtype=np.float64)
        return (distance, index) if return_distance else index

    def __getstate__(self):
        state = dict(super().__getstate__())
        if "index_" in state:
            state["index_"] = _faiss().serialize_index(state["index_"])
        return state

    def __setstate__(self, state):
        if "index_" in state:
            state = {**state, "index_": _faiss().deserialize_index(state["index_"])}
        super().__setstate__(state)


def _faiss():
    try:
        import faiss
    except ImportError as error:
        raise ImportError(
            "GraphNeighbors needs faiss: pip install sklearn-aeppt[index], or give neighbors=None, "
            "which is exact."
        ) from error
    return faiss


class _Threads:
    """A number of threads for faiss, while a block runs: it keeps one for all of its indexes."""

    def __init__(self, faiss, n_jobs):
        self.faiss = faiss
        self.n = effective_n_jobs(n_jobs)

    def __enter__(self):
        self.before = self.faiss.omp_get_max_threads()
        self.faiss.omp_set_num_threads(self.n)

    def __exit__(self, *error):
        self.faiss.omp_set_num_threads(self.before)
