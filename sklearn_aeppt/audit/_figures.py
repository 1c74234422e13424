"""The figures of an audit: what was measured, without a word about it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np


@dataclass(eq=False)
class Figures:
    """What `AuditReport` holds, which documents each field."""

    name: str
    results: list[dict[str, Any]]
    strongest: dict[str, Any]
    floor: float
    train_accuracy: float
    test_accuracy: float
    n_members: int
    n_non_members: int
    defended: bool
    slices: dict[Any, dict[str, np.ndarray]]
    at_risk: list[int]
    canaries: dict[str, Any] | None = None
    n_fitted_on: int | None = None
    excess_at_least: float = -1.0
    n_persons: dict[str, int] | None = None
    checks: dict[str, dict[str, Any]] = field(default_factory=dict)
    records: dict[str, np.ndarray] = field(default_factory=dict)
    epsilon: dict[str, Any] | None = None
    intervals: dict[str, list[float]] = field(default_factory=dict)
    attackers: list[dict[str, Any]] = field(default_factory=list)
    exposure: dict[str, Any] = field(default_factory=dict)
    control: dict[str, Any] | None = None
    utility: dict[str, Any] | None = None
    curves: dict[str, Any] = field(default_factory=dict)
    bundles: dict[str, Any] = field(default_factory=dict)
    provenance: dict[str, Any] = field(default_factory=dict)
    context: dict[str, str] = field(default_factory=dict)
    policy: dict[str, Any] | None = None
