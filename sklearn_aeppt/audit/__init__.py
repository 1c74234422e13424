"""Audit of a classifier: every attack, retrained on what it shows, in one report."""

from sklearn_aeppt.audit._audit import audit
from sklearn_aeppt.audit._report import AuditComparison, AuditReport

__all__ = ["AuditComparison", "AuditReport", "audit"]
