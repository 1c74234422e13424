"""Membership inference attacks: binary classifiers over what the adversary sees (1 = member)."""

from sklearn_aeppt._mim import MIMAttack
from sklearn_aeppt._query import query

__all__ = ["MIMAttack", "query"]
