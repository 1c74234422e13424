"""Figures of a report that a policy may limit, each with its bounds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from sklearn_aeppt._text import as_text, group_name, shown_name
from sklearn_aeppt.audit._bounds import accuracy_bounds, auc_bounds, tpr_bounds
from sklearn_aeppt.audit._policy import Limit

if TYPE_CHECKING:
    from sklearn_aeppt.audit._report import AuditReport

#: Rate at which each bound may err, for all attacks and parts of a slice together.
ERROR = 0.05


@dataclass(frozen=True)
class Figure:
    """A value with its bounds and the attack that it is of, or what it lacks to be judged."""

    value: float | None = None
    low: float | None = None
    high: float | None = None
    attack: str | None = None
    lacks: str | None = None


def figure(report: AuditReport, name: str, limit: float) -> Figure:
    """Return what the report holds of a figure: `name` is one that a policy limits."""
    if name == "excess":
        best = max(report._judged, key=lambda row: row["excess"])
        known = all(row.get("excess_high") is not None for row in report._judged)
        high = report.excess_at_most if known else None
        return _of(best, "excess", report.excess_at_least, high)
    if name == "accuracy":
        return _of(report.strongest, name, report.strongest["low"], report.strongest["high"])
    if name == "canaries":
        held = report.canaries
        if held is None:
            return Figure(lacks='no mislabeled canaries were planted (attacks="full" does)')
        return Figure(held["accuracy"], held["low"], held["high"])
    if name == "epsilon":
        return _epsilon(report, limit)
    return _greatest(report, name)


def parts(report: AuditReport, name: str, limit: Limit) -> Iterator[tuple[str, Figure]]:
    """Yield (what it is called, accuracy of the strongest attack) of each part of a slice."""
    table = next((t for key, t in report.slices.items() if as_text(key) == name), None)
    if table is None:
        has = ", ".join(shown_name(key, 40) for key in report.slices) or "none"
        yield name, Figure(lacks=f"the report has no slice of this name (slices=): it has {has}")
        return
    if report.n_persons is not None:
        yield name, Figure(lacks="slices count records, of which several are of one person")
        return
    # the attack was picked by all records, those of the part included
    error = ERROR / max(1, len(table["class"]) * len(report._judged))
    columns = ("class", "n_members", "n_non_members", "accuracy")
    for label, n_mem, n_non, accuracy in zip(*(np.asarray(table[c]) for c in columns)):
        called = f"{name}={as_text(group_name(label))}"
        if min(n_mem, n_non) < limit.min_records:
            said = f"{n_mem:,} members and {n_non:,} non-members; it takes {limit.min_records:,}"
            yield called, Figure(lacks=said)
            continue
        value = float(accuracy)
        low, high = accuracy_bounds(value, int(n_mem), int(n_non), error)
        yield called, Figure(value, low, high, as_text(report.strongest["attack"]))


def _of(row, name, low, high):
    return Figure(row[name], low, high, as_text(row["attack"]))


def _greatest(report, name):
    """Return the greatest AUC, or rate at a false positive rate, of an attack."""
    rows = [row for row in report._judged if row.get(name) is not None]
    n_mem, n_non = report._sizes
    rate = None if name == "auc" else float(name.split("_")[2])
    if not rows:
        needs = "" if rate is None else f"it takes {10 / rate:,.0f} non-members, and "
        return Figure(lacks=f"{needs}there are {n_non:,}")
    best, error = max(rows, key=lambda row: row[name]), ERROR / len(rows)
    if rate is None:
        return _of(best, name, *auc_bounds(best[name], n_mem, n_non, error))
    return _of(best, name, *tpr_bounds(best[name], rate, n_mem, n_non, error))


def _epsilon(report, limit):
    held = report.epsilon
    if held is None:
        return Figure(lacks="no guess could be made: all scores are equal")
    if held["ceiling"] <= limit:
        said = f"{held['n_guesses']:,} guesses show at most {held['ceiling']:.2f}, right or wrong"
        return Figure(held["epsilon"], held["epsilon"], lacks=said)
    return Figure(held["epsilon"], held["epsilon"])
