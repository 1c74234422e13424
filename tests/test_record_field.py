"""Draws that belong to the record: the same in any form, nearby nearly so, elsewhere others."""

import os
import pickle
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from scipy.stats import kstest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import VotingClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import FixedThresholdClassifier, GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from sklearn_aeppt import EqualizedClassifier
from sklearn_aeppt._record_field import RecordField
from sklearn_aeppt._record_numbers import RecordReader

KEY = b"a key of the tests, known to all"
same = np.testing.assert_array_equal


def fitted(X, key=KEY, n_draws=2, estimator=None):
    half = X.shape[0] // 2 if hasattr(X, "shape") else len(X) // 2
    sides = (X.iloc[:half], X.iloc[half:]) if hasattr(X, "iloc") else (X[:half], X[half:])
    return RecordField(key, n_draws).fit(estimator, *sides)


@pytest.fixture(scope="module")
def numbers():
    """Records on very different scales, exact in float32."""
    X = np.random.default_rng(0).normal(size=(3000, 8)) * [1, 1, 1e-3, 1e4, 1, 1, 1, 1]
    X[:, 5] = 7.0  # constant
    return X.astype(np.float32).astype(np.float64)


@pytest.fixture(scope="module")
def bits():
    return (np.random.default_rng(0).random((3000, 60)) < 0.3).astype(np.float64)


@pytest.fixture(scope="module")
def field(numbers):
    return fitted(numbers)


# --- the same record ----------------------------------------------------------------------------


@pytest.mark.parametrize("size", [1, 3, 1023, 1024, 1025, 2999])
def test_batch_size_changes_nothing(field, numbers, size):
    whole = field(None, numbers)
    rows = range(0, 60 * size if size < 10 else len(numbers), size)
    pieces = np.concatenate([field(None, numbers[i : i + size]) for i in rows])
    same(pieces, whole[: len(pieces)])


def test_order_and_company_change_nothing(field, numbers):
    whole = field(None, numbers)
    order = np.random.default_rng(1).permutation(len(numbers))
    same(field(None, numbers[order]), whole[order])
    twice = np.repeat(numbers[:5], 3, axis=0)
    same(field(None, twice), np.repeat(whole[:5], 3, axis=0))
    wild = np.r_[numbers[:3], np.full((1, 8), 1e30), np.full((1, 8), np.inf), -numbers[:1] * 1e9]
    same(field(None, wild)[:3], whole[:3])


@pytest.mark.parametrize(
    "form",
    [
        lambda X: X.astype(np.float32),
        lambda X: X.astype(np.longdouble),
        lambda X: X.astype(">f8"),
        lambda X: X.astype(object),
        np.asfortranarray,
        lambda X: np.repeat(X, 2, axis=1)[:, ::2],
        lambda X: X.tolist(),
        lambda X: list(X),
        pd.DataFrame,
        lambda X: pd.DataFrame(X).astype("Float64"),
        lambda X: pd.DataFrame(X).astype(object).infer_objects(),
        sparse.csr_array,
        sparse.csc_array,
        sparse.coo_array,
        sparse.csr_matrix,
    ],
)
def test_the_form_of_a_record_changes_nothing(field, numbers, form):
    few = numbers[:50]
    same(field(None, form(few)), field(None, few))


@pytest.mark.parametrize("dtype", [bool, np.uint8, np.int64, np.float16, np.float32, object])
def test_bits_of_any_type_are_the_same_record(bits, dtype):
    field = fitted(bits)
    expected = field(None, bits[:200])
    same(field(None, bits[:200].astype(dtype)), expected)
    same(field(None, pd.DataFrame(bits[:200].astype(dtype))), expected)
    # and so is the field that is fitted on them
    same(fitted(bits.astype(dtype))(None, bits[:200]), expected)


@pytest.mark.parametrize("kind", [sparse.csr_array, sparse.csc_array, sparse.coo_array])
def test_sparse_records_are_those_that_they_stand_for(bits, kind):
    """Asked sparse or dense, fitted on either; explicit zeros and doubled entries included."""
    expected = fitted(kind(bits), estimator=None)(None, bits[:200])
    on_sparse = fitted(sparse.csr_array(bits))
    same(on_sparse(None, kind(bits[:200])), expected)
    same(on_sparse(None, bits[:200]), expected)
    doubled = sparse.coo_array(([0.5, 0.5, 0.0], ([0, 0, 0], [3, 3, 4])), shape=(1, 60))
    plain = np.zeros((1, 60))
    plain[0, 3] = 1
    same(on_sparse(None, doubled), on_sparse(None, plain))


def test_threads_and_processes_change_nothing(field, numbers, tmp_path):
    expected = field(None, numbers)
    for count in (1, 2, 4):
        with threadpool_limits(count):
            same(field(None, numbers), expected)
            same(fitted(numbers)(None, numbers), expected)
    (tmp_path / "field.pkl").write_bytes(pickle.dumps(field))
    np.save(tmp_path / "X.npy", numbers)
    program = (
        "import pickle, sys, numpy as np\n"
        "from pathlib import Path\n"
        "here = Path(sys.argv[1])\n"
        "field = pickle.loads((here / 'field.pkl').read_bytes())\n"
        "np.save(here / 'draws.npy', field(None, np.load(here / 'X.npy')))\n"
    )
    environment = {**os.environ, "OMP_NUM_THREADS": "2", "PYTHONHASHSEED": "7"}
    subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)], check=True, env=environment, cwd=os.getcwd()
    )
    same(np.load(tmp_path / "draws.npy"), expected)


# --- the numbers --------------------------------------------------------------------------------


def test_numbers_are_uniform_over_keys(numbers):
    keys = [b"key number %d, of the tests" % i for i in range(400)]
    draws = np.array([fitted(numbers[:200], key)(None, numbers[:3]) for key in keys])
    for record in range(3):
        for draw in range(2):
            # the second draw has a quarter of the cosines: a little less exact
            assert kstest(draws[:, record, draw], "uniform").pvalue > 1e-3


@pytest.mark.parametrize("kind", ["numbers", "bits"])
def test_numbers_are_uniform_over_records(kind, request):
    X = request.getfixturevalue(kind)
    distance = [
        kstest(column, "uniform").statistic
        for key in (b"one key of the tests", b"another of the tests")
        for column in fitted(X, key)(None, X).T
    ]
    # of one key, records are a sample that hangs together a little: of bits, a common
    # correlation of 0.04 is left, which moves all numbers of a key by 0.05 or so
    assert max(distance) < (0.05 if kind == "numbers" else 0.12)
    draws = fitted(X)(None, X)
    assert draws.min() > 0 and draws.max() < 1


@pytest.mark.parametrize("kind", ["numbers", "bits"])
def test_different_records_are_nearly_independent(kind, request):
    """2,000 pairs: of any two records, and of each with its nearest other one."""
    X = request.getfixturevalue(kind)
    rng, keys = np.random.default_rng(0), [b"key %d of the tests....." % i for i in range(4)]
    first, second = rng.permutation(len(X))[:1000], rng.permutation(len(X))[:1000]
    apart = (X[first] != X[second]).any(axis=1)
    for key in keys:
        draws = fitted(X, key)(None, X)[:, 0]
        assert abs(np.corrcoef(draws[first[apart]], draws[second[apart]])[0, 1]) < 0.12
    together = np.concatenate(
        [fitted(X, key)(None, X)[:, 0][[first, second]] for key in keys], axis=1
    )[:, np.tile(apart, 4)]
    assert abs(np.corrcoef(*together)[0, 1]) < 0.06


def test_draws_of_a_record_are_independent(numbers):
    draws = fitted(numbers, n_draws=4)(None, numbers)
    assert draws.shape == (3000, 4)
    assert np.abs(np.corrcoef(draws.T) - np.eye(4)).max() < 0.08
    one, two = (fitted(numbers, key)(None, numbers)[:, 0] for key in (KEY, b"x" * 16))
    assert abs(np.corrcoef(one, two)[0, 1]) < 0.08


# --- variants -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("noise", "moved"), [(1e-7, 0.004), (1e-6, 0.004), (1e-5, 0.015), (1e-4, 0.03), (1e-3, 0.15)]
)
def test_tiny_variants_share_the_numbers(field, numbers, noise, moved):
    """Noise in units of each feature's range; the tables of cosines have 4,096 steps."""
    scale = np.ptp(numbers, axis=0)
    varied = numbers + noise * scale * np.random.default_rng(1).normal(size=numbers.shape)
    change = np.abs(field(None, varied) - field(None, numbers))
    assert np.quantile(change, 0.99) < moved


def test_far_variants_and_flips_get_other_numbers(field, numbers, bits):
    scale = np.ptp(numbers, axis=0)
    varied = numbers + 0.3 * scale * np.random.default_rng(1).normal(size=numbers.shape)
    assert abs(np.corrcoef(field(None, varied)[:, 0], field(None, numbers)[:, 0])[0, 1]) < 0.1
    binary, flipped = fitted(bits), bits.copy()
    flipped[:, 0] = 1 - flipped[:, 0]
    change = np.abs(binary(None, flipped) - binary(None, bits)).mean()
    assert 0.005 < change < 0.35
    # what lies beyond the fitted range has the numbers of its end: no new draws by going far out
    far, farther = numbers.copy(), numbers.copy()
    far[:, 0], farther[:, 0] = 1e3, 1e9
    same(field(None, far), field(None, farther))


def test_columns_that_never_varied_give_no_new_draws(field, numbers):
    moved = numbers.copy()
    moved[:, 5] = np.random.default_rng(0).normal(size=len(moved)) * 1e6
    same(field(None, moved), field(None, numbers))


def test_missing_values_are_a_place_of_their_own(numbers):
    X = numbers.copy()
    X[::7, 2] = np.nan
    X[:, 6] = np.nan  # a column without any value
    field = fitted(X)
    draws = field(None, X)
    assert np.isfinite(draws).all()
    assert kstest(draws[:, 0], "uniform").statistic < 0.06
    filled = X.copy()
    filled[::7, 2] = 0
    assert (np.abs(field(None, filled) - draws)[::7, 0] > 0.01).mean() > 0.9
    same(np.delete(field(None, filled), np.s_[::7], 0), np.delete(draws, np.s_[::7], 0))
    frame = pd.DataFrame(X).astype("Float64")
    same(field(None, frame), draws)
    unheard = numbers.copy()
    unheard[0, 0] = np.nan  # missing where it never was
    assert (fitted(numbers)(None, unheard) != fitted(numbers)(None, numbers)).any(axis=1)[0]


# --- odd tables ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "X",
    [
        np.zeros((2, 3)),
        np.ones((40, 1)),
        np.arange(4.0)[:, None],
        np.full((6, 2), np.nan),
        np.array([[1e-300, 1e300], [0, -1e300], [5e-324, 0], [1, 2]]),
        np.random.default_rng(0).random((40, 2000)),
        np.random.default_rng(0).random((10, 3)) * 1e-45,
    ],
    ids=["zeros", "one column", "four rows", "missing", "extremes", "wide", "denormal"],
)
def test_odd_tables_have_numbers_and_raise_nothing(X):
    with np.errstate(all="raise"):
        field = fitted(X)
        for asked in (X, X[:1], sparse.csr_array(np.nan_to_num(X))):
            draws = field(None, asked)
            assert draws.shape == (asked.shape[0], 2)
            assert ((draws > 0) & (draws < 1)).all()
        assert field(None, X[:0]).shape == (0, 2)
        assert field(None, sparse.csr_array(X[:0])).shape == (0, 2)


def test_ordinary_tables_raise_nothing(numbers, bits):
    with np.errstate(all="raise"):
        for X in (numbers, bits, sparse.csr_array(bits), pd.DataFrame(numbers)):
            fitted(X)(None, X)


def test_one_record_a_side():
    field = RecordField(KEY, 2).fit(None, np.array([[1.0, 2.0]]), np.array([[3.0, 2.0]]))
    draws = field(None, np.array([[1.0, 2.0], [3.0, 2.0]]))
    assert draws.shape == (2, 2) and (draws[0] != draws[1]).any()
    equal = RecordField(KEY, 1).fit(None, np.array([[1.0]]), np.array([[1.0]]))
    assert equal(None, np.array([[1.0]])).shape == (1, 1)


def test_copies_of_records_do_not_shorten_the_length(numbers):
    copies = np.repeat(numbers[:500], 4, axis=0)[np.random.default_rng(0).permutation(2000)]
    assert fitted(copies).length_ == 0.5  # of the whole range: no distance could be measured
    few = np.r_[numbers[:1000], numbers[:20]]
    assert fitted(few).length_ == pytest.approx(fitted(numbers[:1000]).length_, rel=0.2)


def test_images_are_their_pixels():
    images = np.random.default_rng(0).integers(256, size=(200, 6, 6, 3)).astype(np.uint8)
    field, flat = fitted(images), images.reshape(200, -1)
    draws = field(None, images)
    same(draws, fitted(flat)(None, flat))
    same(draws, field(None, images.astype(np.float32)))
    same(draws, field(None, flat))
    assert kstest(draws[:, 0], "uniform").statistic < 0.2


# --- records that are no numbers ----------------------------------------------------------------


@pytest.fixture(scope="module")
def texts():
    rng = np.random.default_rng(0)
    words = np.array([f"word{i}" for i in range(80)])
    return [" ".join(rng.choice(words, 8)) for _ in range(1200)]


def test_texts_without_a_pipeline_are_hashed(texts):
    field = fitted(texts)
    draws = field(None, texts)
    assert kstest(draws[:, 0], "uniform").statistic < 0.06
    assert abs(np.corrcoef(draws[:, 0], draws[:, 1])[0, 1]) < 0.1
    same(field(None, np.array(texts, dtype=object)), draws)
    same(field(None, np.array(texts)), draws)
    same(field(None, pd.Series(texts).tolist()[::-1])[::-1], draws)
    assert (field(None, [t + "." for t in texts]) != draws).all()
    same(pickle.loads(pickle.dumps(field))(None, texts[:3]), draws[:3])
    assert (fitted(texts, b"z" * 16)(None, texts) != draws).all()
    odd = ["", "\0", "a\0", "a", "\ud800", "界" * 10_000]
    assert len(np.unique(field(None, odd)[:, 0])) == len(odd)


def test_texts_in_a_pipeline_are_what_its_last_step_is_given(texts):
    y = np.arange(len(texts)) % 2
    model = make_pipeline(TfidfVectorizer(), LogisticRegression()).fit(texts, y)
    field = fitted(texts, estimator=model)
    draws = field(model, texts)
    assert kstest(draws[:, 0], "uniform").statistic < 0.08
    # the vectorizer does not see case and points: to the model these are one record
    same(field(model, [t.upper() + "." for t in texts]), draws)
    frozen = FrozenEstimator(model)
    same(fitted(texts, estimator=frozen)(frozen, texts), draws)
    assert (field(model, [t + " word1 word2 word3" for t in texts]) != draws).any(axis=1).all()


@pytest.mark.parametrize(
    "around",
    [
        lambda model: GridSearchCV(model, {}, cv=2),
        lambda model: CalibratedClassifierCV(model, cv=2),
        lambda model: CalibratedClassifierCV(model, cv=2, ensemble=False),
        lambda model: VotingClassifier([("a", DummyClassifier()), ("b", model)], voting="soft"),
        lambda model: FixedThresholdClassifier(model, threshold=0.4),
        lambda model: GridSearchCV(CalibratedClassifierCV(model, cv=2), {}, cv=2),
        lambda model: make_pipeline(model),
    ],
)
def test_a_pipeline_inside_another_estimator_is_found(around, texts):
    y = np.arange(len(texts)) % 2
    model = around(make_pipeline(TfidfVectorizer(), LogisticRegression())).fit(texts, y)
    field = fitted(texts, estimator=model)
    draws = field(model, texts)
    # what the vectorizer does not see moves nothing
    same(field(model, [t.upper() + ". ?!" for t in texts]), draws)
    assert len(np.unique(draws[:, 0])) > 20


def test_numbers_in_a_pipeline_stand_for_themselves(numbers):
    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(numbers, numbers[:, 0] > 0)
    same(fitted(numbers, estimator=model)(model, numbers), fitted(numbers)(None, numbers))


@pytest.fixture(scope="module")
def mixed():
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "age": rng.normal(40, 10, 1500),
            "income": rng.normal(0, 1e5, 1500),
            "town": rng.choice(["Ulm", "Bonn", None, "大阪"], 1500),
            "kind": pd.Categorical(rng.choice(["a", "b"], 1500)),
            "since": pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.integers(99, size=1500), "D"),
        }
    )


def test_mixed_frames_move_with_the_numbers_and_jump_with_the_rest(mixed):
    field = fitted(mixed)
    draws = field(None, mixed)
    assert kstest(draws[:, 0], "uniform").statistic < 0.06
    near = mixed.assign(age=mixed["age"] + 1e-6, income=mixed["income"] * (1 + 1e-8))
    assert np.abs(field(None, near) - draws).max() < 0.03
    elsewhere = mixed.assign(town=np.where(mixed["town"] == "Ulm", "Bonn", "Ulm"))
    moved = field(None, elsewhere)
    assert (moved != draws).any(axis=1).all()
    assert abs(np.corrcoef(moved[:, 0], draws[:, 0])[0, 1]) < 0.1
    for other in (
        mixed.assign(kind=mixed["kind"].astype(str)),
        mixed.assign(age=mixed["age"].astype(object).infer_objects()),
        mixed.iloc[::-1].iloc[::-1],
        mixed.set_index(np.arange(1500)[::-1]),
    ):
        same(field(None, other), draws)
    same(np.concatenate([field(None, mixed[i : i + 1]) for i in range(20)]), draws[:20])
    assert field(None, mixed[:0]).shape == (0, 2)


def test_categories_without_numbers(mixed):
    only = mixed[["town", "kind"]]
    field = fitted(only)
    draws = field(None, only)
    assert len(np.unique(draws[:, 0])) == 8  # four towns, two kinds
    same(field(None, only.iloc[5:9]), draws[5:9])


def test_other_frames_are_read_as_pandas(mixed, numbers):
    polars = pytest.importorskip("polars")
    frame = pd.DataFrame(numbers[:100]).add_prefix("x")
    same(
        fitted(frame)(None, polars.from_pandas(frame)),
        fitted(frame)(None, frame),
    )


def test_what_is_read_as_numbers_and_what_is_not(numbers, texts):
    read = RecordReader().fit(None, (numbers, numbers))
    assert read(None, numbers)[1] is None
    for other in (texts, [[1], [2, 3]], ["1", "2"]):
        found, rest = RecordReader().fit(None, (other, other))(None, other)
        assert found is None and len(rest) == len(other)
    with pytest.raises(ValueError, match="X is a list that holds no numbers, but the defense was"):
        read(None, texts)


def test_records_that_lost_their_types_are_read_as_they_were_fitted(mixed, numbers):
    """Rows from JSON: numbers as objects, a column without a value, nothing but numbers."""
    field = fitted(mixed)
    draws = field(None, mixed)
    same(field(None, mixed.astype(object)), draws)
    for i in range(10):
        row = mixed.iloc[i : i + 1]
        same(field(None, row.astype(object))[0], draws[i])
        same(field(None, pd.DataFrame([row.iloc[0].to_dict()]))[0], draws[i])
    missing = mixed.assign(town=np.nan)  # to pandas a column of numbers
    assert field(None, missing).shape == draws.shape
    nobody = mixed.assign(age=None)  # and this one of objects
    same(field(None, nobody), field(None, mixed.assign(age=np.nan)))
    frame = pd.DataFrame(numbers[:200]).add_prefix("x")
    on_numbers = fitted(frame)
    same(on_numbers(None, frame.astype(object)), on_numbers(None, frame))
    same(on_numbers(None, frame.assign(x0=None)), on_numbers(None, frame.assign(x0=np.nan)))
    codes = pd.DataFrame({"code": ["a", "b", 7, 8] * 50, "x": numbers[:200, 0]})
    field = fitted(codes)
    is_number = codes["code"].isin([7, 8]).to_numpy()
    same(field(None, codes[is_number].infer_objects()), field(None, codes)[is_number])


# --- in a defense -------------------------------------------------------------------------------


def test_a_defended_model_answers_a_record_alike_in_any_form(numbers):
    X = numbers[:600]
    y = (X[:, 0] + X[:, 1] > 0).astype(int)
    model = LogisticRegression().fit(X[:300] / np.ptp(X, axis=0).clip(1), y[:300])
    defense = EqualizedClassifier(model, key=KEY, random_state=0).fit(X[:300], X[300:])
    shown = defense.predict_proba(X)
    proba = model.predict_proba(X)
    same(defense.perturb(proba, X), shown)
    same(defense.perturb(proba, pd.DataFrame(X)), shown)
    same(defense.perturb(proba, sparse.csr_array(X)), shown)
    same(defense.perturb(proba[::-1], X[::-1])[::-1], shown)
    for i in range(5):
        same(defense.perturb(proba[i : i + 1], X[i : i + 1])[0], shown[i])
    with pytest.raises(ValueError, match="records has 5 records for 600 rows of proba"):
        defense.perturb(proba, X[:5])
    with np.errstate(all="raise"):
        same(defense.perturb(proba, X), shown)
