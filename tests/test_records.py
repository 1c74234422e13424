"""Which records are equal: by their values, whatever holds them."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from extras import torch
from scipy import sparse

from sklearn_aeppt._records import are_among, join_records, number_records, record_bytes

pd = pytest.importorskip("pandas")


def test_zeros_have_no_sign_and_missing_values_no_kind():
    nan = -np.float64(np.nan)
    rows = [[0.0, 1.0, np.nan], [-0.0, 1.0, nan], [0.0, True, None], [0, 1, pd.NA]]
    for table in (
        np.array(rows[:2]),
        pd.DataFrame(rows[:2]),
        rows,
        np.array(rows, dtype=object),
        pd.DataFrame(rows),
        pd.DataFrame(rows).convert_dtypes(),
        pd.DataFrame({"a": [datetime(2024, 1, 1), None, None], "b": ["a", None, np.nan]})[1:],
    ):
        assert set(number_records(table)) == {0}


@pytest.mark.parametrize("kind", [np.int64, np.uint64, object])
def test_long_identifiers_differ(kind):
    ids = np.array([[2**60], [2**60 + 1], [2**60]], dtype=kind)
    for table in (ids, ids.tolist(), pd.DataFrame(ids), pd.DataFrame(ids).assign(b="text")):
        assert number_records(table).tolist() == [0, 1, 0]
    assert number_records([[10**400], [-(10**400)]]).tolist() == [0, 1]


def test_dicts_and_dates_are_compared_by_value():
    rows = [{"a": 1, "b": "u"}, {"b": "u", "a": 1.0}, {"a": 1}, {"a": "1", "b": "u"}]
    assert number_records(rows).tolist() == [0, 0, 1, 2]
    days = [datetime(2024, 1, 2), pd.Timestamp(2024, 1, 2), pd.Timestamp(2024, 1, 3)]
    assert number_records([[day] for day in days]).tolist() == [0, 0, 1]
    assert record_bytes([[date(2024, 1, 2)]]) != record_bytes([[days[0]]])


def test_a_sparse_table_is_left_as_it_is():
    table = sparse.csr_array(
        (np.array([1.0, 0.0, 2.0, 3.0]), np.array([1, 0, 2, 2]), np.array([0, 2, 4])), shape=(2, 3)
    )
    number_records(table)
    assert table.data.tolist() == [1.0, 0.0, 2.0, 3.0] and table.indices.tolist() == [1, 0, 2, 2]


def test_a_side_without_any_value_in_a_column_is_joined():
    one, other = {"a": [1, 2], "b": ["u", "v"]}, {"a": [0.5, 1.0], "b": [None, None]}
    polars, pyarrow = pytest.importorskip("polars"), pytest.importorskip("pyarrow")
    for make in (polars.DataFrame, pyarrow.table, pd.DataFrame):
        joined = join_records(make(one), make(other))
        assert number_records(joined).tolist() == [0, 1, 2, 3]
    series = join_records(polars.Series(["u"]), polars.Series(["v", "u"]))
    assert number_records(series).tolist() == [0, 1, 0]


@pytest.mark.skipif(torch is None, reason="tensors are torch's")
def test_tensors_of_a_training_loop():
    values = [[1.0, 2.0], [0.5, 0.0], [1.0, 2.0]]
    for table in (
        torch.tensor(values, requires_grad=True),
        torch.tensor(values, dtype=torch.bfloat16),
    ):
        assert number_records(table).tolist() == [0, 1, 0]
        assert record_bytes(table) == record_bytes(np.array(values))


def test_records_that_are_still_to_be_computed():
    dask = pytest.importorskip("dask.array")
    values = np.array([[1.0, 2.0], [0.5, 0.0], [1.0, 2.0]])
    assert record_bytes(dask.from_array(values, chunks=(1, 1))) == record_bytes(values)


@pytest.mark.parametrize(
    "records",
    [
        [[["a"], ["b", "c"]], [["a", "b"], ["c"]], [["a", "b", "c"], []], [["a", "b", "c"]]],
        [[[1], [2, 3]], [[1, 2], [3]], [1, 2, 3], [[1, 2, 3]]],
        [np.zeros((2, 3)), np.zeros((3, 2)), np.zeros(6), np.zeros((1, 6))],
        [["a\0sb"], ["a", "b"], ["ab"], [b"ab"], [["ab"]]],
        [[{"a": 1}, {"b": 2}], [{"a": 1, "b": 2}], [{"a": {"b": 2}}], [{"a": "b"}, 2]],
        [["1"], [1], [2**60], [str(2**60)], ["nan"], [None]],
    ],
)
def test_what_is_nested_otherwise_is_another_record(records):
    expected = list(range(len(records)))
    assert number_records(records).tolist() == expected
    cells = np.fromiter(records, dtype=object, count=len(records))
    assert number_records(cells).tolist() == expected
    frame = pd.DataFrame({"id": 1, "cell": pd.Series(list(records))})
    assert number_records(frame).tolist() == expected


def test_the_same_values_are_the_same_record_in_any_container():
    values = np.arange(12.0).reshape(2, 6)
    for table in (values.tolist(), list(values), pd.DataFrame(values), values.astype(object)):
        assert record_bytes(table) == record_bytes(values)
    images = values.reshape(2, 2, 3)
    for table in (images.tolist(), list(images), images.astype(np.float32), images.astype(object)):
        assert record_bytes(table) == record_bytes(images) != record_bytes(values)
    texts = ["u", "vw"]
    for table in (
        np.array(texts),
        pd.Series(texts),
        [[text] for text in texts],
        pd.DataFrame(texts),
    ):
        assert record_bytes(table) == record_bytes(texts)
    assert record_bytes([1.0, 2.0]) == record_bytes(np.array([[1.0], [2.0]]))


def test_records_stored_as_float32_are_found_again():
    rng = np.random.default_rng(0)
    values = rng.normal(size=(4, 3))
    small, expected = values[1:3].astype(np.float32), [False, True, True, False]
    for make in (
        np.asarray, sparse.csr_array, pd.DataFrame,
        lambda X: pd.DataFrame(X).convert_dtypes(),
        lambda X: pd.DataFrame(X).assign(word="text", n=2**60),
        lambda X: pd.DataFrame(X, dtype="float32" if X.dtype == "f4" else None),
        lambda X: torch.tensor(X) if torch else X,
    ):  # fmt: skip
        one, other = make(values), make(small)
        assert are_among(one, other).tolist() == expected
        assert are_among(other, one).tolist() == [True, True]
        assert are_among(make(values), make(values[1:3] + 1e-9)).tolist() == [False] * 4
    for name, make in (("polars", "DataFrame"), ("pyarrow", "table")):
        make = getattr(pytest.importorskip(name), make)
        one, other = ({c: X[:, i] for i, c in enumerate("abc")} for X in (values, small))
        assert are_among(make(one), make(other)).tolist() == expected


def test_whole_numbers_and_words_beside_float32():
    one = pd.DataFrame({"a": [1, 2**24 + 1], "b": ["u", "v"], "c": [None, 0.1]})
    other = one.astype({"c": "float32"})
    assert are_among(one, other).all() and are_among(other, one).all()
    # whole numbers, such as identifiers, are compared as they are
    other = other.astype({"a": "float32"})
    assert are_among(one, other).tolist() == are_among(other, one).tolist() == [True, False]
    assert are_among(np.array([[1], [0]]), np.array([[1.0]], dtype="f4")).tolist() == [True, False]
    assert are_among(one, one.astype({"a": float})).all()
    for more in (np.array([[2**53 + 1]]), np.array([[2**53 + 1]], dtype=np.uint64)):
        assert not are_among(more, np.array([[2.0**53]])).any()
        assert are_among(more, np.array([[2**53 + 1]])).all()
    assert are_among(np.array([[2**60]]), np.array([[2.0**60]])).all()


@pytest.mark.parametrize("coarse", [np.float16, np.float32])
def test_records_stored_as_a_coarser_type_in_any_container(coarse):
    values = np.array([[0.1, 0.7], [0.2, 0.3], [0.3, 1.1]])
    stored = values[:2].astype(coarse)
    makes = (
        np.asarray, pd.DataFrame, list,
        lambda X: sparse.csr_array(X) if coarse is np.float32 else X,  # scipy has no float16
        lambda X: [list(row) for row in X],
        lambda X: [tuple(row) for row in X],
        lambda X: np.array([list(row) for row in X], dtype=object),
        lambda X: pd.DataFrame([list(row) for row in X], dtype=object),
    )  # fmt: skip
    for make in makes:
        assert are_among(make(values), make(stored)).tolist() == [True, True, False]
        assert are_among(make(stored), make(values)).all()
    assert are_among(values.astype("f4"), stored).tolist() == [True, True, False]
    mixed = [[coarse(0.1), 5], [0.3, 7]]
    assert are_among(mixed, [[0.1, 5]]).tolist() == [True, False]
    words = [[coarse(0.1), "u"], [0.3, "v"]]
    assert are_among(words, [[0.1, "u"], [0.3, "u"]]).tolist() == [True, False]


def test_what_float64_rounds_is_told_apart():
    ids = np.array([[2**53, 0], [2**53 + 1, 0], [0, 2**53 + 1], [2**53 + 1, 0], [1, 0]])
    for kind in (np.int64, np.uint64):
        for make in (sparse.csr_array, sparse.csc_array, sparse.coo_array):
            assert number_records(make(ids.astype(kind))).tolist() == [0, 1, 2, 1, 3]
    assert record_bytes(sparse.csr_array(ids))[-1:] == record_bytes(sparse.csr_array(ids[-1:]))
    long = np.longdouble(1) + np.finfo(np.longdouble).eps
    if long != np.float64(long):
        for table in (np.array([[1], [long], [1]], dtype=np.longdouble), [[1], [long], [1.0]]):
            assert number_records(table).tolist() == [0, 1, 0]


@dataclass
class Pair:
    one: object
    other: object


def equal_values():
    text, same = "hello", "".join(["he", "llo"])
    moment, hour = pd.Timestamp("2020-01-01", tz="UTC"), timedelta(hours=1)
    berlin = pd.Timestamp("2020-01-01 01:00", tz="Europe/Berlin")
    return {
        "moments": [moment, berlin, moment.to_pydatetime(), berlin.to_pydatetime()],
        "days": [np.datetime64(f"2020-01-01{at}") for at in ("", "T00")] + [datetime(2020, 1, 1)],
        "nanoseconds": [np.datetime64(10**18 + 1, "ns"), pd.Timestamp(10**18 + 1)],
        "durations": [hour, pd.Timedelta(hour), np.timedelta64(60, "m"), np.timedelta64(1, "h")],
        "sets": [{8, 0}, {0, 8}, frozenset([0.0, 8.0])],
        "dataclasses": [Pair(text, text), Pair(text, same), Pair(same, text)],
        "in objects": [Pair({8, 0}, np.float32(1)), Pair({0, 8}, 1)],
        "decimals": [Decimal("0.5"), Decimal("0.50"), 0.5, Fraction(1, 2)],
        "tenths": [Decimal("0.1"), Decimal("0.100")],
        "whole decimals": [Decimal(2**53 + 1), 2**53 + 1, Fraction(2**53 + 1)],
        "large": [2**60, 2.0**60, Decimal(2**60)],
        "complex": [1 + 0j, 1, np.complex64(1)],
        "missing": [Decimal("NaN"), None, np.datetime64("NaT"), pd.NaT, np.timedelta64("NaT")],
    }  # fmt: skip


@pytest.mark.parametrize("name", equal_values())
def test_equal_values_of_other_types_are_equal(name):
    cells = [[value] for value in equal_values()[name]]
    assert set(number_records(cells)) == {0}
    frame = pd.DataFrame({"a": pd.Series([cell[0] for cell in cells], dtype=object)})
    assert record_bytes(frame) == record_bytes(cells)


def test_no_two_kinds_of_values_are_taken_for_one():
    cells = [[values[-1]] for values in equal_values().values()]
    cells += [[v] for v in (1 + 1j, 1 - 1j, Decimal("-0.1"), Decimal(1), {8}, {0, "8"}, hour_off())]
    cells += [[Pair("hello", "other")], [{"one": "hello"}], [np.timedelta64(1, "M")], [(8, 0)]]
    cells = [cell for cell in cells if cell != [Decimal(1)]]
    assert number_records(cells).tolist() == list(range(len(cells)))


def hour_off():
    return datetime(2020, 1, 1, tzinfo=timezone(timedelta(hours=1)))
