"""What a report says of the checks before any attack, and of the members that are accused."""

from __future__ import annotations

from typing import Any

import numpy as np

from sklearn_aeppt.audit._structure import StructuralRisk

#: Share of non-members that may be near-duplicates of members without a word about it.
FEW = 0.01


def checks_say(checks: dict[str, dict[str, Any]], n_non: int, what: str) -> list[str]:
    """Return one sentence for each check that has something to say."""
    said = []
    blind, near = checks.get("blind", {}), checks.get("near_duplicates", {})
    if "not_run" in blind:
        said.append(f"Not checked: whether both sides are of one distribution: {blind['not_run']}.")
    elif blind:
        found = "tells" if blind["differs"] else "does not tell"
        said.append(
            f"Blind baseline: a classifier that never asks the target {found} members from "
            f"non-members (AUC {blind['auc']:.2f}, p = {blind['p_value']:.2g})."
        )
    if near.get("near", 0) > FEW * near.get("n", 0):
        said.append(
            f"Near-duplicates: {near['near']:,} of {near['n']:,} non-members are nearly equal to a "
            "member, and look like one to every attack: leave them out."
        )
    structure = checks.get("structure", {})
    if "n_records" in structure:
        said += StructuralRisk(**structure).risks
    missing = [fpr for fpr in (0.01, 0.001) if n_non < 10 / fpr]
    if missing:
        needs = " and ".join(f"{10 / fpr:,.0f} for {100 * fpr:g} %" for fpr in missing)
        said.append(
            f"Sizes: {n_non:,} non-members ({what}) are too few for the TPR at some false positive "
            f"rates: it takes {needs}."
        )
    return said


def accused_rows(records: dict[str, np.ndarray]) -> list[dict[str, Any]]:
    """Return the members that are accused, the surest first."""
    if not records:
        return []
    rows = np.flatnonzero(records["accused"])
    rows = rows[np.lexsort([-records["score"][rows], records["p_value"][rows]])]
    columns = [c for c in ("row", "index", "person", "score", "p_value") if c in records]
    return [{name: records[name][i] for name in columns} for i in rows]


def exposed_says(exposure: dict[str, Any], sizes: tuple[int, int], what: str) -> str:
    """Return one sentence on the members that are accused."""
    left_out, n = exposure["not_scored"], exposure["accused"]
    rate = exposure["false_discovery_rate"]
    missed = f" Not scored: {left_out:,} record(s) that were left out." if left_out else ""
    n_members, n_non = sizes
    if not n:
        least = int(np.ceil(n_members / (rate * (n_non / 2 + 1))))
        return (
            f"Accused: none of the {n_members:,} members ({what}) at a false discovery rate of "
            f"{rate:.0%}; with these numbers a list holds at least {least:,}.{missed}"
        )
    if "accused_persons" in exposure:
        counted = (
            f"{exposure['accused_persons']:,} of {n_members:,} members (persons, {n:,} records)"
        )
    else:
        counted = f"{n:,} of {n_members:,} members"
    return (
        f"Accused: {counted}, of which at most {rate:.0%} are expected to look like "
        f"non-members.{missed}"
    )
