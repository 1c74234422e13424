"""Values off the grid of the records are answered as the nearest record would be."""

import numpy as np
import pandas as pd
import pytest
from extras import torch
from scipy import sparse
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import FixedThresholdClassifier
from sklearn.neighbors import KNeighborsClassifier

from sklearn_aeppt import EqualizedClassifier
from sklearn_aeppt.defenses._record_grid import RecordGrid

KEY = b"a key of the tests, known to all"


@pytest.fixture
def table():
    """A bit, a count, a pixel, minus one or one, a half or one and a half, a number, a constant."""
    rng = np.random.default_rng(0)
    n = 100
    return np.column_stack([
        rng.integers(2, size=n), rng.integers(9, size=n), rng.integers(256, size=n) / 255,
        rng.choice([-1, 1], n), rng.choice([0.5, 1.5], n), rng.normal(size=n), np.full(n, 3.25),
    ]).astype(np.float32)  # fmt: skip


def test_grids_are_found_and_the_nearest_record_is_read(table):
    grid = RecordGrid().fit(table[:40], table[40:])
    assert list(grid.columns_) == [0, 1, 2, 3, 4, 6]
    rows, moved = grid.nearest(table)
    assert len(rows) == 0 and moved is None
    noise = np.random.default_rng(1).uniform(-0.0015, 0.0015, table.shape).astype(np.float32)
    rows, moved = grid.nearest(table + noise)
    assert len(rows) == 100
    on_it = [0, 1, 2, 3, 4, 6]
    np.testing.assert_array_equal(moved[:, on_it], table[:, on_it])
    np.testing.assert_array_equal(moved[:, 5], (table + noise)[:, 5])
    one = table[:4].copy()
    one[2, 0] = 0.75
    rows, moved = grid.nearest(one)
    assert list(rows) == [2] and moved[0, 0] == 1
    one[2] = [7, -1.2, 9, -5, 1, 8, 0]  # beyond the ends: of two values the nearer one
    moved = grid.nearest(one)[1][0]
    np.testing.assert_allclose(moved, [1, -1, 9, -1, 1.5, 8, 3.25])


@pytest.mark.parametrize(
    "kind",
    [
        np.asarray,
        np.asfortranarray,
        lambda X: X.astype(np.float64),
        lambda X: X.astype(object),
        lambda X: X.tolist(),
        *([torch.as_tensor] if torch else []),
        pd.DataFrame,
        lambda X: pd.DataFrame(X).astype(object),
        lambda X: pd.DataFrame(X).astype("Float64"),
    ],
)
def test_queries_of_any_kind_stay_what_they_are(table, kind):
    grid = RecordGrid().fit(table[:50], table[50:])
    varied = table[:8].copy()
    varied[::2, 0] += 0.003
    asked = kind(varied)
    before = asked.copy() if hasattr(asked, "copy") else kind(varied.copy())
    rows, moved = grid.nearest(asked)
    assert list(rows) == [0, 2, 4, 6] and type(moved) is type(asked)
    np.testing.assert_array_equal(np.asarray(moved, dtype=float), table[:8:2])
    np.testing.assert_array_equal(np.asarray(asked, dtype=float), np.asarray(before, dtype=float))


def test_polars_become_pandas_with_their_names(table):
    polars = pytest.importorskip("polars")
    frame = pd.DataFrame(table).add_prefix("x")
    grid = RecordGrid().fit(frame[:50], frame[50:])
    varied = frame[:3].assign(x0=0.4)
    moved = grid.nearest(polars.from_pandas(varied))[1]
    assert list(moved.columns) == list(frame.columns) and (moved["x0"] == 0).all()


def test_whole_numbers_asked_of_a_grid_between_them(table):
    grid = RecordGrid().fit(table[:50], table[50:])
    asked = np.ones((1, 7), dtype=np.int64)
    np.testing.assert_allclose(grid.nearest(asked)[1], [[1, 1, 1, 1, 1.5, 1, 3.25]])
    frame = pd.DataFrame(asked)
    np.testing.assert_allclose(grid.nearest(frame)[1].to_numpy(), [[1, 1, 1, 1, 1.5, 1, 3.25]])
    assert (frame == 1).all(axis=None)


def test_missing_values_do_not_hide_a_grid(table):
    holes = table.copy()
    holes[::7, 0] = np.nan
    holes[:, 1] = np.nan
    with np.errstate(all="raise"):
        grid = RecordGrid().fit(holes[:50], holes[50:])
        varied = holes.copy()
        varied[:, 0] += 0.003
        rows, moved = grid.nearest(varied)
    known = ~np.isnan(holes[:, 0])
    np.testing.assert_array_equal(rows, np.flatnonzero(known))
    np.testing.assert_array_equal(moved[:, 0], holes[known, 0])
    assert len(grid.nearest(np.full((1, 7), np.nan))[0]) == 0


def test_mixed_frames_have_a_grid_in_their_numbers(table):
    frame = pd.DataFrame(
        {"town": ["a", "b"] * 50, "bit": table[:, 0], "when": pd.Timestamp("2020"),
         "count": table[:, 1].astype(int), "x": table[:, 5]}
    )  # fmt: skip
    grid = RecordGrid().fit(frame[:50], frame[50:])
    assert list(grid.columns_) == [1, 3]
    varied = frame.assign(bit=frame["bit"] + 0.01, count=frame["count"] - 0.2)
    rows, moved = grid.nearest(varied)
    assert len(rows) == 100
    np.testing.assert_array_equal(moved[["bit", "count"]], frame[["bit", "count"]])
    assert (moved[["town", "when", "x"]] == frame[["town", "when", "x"]]).all(axis=None)


def test_images_of_any_layout():
    pixels = np.random.default_rng(0).integers(256, size=(40, 4, 4, 3)) / np.float32(255)
    grid = RecordGrid().fit(pixels[:20], pixels[20:])
    for asked in (pixels + np.float32(1e-4), np.asfortranarray(pixels + np.float32(1e-4))):
        rows, moved = grid.nearest(asked)
        assert len(rows) == 40 and moved.shape == pixels.shape
        np.testing.assert_allclose(moved, pixels, atol=1e-7)


SPARSE = [
    *(getattr(sparse, f"{kind}_array") for kind in ("csr", "csc", "coo", "bsr", "lil", "dok")),
    sparse.dia_array,
    sparse.csr_matrix,
]


@pytest.mark.parametrize("fitted", [np.asarray, *SPARSE])
def test_the_grid_is_that_of_the_values_whatever_holds_them(table, fitted):
    """Zeros that are not stored are values: a zero is asked of columns without one, too."""
    table[:50, 2] = 0  # a column of which one side stores nothing
    dense = RecordGrid().fit(table[:50], table[50:])
    grid = RecordGrid().fit(fitted(table[:50]), fitted(table[50:]))
    for name in ("columns_", "kinds_", "low_", "high_", "zero_off_"):
        np.testing.assert_array_equal(getattr(grid, name), getattr(dense, name))
    varied = table[:9].astype(np.float64)
    varied[::2, 0] += 0.003
    varied[1, 3:5] = 0  # of -1 or 1, and of 0.5 or 1.5
    varied[3, 1] = np.nan
    rows, expected = dense.nearest(varied)
    for kind in (np.asarray, *SPARSE):
        asked = kind(varied)
        found, moved = grid.nearest(asked)
        np.testing.assert_array_equal(found, rows)
        assert type(moved) is type(asked) and moved.dtype == asked.dtype
        as_dense = moved.toarray() if sparse.issparse(moved) else moved
        np.testing.assert_array_equal(as_dense, expected)
        assert grid.nearest(kind(table[:9]))[1] is None


def test_sparse_whole_numbers_and_cells_stored_twice(table):
    grid = RecordGrid().fit(table[:50], table[50:])
    asked = sparse.csr_array(np.ones((1, 7), dtype=np.int64))
    moved = grid.nearest(asked)[1]
    np.testing.assert_allclose(moved.toarray(), [[1, 1, 1, 1, 1.5, 1, 3.25]])
    twice = sparse.csr_array((np.full(2, 0.7), [0, 0], [0, 2]), shape=(1, 7))
    np.testing.assert_allclose(grid.nearest(twice)[1].toarray()[0, :2], [1, 0])
    assert twice.nnz == 2


def test_large_sparse_tables_are_not_made_dense():
    rng = np.random.default_rng(0)
    words = sparse.random_array((2000, 10**6), density=1e-6, rng=rng, format="csr")
    words.data[:] = 1
    grid = RecordGrid().fit(words[:1000], words[1000:])  # dense, it would take 8 GB
    words.data[:] = 0.999
    rows, moved = grid.nearest(words)
    assert len(rows) == np.count_nonzero(np.diff(words.indptr)) and (moved.data == 1).all()


@pytest.mark.parametrize("kind", [np.asarray, sparse.csr_array])
def test_one_number_among_zeros_is_no_grid(kind):
    """A word of one text: that of another text has another weight."""
    weights = np.zeros((40, 2))
    weights[3, 0] = weights[3, 1] = weights[30, 1] = 0.37
    grid = RecordGrid().fit(kind(weights[:20]), kind(weights[20:]))
    assert list(grid.columns_) == [1]


def test_what_has_no_grid(table):
    numbers = table[:, 5:6]
    for sides in (
        (numbers[:50], numbers[50:]),
        (sparse.csr_array(numbers[:50]), sparse.csr_array(numbers[50:])),
        (["a text", "another"], ["a third"]),
    ):
        grid = RecordGrid().fit(*sides)
        assert len(grid.columns_) == 0 and len(grid.nearest(sides[0])[0]) == 0


# --- in a defense -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def bits():
    rng = np.random.default_rng(0)
    X = (rng.random((900, 30)) < 0.4).astype(np.float64)
    y = X[:, :3].sum(axis=1).astype(int)
    return X, np.where(rng.random(900) < 0.3, rng.integers(4, size=900), y)


def test_the_label_stays_that_of_the_query(bits):
    """Labels follow what was asked; confidences, the record on the grid."""
    X, y = bits
    model = RandomForestClassifier(20, random_state=0).fit(X[:300], y[:300])
    defense = EqualizedClassifier(model, key=KEY, random_state=0)
    defense.fit(X[:300], X[300:600], y_mem=y[:300], y_non=y[300:600])
    varied = X + np.random.default_rng(1).normal(0, 0.4, X.shape)
    shown = defense.predict_proba(varied)
    np.testing.assert_array_equal(defense.predict(varied), model.predict(varied))
    np.testing.assert_array_equal(model.classes_[shown.argmax(axis=1)], model.predict(varied))
    near = X + np.random.default_rng(1).normal(0, 1e-3, X.shape)
    same_label = model.predict(near) == model.predict(X)
    change = np.abs(defense.predict_proba(near) - defense.predict_proba(X))[same_label]
    assert np.quantile(change, 0.99) < 0.02  # but for a draw that moved by a hair


@pytest.mark.parametrize("fitted", [np.asarray, sparse.csr_array])
@pytest.mark.parametrize("asked", [np.asarray, sparse.csr_array, sparse.csc_matrix])
def test_no_container_leads_around_the_grid(bits, fitted, asked):
    X, y = bits
    model = LogisticRegression(C=10).fit(X[:300], y[:300])
    defense = EqualizedClassifier(model, key=KEY, other_classes="rescaled", random_state=0)
    defense.fit(fitted(X[:300]), fitted(X[300:600]))
    varied = X.copy()
    varied[:, 0] = np.where(X[:, 0] == 1, 0.999, 0.001)
    stays = model.predict(varied) == model.predict(X)
    shown = defense.predict_proba(asked(varied))[stays]
    # but for the draws, which follow the record as it came
    before = defense.predict_proba(asked(X))[stays]
    assert np.quantile(np.abs(shown - before), 0.99) < 0.02
    rows, moved = defense._grid.nearest(asked(varied))
    assert len(rows) == len(X)
    np.testing.assert_array_equal(moved.toarray() if sparse.issparse(moved) else moved, X)


def test_a_threshold_stays_that_of_the_query(bits):
    X, y = bits
    model = FixedThresholdClassifier(
        KNeighborsClassifier(weights="distance"), threshold=0.7, response_method="predict_proba"
    ).fit(X[:300], y[:300] > 1)
    defense = EqualizedClassifier(model, key=KEY, random_state=0).fit(X[:300], X[300:600])
    for noise in (1e-3, 0.1, 0.5):
        varied = X + np.random.default_rng(1).normal(0, noise, X.shape)
        expected = model.predict(varied)
        np.testing.assert_array_equal(defense.predict(varied), expected)
        shown = defense.predict_proba(varied)
        np.testing.assert_array_equal(model.classes_[shown.argmax(axis=1)], expected)
        np.testing.assert_array_equal(shown[:, 1] >= 0.7, expected)


def test_noise_on_bits_does_not_show_how_the_model_changes(bits):
    """Neighbors by distance: a member is its own neighbor, and moves away from it under noise."""
    X, y = bits
    model = KNeighborsClassifier(weights="distance").fit(X[:300], y[:300])
    defense = EqualizedClassifier(model, key=KEY, cost="l1", random_state=0)
    defense.fit(X[:300], X[300:600], y_mem=y[:300], y_non=y[300:600])
    asked, member = np.r_[X[:300], X[600:]], np.arange(600) < 300
    moved = asked + np.random.default_rng(1).normal(0, 0.05, asked.shape)

    def tells(score):
        return max(roc_auc_score(member, score), roc_auc_score(member, -score))

    def change(target):
        return np.abs(target.predict_proba(moved) - target.predict_proba(asked)).max(axis=1)

    # output perturbation cannot hide that labels change
    labels = tells((model.predict(moved) != model.predict(asked)).astype(float))
    assert tells(change(model)) > labels + 0.08
    assert tells(change(defense)) < labels + 0.03
