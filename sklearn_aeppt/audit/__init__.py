"""Audit of a classifier: every attack, retrained on what it shows, in one report."""

from typing import TYPE_CHECKING

from sklearn_aeppt._lazy import lazy

if TYPE_CHECKING:  # a type checker does not see lazy names
    from sklearn_aeppt.audit._audit import audit as audit
    from sklearn_aeppt.audit._compare import ReportChange as ReportChange
    from sklearn_aeppt.audit._compare import compare_reports as compare_reports
    from sklearn_aeppt.audit._comparison import AuditComparison as AuditComparison
    from sklearn_aeppt.audit._hashes import hash_records as hash_records
    from sklearn_aeppt.audit._judge import apply_policy as apply_policy
    from sklearn_aeppt.audit._policy import Policy as Policy
    from sklearn_aeppt.audit._policy import load_policy as load_policy
    from sklearn_aeppt.audit._report import AuditReport as AuditReport
    from sklearn_aeppt.audit._structure import StructuralRisk as StructuralRisk
    from sklearn_aeppt.audit._structure import structural_risk as structural_risk

#: Public name -> the module that it comes from.
MODULES = {
    "AuditComparison": "_comparison",
    "AuditReport": "_report",
    "Policy": "_policy",
    "ReportChange": "_compare",
    "StructuralRisk": "_structure",
    "apply_policy": "_judge",
    "audit": "_audit",
    "load_policy": "_policy",
    "compare_reports": "_compare",
    "hash_records": "_hashes",
    "structural_risk": "_structure",
}

__getattr__, __dir__, __all__ = lazy(__name__, MODULES)
