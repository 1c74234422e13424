"""The searches of the out-of-fold defense: exact and approximate ones, and a cluster."""

import pickle

import joblib
import numpy as np
import pytest
from sklearn.base import clone
from sklearn.neighbors import NearestNeighbors
from sklearn.tree import DecisionTreeClassifier

from sklearn_aeppt import OutOfFoldClassifier
from sklearn_aeppt.defenses import GraphNeighbors, _fold_search
from sklearn_aeppt.defenses._fold_groups import find_near_duplicates
from sklearn_aeppt.defenses._fold_neighborhood import Neighborhood
from sklearn_aeppt.defenses._fold_search import ProductSearch, exact_search, nearest_others

TREE = DecisionTreeClassifier(random_state=0)


def by_hand(place, query, k):
    """Return exact distances, from differences in float64."""
    step = query.astype(np.float64)[:, None] - place.astype(np.float64)
    return np.sort(np.sqrt((step**2).sum(axis=2)), axis=1)[:, :k]


@pytest.mark.parametrize("n_jobs", [None, 1, 2])
@pytest.mark.parametrize("kind", ["floats", "far", "bits", "outliers", "copies"])
def test_products_in_float32_find_exactly_the_nearest(kind, n_jobs, monkeypatch):
    monkeypatch.setattr(_fold_search, "BLOCK", 2**16)  # several blocks
    rng = np.random.default_rng(0)
    place = rng.normal(size=(3000, 30)).astype(np.float32)
    if kind == "far":
        place = place * np.float32(1e-3) + 50  # nearly all of each square cancels
    if kind == "bits":
        place = (place > 0.5).astype(np.float32)
    if kind == "outliers":
        place[:3] *= 1e6
    if kind == "copies":
        place[1000:2500] = place[0]  # more candidates than are compared one by one
    query = np.concatenate([place[:100], place[-100:] + np.float32(0.01)])
    distance, index = ProductSearch(n_jobs).fit(place).kneighbors(query, 7)
    expected = by_hand(place, query, 7)
    step = query[:, None].astype(np.float64) - place[index]
    tight = {"far": 1e-4, "outliers": 1e-1}.get(kind, 1e-9)  # scikit-learn's where it takes over
    np.testing.assert_allclose(np.sqrt((step**2).sum(axis=2)), expected, atol=tight)
    np.testing.assert_allclose(distance, expected, atol=tight if kind != "copies" else 1e-5)
    assert all(len(set(row)) == 7 for row in index)


def test_which_search_is_exact_where():
    rng = np.random.default_rng(0)
    kinds = {
        (500, 30): NearestNeighbors,
        (9000, 500): ProductSearch,
        (300_000, 15): NearestNeighbors,
    }
    for shape, kind in kinds.items():
        place = rng.random(shape, dtype=np.float32)
        assert type(exact_search(place, 1)) is kind


@pytest.mark.parametrize("given", [None, NearestNeighbors(algorithm="brute")], ids=str)
def test_others_leave_out_the_record_itself(given):
    place = np.float32([[0], [0], [1], [3], [3]])
    distance, other = nearest_others(given, place, 2, None)
    np.testing.assert_array_equal(distance, [[0, 1], [0, 1], [1, 1], [0, 2], [0, 2]])
    assert (other != np.arange(5)[:, None]).all()
    assert nearest_others(given, place, 9, None)[0].shape == (5, 4)


def test_many_records_are_answered_as_few_are(monkeypatch):
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(3000, 40)), rng.integers(3, size=3000)
    new = rng.normal(size=(200, 40))
    given = {"n_repeats": 2, "bandwidth": 0.3, "random_state": 0}
    shown = []
    for large in (2**22, 1000):
        monkeypatch.setattr(_fold_search, "LARGE", large)
        asked = [
            OutOfFoldClassifier(TREE, n_jobs=n_jobs, **given).fit(X, y) for n_jobs in (None, 2)
        ]
        np.testing.assert_array_equal(asked[0].fold_, asked[1].fold_)
        shown.append((asked[0].fold_, asked[0]._near.nearest_other_, asked[0].predict_proba(new)))
        np.testing.assert_array_equal(asked[1].predict_proba(new), shown[-1][2])
    assert type(asked[0].neighbors_) is ProductSearch
    np.testing.assert_array_equal(shown[0][0], shown[1][0])
    for few, many in zip(shown[0][1:], shown[1][1:]):
        np.testing.assert_allclose(few, many, rtol=1e-5)


def test_one_search_serves_for_duplicates_and_for_distances(monkeypatch):
    monkeypatch.setattr(_fold_search, "LARGE", 1000)
    searched = []
    kneighbors = ProductSearch.kneighbors

    def counts(self, X, n_neighbors):
        searched.append(len(X))
        return kneighbors(self, X, n_neighbors)

    monkeypatch.setattr(ProductSearch, "kneighbors", counts)
    rng = np.random.default_rng(0)
    X, y = rng.integers(2, size=(3000, 40)).astype(float), rng.integers(3, size=3000)
    OutOfFoldClassifier(TREE, n_repeats=1, bandwidth=0.3, random_state=0).fit(X, y)
    assert searched.count(len(np.unique(X, axis=0))) == 1


class Misses(NearestNeighbors):
    """A search that never finds some of its records."""

    def __init__(self, share=0.005, n_neighbors=5):
        super().__init__(n_neighbors=n_neighbors)
        self.share = share

    def fit(self, X, y=None):
        self.known_ = np.flatnonzero(np.arange(len(X)) % round(1 / self.share) != 3)
        return super().fit(X[self.known_])

    def kneighbors(self, X, n_neighbors):
        distance, index = super().kneighbors(X, n_neighbors=n_neighbors)
        return distance, self.known_[index]


def test_records_that_a_search_misses_are_found_all_the_same():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(600, 8)), rng.integers(3, size=600)
    given = {"n_repeats": 2, "bandwidth": 0.3, "random_state": 0}
    exact = OutOfFoldClassifier(TREE, **given).fit(X, y)
    missing = OutOfFoldClassifier(TREE, neighbors=Misses(), **given).fit(X, y)
    np.testing.assert_array_equal(missing._near.lost_, [3, 203, 403])
    np.testing.assert_array_equal(missing.fold_, exact.fold_)
    for asked in (X, X + 0.05, X[3:4]):
        np.testing.assert_array_equal(missing._near(asked)[1], exact._near(asked)[1])
        np.testing.assert_allclose(missing.predict_proba(asked), exact.predict_proba(asked))


def test_a_search_that_misses_many_records_is_refused():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(600, 8)), rng.integers(3, size=600)
    with pytest.raises(ValueError, match=r"neighbors=Misses.*does not find 60 of 600 training"):
        OutOfFoldClassifier(TREE, neighbors=Misses(0.1), bandwidth=0.3).fit(X, y)


def test_records_too_near_to_be_told_apart_are_reported():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(300, 8)), rng.integers(3, size=300)
    X[:20] = X[0] + 1e-5 * rng.normal(size=(20, 8))
    apart = OutOfFoldClassifier(TREE, n_repeats=1, bandwidth=0.3, duplicate_radius=0.0)
    with pytest.warns(UserWarning, match=r"duplicate_radius=0.0 keeps apart.*of 300 training"):
        apart.fit(X, y)
    together = clone(apart).set_params(duplicate_radius=0.01).fit(X, y)
    assert together.n_groups_ == 281 and together._near.n_missed_ == 0


def test_graph_neighbors():
    pytest.importorskip("faiss")
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(2000, 12)), rng.integers(3, size=2000)
    place = X.astype(np.float32)
    found = GraphNeighbors().fit(place).kneighbors(place[:300], 9)
    exact = NearestNeighbors().fit(place).kneighbors(place[:300], 9)
    assert (found[1] == exact[1]).mean() > 0.99
    np.testing.assert_array_equal(found[1][:, 0], np.arange(300))
    np.testing.assert_allclose(found[0], exact[0], atol=1e-3)
    given = {"n_repeats": 2, "bandwidth": 0.3, "random_state": 0}
    defended = OutOfFoldClassifier(TREE, neighbors=GraphNeighbors(), **given).fit(X, y)
    plain = OutOfFoldClassifier(TREE, **given).fit(X, y)
    np.testing.assert_array_equal(defended.fold_, plain.fold_)
    shown = defended.predict_proba(X + 0.1)
    np.testing.assert_allclose(shown, plain.predict_proba(X + 0.1), atol=1e-6)
    one = np.concatenate([defended.predict_proba(X[i : i + 1] + 0.1) for i in range(20)])
    np.testing.assert_allclose(one, shown[:20], rtol=1e-9)
    read = pickle.loads(pickle.dumps(defended))
    np.testing.assert_array_equal(read.predict_proba(X + 0.1), shown)
    np.testing.assert_array_equal(clone(defended).fit(X, y).predict_proba(X + 0.1), shown)


def test_what_graph_neighbors_cannot_do_is_named():
    pytest.importorskip("faiss")
    X = np.random.default_rng(0).normal(size=(300, 4))
    with pytest.raises(ValueError, match=r"n_searched=1 reaches fewer than n_neighbors=20"):
        GraphNeighbors(n_links=2, n_built=1, n_searched=1).fit(X).kneighbors(X, 20)
    with pytest.raises(ValueError, match=r"n_neighbors=301 is more than the 300 records"):
        GraphNeighbors().fit(X).kneighbors(X, 301)
    with pytest.raises(ValueError, match="'n_links' parameter"):
        GraphNeighbors(n_links=1).fit(X)


def test_graph_neighbors_without_faiss(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "faiss", None)
    with pytest.raises(ImportError, match=r"pip install sklearn-aeppt\[index\]"):
        GraphNeighbors().fit(np.eye(3))


def test_ties_are_added_as_if_they_had_been_searched_with(monkeypatch):
    monkeypatch.setattr(_fold_search, "LARGE", 1000)
    rng = np.random.default_rng(0)
    place = rng.integers(2, size=(2500, 40)).astype(np.float32)
    place = np.unique(place, axis=0)
    others = nearest_others(None, place, 9, None)
    group = find_near_duplicates(place, 1.0, 10, others)[0]
    ways = [
        Neighborhood(None, 9).fit(None, place, group, np.random.RandomState(0), given)
        for given in (None, others)
    ]
    np.testing.assert_allclose(ways[0].nearest_other_, ways[1].nearest_other_, rtol=1e-5)
    assert ways[0].n_missed_ == ways[1].n_missed_ == 0
    lonely = others[0], others[1]
    lonely[0][0] = 0  # nine as near as itself: that list cannot say who comes first
    again = Neighborhood(None, 9).fit(None, place, group, np.random.RandomState(0), lonely)
    np.testing.assert_array_equal(again.nearest_other_, ways[0].nearest_other_)


@pytest.mark.slow  # two processes that import everything
# the cluster's own: sockets and event loops closed late
@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_cluster_trains_the_same_classifier():
    distributed = pytest.importorskip("distributed")
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(300, 6)), rng.integers(3, size=300)
    defended = OutOfFoldClassifier(TREE, n_repeats=2, random_state=0)
    serial = clone(defended).fit(X, y)
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, dashboard_address=None, silence_logs=50
        ) as cluster,
        distributed.Client(cluster),
        joblib.parallel_config(backend="dask"),
    ):
        clustered = clone(defended).fit(X, y)
        shown = clustered.predict_proba(X)
    np.testing.assert_array_equal(clustered.fold_, serial.fold_)
    assert clustered.bandwidth_ == serial.bandwidth_
    np.testing.assert_array_equal(shown, serial.predict_proba(X))
    with joblib.parallel_config(backend="threading", n_jobs=2):
        threaded = clone(defended).fit(X, y)
        np.testing.assert_array_equal(threaded.predict_proba(X), shown)
