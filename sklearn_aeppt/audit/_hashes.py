"""Hashes by which someone else can tell that an audit was about this model and these records."""

from __future__ import annotations

import hashlib
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
from joblib.hashing import NumpyHasher
from numpy.typing import ArrayLike
from sklearn.utils.validation import _num_samples

from sklearn_aeppt._function_target import FunctionTarget
from sklearn_aeppt._groups import as_labels
from sklearn_aeppt._members import check_labels
from sklearn_aeppt._precomputed import takes_confidences
from sklearn_aeppt._records import record_bytes
from sklearn_aeppt._value_bytes import one_record
from sklearn_aeppt.audit._suites import result_or_reason


def hash_records(X: Any, y: ArrayLike) -> str:
    """Hash records and their labels, whatever their order.

    Each record is hashed by its values with its label; the hashes are sorted, and hashed together.
    So the same records give the same hash from a CSV file, a frame, an array or a list of rows, in
    any order. What counts is values: 1 and 1.0 are equal, but 0.1 as float32 is not 0.1 as float64,
    and names of columns do not count. A sparse matrix is hashed by what it stores, without being
    made dense: alike in every sparse format, but not as the same numbers in an array; and rows that
    are dicts are hashed with their keys.

    Parameters
    ----------
    X : records
        As an audit is given them: array, frame, sparse matrix, list of texts.
    y : array-like of shape (n,)
        Class label of each record.

    Returns
    -------
    digest : str
        SHA-256 in hexadecimal, as in the ``provenance`` of an `AuditReport`.

    Raises
    ------
    ValueError
        If `y` does not hold one label for each record.

    See Also
    --------
    AuditReport : Holds the hashes of members and non-members.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_aeppt.audit import hash_records
    >>> X, y = np.eye(3), [0, 1, 2]
    >>> hash_records(X, y) == hash_records(X[::-1].astype(int).tolist(), y[::-1])
    True
    """
    return together(record_digests(X, check_labels(y, _num_samples(X), "y")))


def record_digests(X: Any, y: ArrayLike) -> list[bytes]:
    """Return the hash of each record with its label."""
    labels = map(one_record, as_labels(y).tolist())
    return [
        hashlib.sha256(hashlib.sha256(label).digest() + record).digest()
        for record, label in zip(record_bytes(X), labels)
    ]


def together(digests: list[bytes]) -> str:
    """Return the hash of records whose hashes are given, in whatever order."""
    return hashlib.sha256(b"".join(sorted(digests))).hexdigest()


def describe_records(digests: list[bytes] | str, n: int) -> dict[str, Any]:
    """Return what stands in a report about one side's records."""
    if isinstance(digests, str):
        return {"n": n, "not_hashed": digests}
    return {"n": n, "sha256": together(digests)}


def describe_model(target: Any) -> dict[str, Any]:
    """Return the hash of a target's parameters and fitted state, or why there is none."""
    if isinstance(target, FunctionTarget):
        return {"not_hashed": "the target is a function, whose model stands elsewhere"}
    if takes_confidences(target):
        return {"not_hashed": "only the model's confidences were given"}
    if not hasattr(target, "get_params"):
        return {"not_hashed": "the target is not an estimator; its model may stand elsewhere"}
    found = result_or_reason(partial(NumpyHasher("sha256").hash, target))
    length = hashlib.sha256().digest_size * 2
    if len(found) != length or " " in found:
        return {"not_hashed": f"its state cannot be hashed: {found}"}
    return {"sha256": found, "of": "parameters and fitted state"}


def describe_file(path: str) -> dict[str, Any]:
    """Return the hash of the file that a model was loaded from."""
    with open(path, "rb") as file:
        return {"sha256": hashlib.file_digest(file, "sha256").hexdigest(), "of": "file"}


@cache
def describe_library() -> dict[str, Any]:
    """Return the hash of this library's own sources."""
    root = Path(__file__).parents[1]
    files = sorted(root.rglob("*.py"), key=lambda file: file.relative_to(root).as_posix())
    if not files:
        return {"not_hashed": "it was installed without its sources"}
    found = hashlib.sha256()
    for file in files:
        name, content = file.relative_to(root).as_posix().encode(), file.read_bytes()
        for part in (name, content):
            found.update(len(part).to_bytes(8, "little") + part)
    return {"sha256": found.hexdigest(), "of": "sources"}


def keys_of_units(digests: list[bytes], units: Any) -> list[bytes]:
    """Return a key for each unit that is judged: the least hash of its records."""
    order = sorted(range(len(digests)), key=digests.__getitem__)
    first = np.unique(units.of[order], return_index=True)[1]
    return [digests[order[i]] for i in first]
