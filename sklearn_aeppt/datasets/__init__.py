"""Data of the paper: fetchers of the published files, and a generator in their regime."""

from sklearn_aeppt.datasets._cifar import fetch_cifar100
from sklearn_aeppt.datasets._purchase import make_purchase, purchase_classes
from sklearn_aeppt.datasets._tables import fetch_location30, fetch_purchase100, fetch_texas100

__all__ = [
    "fetch_cifar100",
    "fetch_location30",
    "fetch_purchase100",
    "fetch_texas100",
    "make_purchase",
    "purchase_classes",
]
