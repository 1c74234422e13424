"""Policies by name: what each asks of an audit, as its author would write it in a file."""

from typing import Any

#: Name -> the sections of a policy, see `sklearn_aeppt.audit.Policy`.
PRESETS: dict[str, dict[str, Any]] = {
    "default": {
        "description": "The confidences show nothing of note beyond what the labels show.",
        "mode": "exceeds",
        "not_judged": "pass",
        "limits": {"excess": 0.02, "tpr_at_0.01_fpr": 0.05, "tpr_at_0.001_fpr": 0.02},
        "require": {"checks": ["blind"]},
    },
    "strict": {
        "description": "Leakage above low limits is excluded, not just not shown, by a full audit.",
        "mode": "excluded",
        "not_judged": "fail",
        "inconclusive": "fail",
        "limits": {
            "excess": 0.02,
            "accuracy": 0.55,
            "auc": 0.6,
            "tpr_at_0.01_fpr": 0.03,
            "tpr_at_0.001_fpr": 0.01,
            "canaries": 0.75,
        },
        "records": {"members": 2_000, "non_members": 10_000},
        "require": {
            "kinds": ["adaptive", "labels_only", "variants", "per_record"],
            "checks": ["blind", "near_duplicates", "structure", "fitted_on"],
        },
    },
    "sacro": {
        "description": "The limits in SACRO-ML's code, as far as this audit has their figures.",
        "mode": "excluded",
        "not_judged": "fail",
        "limits": {"auc": 0.65},
        "structure": {"smallest_leaf": 5, "degrees_of_freedom": 10, "stored_records": 0},
        "require": {"checks": ["blind", "structure"]},
    },
    "aisvs": {
        "description": "OWASP AISVS 11.2.5: the accuracy of attacks is not above random guessing.",
        "mode": "exceeds",
        "not_judged": "fail",
        "limits": {"accuracy": 0.5},
        "records": {"members": 500, "non_members": 500},
        "require": {"kinds": ["labels_only"], "checks": ["blind"]},
    },
}
