"""What a value is, as bytes: alike for equal values of any type, different for others."""

import pickle
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from fractions import Fraction
from types import BuiltinFunctionType, FunctionType, ModuleType

import numpy as np

from sklearn_aeppt._containers import as_array

EXACT = 2**53  # up to here, float64 holds every whole number
#: Nanoseconds in numpy's units of a fixed length.
NANOSECONDS = {
    "W": 604_800 * 10**9, "D": 86_400 * 10**9, "h": 3_600 * 10**9, "m": 60 * 10**9, "s": 10**9,
    "ms": 10**6, "us": 10**3, "ns": 1,
}  # fmt: skip


def as_float64(values):
    """Return numbers as float64, equal ones with equal bytes."""
    values = np.ascontiguousarray(values, dtype=np.float64) + 0.0  # no -0.0
    values[np.isnan(values)] = np.nan  # whose bits may be others
    return values


def is_rounded(values):
    """Return whether float64 may round some of the numbers, such as identifiers."""
    if values.dtype.kind == "f" and values.dtype.itemsize > 8:
        with np.errstate(over="ignore", under="ignore"):
            return bool(((values.astype(np.float64) != values) & ~np.isnan(values)).any())
    return values.dtype.kind in "iu" and bool(((values > EXACT) | (values < -EXACT)).any())


def one_record(record):
    """Return the bytes of a record; one value is a row of it."""
    kinds, values = describe(record)
    return (kinds if kinds.startswith(b"[") else b"[" + kinds + b"]") + values


def describe(value):
    """Return (kinds, bytes) of a record or of one value in it; numbers alike in any type.

    The kinds say where lists begin and end and which kind of value stands where; each value's
    bytes have one length, or begin with it. Together they tell any two records apart.
    """
    if isinstance(value, str):
        return b"s", _sized(value.encode("utf-8", "surrogatepass"))
    if isinstance(value, (np.datetime64, np.timedelta64, timedelta)):
        # before the numbers: numpy's durations are integers
        return _describe_time(value)
    if isinstance(value, (int, np.integer)) and not -EXACT <= value <= EXACT:
        return _number(int(value)) or (b"i", _sized(str(int(value)).encode()))
    if isinstance(value, (bool, int, float, np.bool_, np.integer, np.floating)):
        if isinstance(value, np.longdouble) and is_rounded(np.asarray(value)):
            return b"l", _sized(np.format_float_scientific(value, unique=True).encode())
        return b"n", as_float64([value]).tobytes()
    if value is None or type(value).__name__ in ("NAType", "NaTType"):  # those of pandas
        return b"n", as_float64([np.nan]).tobytes()
    if isinstance(value, bytes):
        return b"b", _sized(value)
    if isinstance(value, (date, time)):  # pandas' are too
        return b"d", _sized(_in_utc(value).isoformat().encode())
    if isinstance(value, dict):  # in whatever order
        items = sorted(_sized(one_record(item)) for item in value.items())
        return b"{", _sized(b"".join(items))
    if isinstance(value, (list, tuple)):
        kinds, values = (b"".join(part) for part in zip((b"", b""), *map(describe, value)))
        return b"[" + kinds + b"]", values
    if isinstance(value, (Decimal, Fraction, complex, np.complexfloating)):
        return _describe_number(value)
    if isinstance(value, (set, frozenset)):
        return b"S", _sized(b"".join(sorted(_sized(one_record([one])) for one in value)))
    if hasattr(value, "__array__"):
        value = as_array(value)
        if value.dtype.kind in "biuf" and not is_rounded(value):
            return kinds_of(value.shape), as_float64(value).tobytes()
        if value.ndim:  # numpy's own times: as lists, they are of several kinds
            return describe(list(value) if value.dtype.kind in "Mm" else value.tolist())
    return b"p", _sized(_describe_object(value))


def kinds_of(shape):
    """Return the kinds of an array of numbers: those of the nested lists that it stands for."""
    kinds = b"n"
    for size in reversed(shape):
        kinds = b"[" + kinds * size + b"]"
    return kinds


def _sized(value):
    """Return bytes that begin with their length, so that what follows cannot belong to them."""
    return len(value).to_bytes(8, "little") + value


def _number(value):
    """Return what `describe` does of a number that float64 holds as it is; None of others."""
    try:
        same = float(value)
    except OverflowError:
        return None
    return (b"n", as_float64([same]).tobytes()) if same == value else None


def _describe_number(value):
    if isinstance(value, (complex, np.complexfloating)):
        real, imaginary = value.real, value.imag
        parts = [describe(one) for one in ((real, imaginary) if imaginary != 0 else (real,))]
        return parts[0] if len(parts) == 1 else (b"c", _sized(repr(parts).encode()))
    if isinstance(value, Fraction):
        if value.denominator == 1:
            return describe(value.numerator)
        return _number(value) or (b"q", _sized(str(value).encode()))
    if value.is_nan():
        return describe(None)
    if value.is_infinite():
        return describe(float(value))
    sign, digits, exponent = value.as_tuple()
    text = "".join(map(str, digits)).lstrip("0")
    digits = text.rstrip("0")
    exponent += len(text) - len(digits)
    if not digits:
        return describe(0)
    if 0 <= exponent < 400:
        return describe((-1) ** sign * int(digits) * 10**exponent)
    return _number(value) or (b"D", _sized(f"{sign} {digits} {exponent}".encode()))


def _in_utc(value):
    """Return a moment with a time zone as the same moment in UTC, another value as it is."""
    if not isinstance(value, datetime) or value.utcoffset() is None:
        return value
    try:
        return value.astimezone(UTC)
    except (OverflowError, ValueError):  # within a day of the first or the last year
        return value


def _describe_time(value):
    """Describe a duration as nanoseconds, and a moment of numpy as one of Python."""
    if isinstance(value, timedelta):  # pandas' are too
        seconds = value.days * 86_400 + value.seconds
        count = (seconds * 10**6 + value.microseconds) * 1000 + getattr(value, "nanoseconds", 0)
        return b"t", _sized(str(count).encode())
    if np.isnat(value):
        return describe(None)
    if isinstance(value, np.timedelta64):
        unit, size = np.datetime_data(value.dtype)
        if unit not in NANOSECONDS:
            return b"t", _sized(f"{int(value.astype(np.int64)) * size} {unit}".encode())
        count = int(value.astype(np.int64)) * size * NANOSECONDS[unit]
        return b"t", _sized(str(count).encode())
    fraction = str(value).partition(".")[2].rstrip("0")
    digits = next((n for n in (0, 6, 9) if len(fraction) <= n), 18)  # as isoformat has them
    text = str(value.astype("datetime64[s]")) + (
        "." + fraction.ljust(digits, "0") if digits else ""
    )
    return b"d", _sized(text.encode())


def _describe_object(value):
    """Return the bytes of an object of any class: what pickle would make it of, value by value.

    A pickle itself also tells whether two of its parts are one object.
    """
    if isinstance(value, (type, FunctionType, BuiltinFunctionType, ModuleType)):
        return pickle.dumps(value)
    try:
        parts = value.__reduce_ex__(4)
        if isinstance(parts, str):
            return pickle.dumps(value)
        make, args, state, items, pairs = (*parts, None, None, None)[:5]
        contents = [args, state, None if items is None else list(items)]
        contents.append(None if pairs is None else dict(pairs))
        return one_record([pickle.dumps(make), *contents])
    except RecursionError:  # it holds itself
        return pickle.dumps(value)
