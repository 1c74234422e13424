"""Data of the paper: fetchers of the published files, and a generator in their regime."""

from typing import TYPE_CHECKING

from sklearn_aeppt._lazy import lazy

if TYPE_CHECKING:  # a type checker does not see lazy names
    from sklearn_aeppt.datasets._cifar import fetch_cifar100 as fetch_cifar100
    from sklearn_aeppt.datasets._purchase import make_purchase as make_purchase
    from sklearn_aeppt.datasets._purchase import purchase_classes as purchase_classes
    from sklearn_aeppt.datasets._tables import fetch_location30 as fetch_location30
    from sklearn_aeppt.datasets._tables import fetch_purchase100 as fetch_purchase100
    from sklearn_aeppt.datasets._tables import fetch_texas100 as fetch_texas100

#: Public name -> the module that it comes from.
MODULES = {
    "fetch_cifar100": "_cifar",
    "fetch_location30": "_tables",
    "fetch_purchase100": "_tables",
    "fetch_texas100": "_tables",
    "make_purchase": "_purchase",
    "purchase_classes": "_purchase",
}

__getattr__, __dir__, __all__ = lazy(__name__, MODULES)
