"""Who made a report of what: versions, seeds, hashes, and how the records were split."""

from __future__ import annotations

import platform
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np

from sklearn_aeppt._version import __version__
from sklearn_aeppt.audit._hashes import describe_library, describe_model, describe_records

#: Packages whose versions can change a figure; those that are installed are noted.
PACKAGES = (
    "numpy", "scipy", "scikit-learn", "joblib", "torch", "skorch", "pandas", "polars",
    "xgboost", "xgboost-cpu", "lightgbm", "catboost",
)  # fmt: skip


def versions() -> dict[str, str]:
    """Return the versions of this library, of Python, and of the packages that are installed."""
    found = {"sklearn-aeppt": __version__, "python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def made(seconds: float) -> dict[str, Any]:
    """Return when and by what a report was made; ``with`` is what advice is worded for."""
    now = datetime.now(UTC).replace(microsecond=0)
    return {"at": now.isoformat(), "with": "python", "seconds": round(seconds, 3)}


def seeds(random_state: Any, **drawn: int) -> dict[str, Any]:
    """Return the seed that was given, and those that were drawn from it."""
    given = int(random_state) if isinstance(random_state, (int, np.integer)) else None
    return {"random_state": given, **drawn}


def split(is_member: np.ndarray, halves: Any, by_person: bool, seed: int) -> dict[str, Any]:
    """Return how the records were split into halves."""
    rule = (
        "Two halves at random, each with its share of members"
        + (", all records of a person in one of them" if by_person else "")
        + "; attacks learn from one half and are scored on the other, and the other way round."
    )
    sizes = [{"members": int(is_member[half].sum()),
              "non_members": int((~is_member[half]).sum())} for half in halves]  # fmt: skip
    return {"rule": rule, "by": "person" if by_person else "record", "seed": seed, "halves": sizes}


def hashes(target: Any, digests: Any, sizes: tuple[int, int]) -> dict[str, Any]:
    """Return the hashes of the model, of both sides as they were handed in, and of this library."""
    n = sizes[0]
    sides = (digests, digests) if isinstance(digests, str) else (digests[:n], digests[n:])
    return {
        "model": describe_model(target),
        "members": describe_records(sides[0], sizes[0]),
        "non_members": describe_records(sides[1], sizes[1]),
        "library": describe_library(),
    }
