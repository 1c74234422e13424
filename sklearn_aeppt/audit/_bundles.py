"""How often attacks are right in bundles of records: enough to pair two audits, about nobody."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

#: Records (or persons) in a bundle, at least: a count says nothing of any one of them.
LEAST = 10
#: Bundles of a side, at most.
MOST = 200


def make_bundles(
    is_member: np.ndarray,
    keys: list[bytes] | None,
    labels: np.ndarray,
    right: Iterable[tuple[str, np.ndarray]],
) -> dict[str, Any]:
    """Return how often each attack is right in each bundle, or an empty dict.

    Two audits of the same records are compared pair by pair, since what is hard about a record is
    hard for both. Which records an attack is right about would be facts about single persons; sums
    over bundles are not, and have the same covariance as the records in them. Who is in which
    bundle follows from the records' hashes, so that their order does not matter.

    Parameters
    ----------
    is_member : boolean ndarray of shape (n_units,)
    keys : list of bytes, or None where the records have no hash
        Of each unit.
    labels : boolean ndarray of shape (n_units,)
        Whether the label-only attack is right about each unit.
    right : iterable of (str, boolean ndarray of shape (n_units,))
        Name of an attack, and the same of it.

    Returns
    -------
    bundles : dict
        ``members`` and ``non_members``: the number of units in each bundle; ``labels``: how many of
        them the label-only attack is right about; ``attacks``: the same of each attack. Empty
        without keys, or with fewer than two bundles of ten on a side.
    """
    sides = [np.flatnonzero(is_member), np.flatnonzero(~is_member)]
    if keys is None or min(map(len, sides)) < 2 * LEAST:
        return {}
    places = [_bundle_of(side, keys) for side in sides]

    def counts(one):
        found = (np.bincount(place, one[side]) for place, side in zip(places, sides))
        return dict(zip(("members", "non_members"), (n.astype(int).tolist() for n in found)))

    return {
        **counts(np.ones(len(is_member))),
        "labels": counts(labels),
        "attacks": [{"attack": name, **counts(one)} for name, one in right],
    }


def _bundle_of(side, keys):
    """Return the bundle of each unit of a side: neighbors in the order of their keys."""
    order = sorted(range(len(side)), key=lambda i: keys[side[i]])
    place = np.empty(len(side), dtype=np.int64)
    place[order] = np.arange(len(side)) * min(MOST, len(side) // LEAST) // len(side)
    return place
