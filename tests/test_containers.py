"""The law of containers: a table that the model itself accepts is the same table in any of them."""

import os
import tempfile
import warnings
from datetime import datetime, timedelta
from pathlib import Path
from zlib import crc32

import numpy as np
import pytest
from extras import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy import sparse
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.tree import DecisionTreeClassifier

from sklearn_aeppt.attacks import (
    GapAttack,
    LabelOnlyAttack,
    LiRAAttack,
    ThresholdAttack,
    VariantsAttack,
)
from sklearn_aeppt.audit import audit

pd = pytest.importorskip("pandas")
try:
    import polars
except ImportError:
    polars = None
try:
    import pyarrow
except ImportError:
    pyarrow = None
try:
    import dask.array
    import dask.dataframe
except ImportError:
    dask = None

NUMBERS = {
    "float": lambda rng, n: rng.integers(-6, 6, n) / 2,
    "zeros of either sign": lambda rng, n: rng.choice([0.0, -0.0, 1.5], n),
    "float, missing": lambda rng, n: rng.choice([1.5, -2.0, 0.0, None], n),
    "int": lambda rng, n: rng.integers(-3, 4, n),
    "bool": lambda rng, n: rng.random(n) < 0.5,
}
LEAP = datetime(2024, 2, 28)
OTHERS = {
    "int, missing": lambda rng, n: rng.choice([1, 2, 3, None], n),
    "bool, missing": lambda rng, n: rng.choice([True, False, None], n),
    "nearly all missing": lambda rng, n: np.where(rng.random(n) < 0.02, 1.5, None),
    "identifier": lambda rng, n: rng.integers(4, size=n) + 10**18,
    "category": lambda rng, n: rng.choice(["north", "south", "ost"], n),
    "category, missing": lambda rng, n: rng.choice(["a", "", "nan", None], n),
    "text": lambda rng, n: [f"{'good' if i else 'bad'} ä" for i in rng.integers(2, size=n)],
    "date": lambda rng, n: rng.choice([LEAP + timedelta(days) for days in range(9)], n),
    "date, missing": lambda rng, n: rng.choice([LEAP, datetime(1999, 1, 1, 12), None], n),
}


def plain(column):
    """Return a column as a list of Python's own values."""
    return [value.item() if isinstance(value, np.generic) else value for value in column]


@st.composite
def tables(draw):
    """Return (columns of all records, labels, number of members); some records stand twice."""
    kinds = NUMBERS if draw(st.booleans()) else NUMBERS | OTHERS
    chosen = draw(st.lists(st.sampled_from(sorted(kinds)), min_size=1, max_size=4))
    sizes = [draw(st.integers(12, 40)) for _ in range(2)]
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    if draw(st.booleans()):  # no record twice, nearly
        columns = {"x0": plain(rng.normal(size=sum(sizes)).astype(np.float32))}
    else:
        columns = {}
    for i, kind in enumerate(chosen):
        columns[f"{i} {kind}"] = plain(kinds[kind](rng, sum(sizes)))
    y = rng.integers(draw(st.integers(2, 3)), size=sum(sizes))
    y[:3] = range(3) if y.max() == 2 else [0, 1, 0]
    return columns, y, sizes[0]


# ---- containers: name -> what makes one of columns; None where it cannot hold them


def is_numeric(columns):
    return all(
        isinstance(value, (bool, int, float)) and abs(value) < 2**53
        for column in columns.values()
        for value in column
    )


def numbers(columns):
    return np.column_stack([np.array(column, dtype=np.float64) for column in columns.values()])


def rows(columns):
    return list(map(list, zip(*columns.values())))


def frame(columns):
    return pd.DataFrame(columns)


def objects(columns):
    return pd.DataFrame({k: pd.Series(v, dtype=object) for k, v in columns.items()})


def categories(columns):
    table = frame(columns)
    words = [k for k, v in columns.items() if any(isinstance(value, str) for value in v)]
    return table.astype(dict.fromkeys(words, "category"))


def shuffled_index(columns):
    table = frame(columns)
    return table.set_index(np.arange(len(table)) // 2 % 5)


def memory_map(columns):
    values = numbers(columns)
    with tempfile.TemporaryDirectory() as folder:  # an open map outlives its file's name
        np.save(Path(folder) / "X.npy", values)
        return np.load(Path(folder) / "X.npy", mmap_mode="r")


def object_array(columns):
    table = np.empty((len(next(iter(columns.values()))), len(columns)), dtype=object)
    for i, column in enumerate(columns.values()):
        table[:, i] = column
    return table


def dask_frame(columns):
    with dask.config.set({"dataframe.convert-string": False}):  # of booleans, too
        return dask.dataframe.from_pandas(frame(columns), npartitions=2)


ANY = {
    "pandas": frame,
    "pandas, objects": objects,
    "pandas, nullable": lambda columns: frame(columns).convert_dtypes(),
    "pandas, categories": categories,
    "pandas, odd index": shuffled_index,
    "lists": rows,
    "tuples": lambda columns: list(zip(*columns.values())),
    "dicts": lambda columns: [dict(zip(columns, row)) for row in rows(columns)],
    "objects": object_array,
}
NUMERIC = {
    "array": numbers,
    "float32": lambda columns: numbers(columns).astype(np.float32),
    "fortran": lambda columns: np.asfortranarray(numbers(columns)),
    "memory map": memory_map,
    **{
        kind: lambda columns, kind=kind: getattr(sparse, f"{kind}_array")(numbers(columns))
        for kind in ("csr", "csc", "coo", "bsr", "lil", "dok", "dia")
    },
    "csr matrix": lambda columns: sparse.csr_matrix(numbers(columns)),
}
if polars is not None:
    ANY["polars"] = lambda columns: polars.DataFrame(columns, strict=False)
if pyarrow is not None:
    ANY["pyarrow"] = pyarrow.table
    ANY["pandas, arrow"] = lambda columns: frame(columns).convert_dtypes(dtype_backend="pyarrow")
if torch is not None:
    NUMERIC["torch"] = lambda columns: torch.tensor(numbers(columns))
    NUMERIC["torch, trained"] = lambda columns: torch.tensor(numbers(columns), requires_grad=True)
if dask is not None:
    NUMERIC["dask"] = lambda columns: dask.array.from_array(numbers(columns), chunks=(7, -1))
    ANY["dask frame"] = dask_frame


# ---- a model that accepts all of them


def to_numbers(X):
    """Return any of the containers as an array of floats, in which words have numbers."""
    X = X.compute() if hasattr(X, "compute") else X
    X = X.to_pandas() if hasattr(X, "to_pandas") else X
    X = X.detach().numpy() if hasattr(X, "detach") else X
    X = X.toarray() if sparse.issparse(X) else X
    if isinstance(X, list) and isinstance(X[0], dict):
        X = [list(row.values()) for row in X]
    values = X.to_numpy(dtype=object) if hasattr(X, "iloc") else np.array(X, dtype=object)
    return np.array([[to_number(value) for value in row] for row in values])


def to_number(value):
    if pd.isna(value):
        return -9.0
    if isinstance(value, datetime):
        return float(value.day)
    return float(crc32(value.encode()) % 97 if isinstance(value, str) else value)


def new_model():
    tree = DecisionTreeClassifier(max_depth=4, min_samples_leaf=2, random_state=0)
    return make_pipeline(FunctionTransformer(to_numbers), tree)


def found(model, sides, y, attacks):
    """Return what an audit finds, warns of, or refuses, as text."""
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        try:
            report = audit(model, sides[0], y[0], sides[1], y[1], attacks, random_state=0)
        except ValueError as error:
            assert "record(s) left" in str(error), error
            return str(error)
    # "checks" look at float32 sums of the records, whose last digits a sparse table changes
    # and "bundles" are put together by hashes, of which a sparse table has its own
    left_out = "name", "checks", "bundles"
    figures = {key: value for key, value in vars(report).items() if key not in left_out}
    # no time, and no hash: a sparse table has its own
    rest = {key: report.provenance[key] for key in ("seeds", "split", "left_out")}
    figures["provenance"] = rest
    figures["attackers"] = [{**attacker, "seconds": None} for attacker in report.attackers]
    figures["control"] = {**report.control, "seconds": None}
    # the table's own index is the one thing that a container gives a report
    figures["records"] = {key: value for key, value in report.records.items() if key != "index"}
    return repr(figures) + repr([str(warning.message) for warning in warned])


@pytest.mark.slow
@settings(
    max_examples=int(os.environ.get("AEPPT_EXAMPLES", "40")),
    deadline=None,
    suppress_health_check=[HealthCheck.differing_executors],
)
@given(table=tables(), data=st.data())
def test_hard_the_container_changes_nothing(table, data):
    columns, y, n_mem = table
    parts = slice(n_mem), slice(n_mem, None)
    sides = [{name: values[part] for name, values in columns.items()} for part in parts]
    known = ANY | NUMERIC if is_numeric(columns) else ANY
    names = st.lists(st.sampled_from(sorted(known)), min_size=1, max_size=6, unique=True)
    attacks = {"gap": GapAttack(), "threshold": ThresholdAttack()}
    if data.draw(st.integers(0, 9)) == 9:
        attacks["lira"] = LiRAAttack(n_shadow_models=4)
    if "AEPPT_EXAMPLES" in os.environ and data.draw(st.booleans()):  # they take long
        attacks["variants"] = VariantsAttack(7, max_iter=3, random_state=0)
        attacks["labels of variants"] = LabelOnlyAttack(n_queries=3)
    model = new_model().fit(rows(sides[0]), y[:n_mem])
    y = [np.where(np.isin(y, model.classes_), y, model.classes_[0])[part] for part in parts]
    expected = [model.predict_proba(rows(side)) for side in sides]
    figures = found(model, [rows(side) for side in sides], y, attacks)
    for name in data.draw(names, label="containers"):
        made = [known[name](side) for side in sides]
        for side, proba in zip(made, expected):
            np.testing.assert_array_equal(model.predict_proba(side), proba, err_msg=name)
        assert found(model, made, y, attacks) == figures, name
