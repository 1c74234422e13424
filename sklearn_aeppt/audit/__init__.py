"""Audit of a classifier: every attack, retrained on what it shows, in one report."""

from sklearn_aeppt._lazy import lazy

#: Public name -> the module that it comes from.
MODULES = {
    "AuditComparison": "_report",
    "AuditReport": "_report",
    "audit": "_audit",
}

__getattr__, __dir__, __all__ = lazy(__name__, MODULES)
