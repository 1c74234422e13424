"""What the figures of an audit amount to: which attack is the strongest, and what leaks."""

from __future__ import annotations

from typing import Any

import numpy as np

from sklearn_aeppt.audit._figures import Figures
from sklearn_aeppt.audit._sentences import accused_rows
from sklearn_aeppt.metrics import clopper_pearson

#: What may be called "no leakage": accuracy above that of random guessing, two points.
TOLERATED = 0.02
CONFIDENCE = 0.95
#: Measures by which an attack is the strongest, and what a report calls them.
MEASURES = {
    "accuracy": "accuracy",
    "auc": "AUC",
    "tpr_at_0.001_fpr": "TPR at 0.1 % FPR",
    "tpr_at_0.01_fpr": "TPR at 1 % FPR",
    "tpr_at_0.1_fpr": "TPR at 10 % FPR",
}


class Judgment(Figures):
    """The figures, and what follows from them."""

    @property
    def ran(self) -> list[dict[str, Any]]:
        """The results of the attacks that were run, a list of dict."""
        return [row for row in self.results if "not_run" not in row]

    @property
    def not_run(self) -> list[dict[str, Any]]:
        """The attacks that could not be run, a list of dict of ``attack`` and ``not_run``."""
        return [row for row in self.results if "not_run" in row]

    @property
    def from_labels(self) -> float:
        """What the strongest attack that looks at labels alone reaches; the floor or more."""
        return max([self.floor, *(row["accuracy"] for row in self.ran if row["labels_only"])])

    @property
    def _judged(self) -> list[dict[str, Any]]:
        """The adaptive attacks, or all where there are none."""
        return [row for row in self.ran if row["adaptive"]] or self.ran

    @property
    def excess_at_most(self) -> float:
        """Largest upper bound on the excess of an attack over the floor."""
        # a report made by hand may not say: then all that is left is possible
        return max(row.get("excess_high", 1 - self.floor) for row in self._judged)

    @property
    def strongest_by(self) -> dict[str, dict[str, Any]]:
        """Measure -> result of the strongest adaptive attack."""
        known = [m for m in MEASURES if any(row.get(m) is not None for row in self._judged)]
        if "tpr_at_0.01_fpr" in known:  # 10 % is for where records are few
            known.remove("tpr_at_0.1_fpr")
        return {m: max(self._judged, key=lambda row: row.get(m) or 0.0) for m in known}

    @property
    def leakage(self) -> str:
        """``"none"``, ``"inconclusive"``, ``"labels"`` or ``"confidences"``."""
        s = self.strongest
        if s["low"] > max(self.from_labels, 0.5) or self._tail_leaks():
            return "confidences"
        if s["low"] > 0.5:
            return "labels"
        return "none" if s["high"] <= 0.5 + TOLERATED else "inconclusive"

    @property
    def _sizes(self) -> tuple[int, int]:
        """How many members and non-members are judged: records, or persons."""
        n = self.n_persons
        return (n["members"], n["non_members"]) if n else (self.n_members, self.n_non_members)

    @property
    def _what(self) -> str:
        return "persons" if self.n_persons else "records"

    def _tail_leaks(self) -> bool:
        """Whether the confidences certainly identify more members at 1 % FPR than labels do."""
        measure, n = "tpr_at_0.01_fpr", self._sizes[0]
        found = [row for row in self._judged if row.get(measure) is not None]
        labels = [row[measure] for row in found if row["labels_only"]]
        others = [row[measure] for row in found if not row["labels_only"]]
        if not others:
            return False
        level = 1 - 2 * (1 - CONFIDENCE) / len(others)
        low, _ = clopper_pearson(round(max(others) * n), n, level)
        # twice the nominal rate of false alarms, which is estimated from the same records
        return bool(low > max([0.02, *labels]))

    def _enough(self) -> int:
        """Return how many records a side would narrow the interval to what is tolerated."""
        s, n = self.strongest, min(self._sizes)
        return int(np.ceil(n * ((s["high"] - s["accuracy"]) / TOLERATED) ** 2 / 100) * 100)

    @property
    def void(self) -> bool:
        """Whether members can be told from non-members without the target."""
        return bool(self.checks.get("blind", {}).get("differs", False))

    @property
    def accused(self) -> list[dict[str, Any]]:
        """The members that are accused, a list of dict."""
        return accused_rows(self.records)
