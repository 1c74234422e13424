"""Data of the paper: fetchers of the published files, and a generator in their regime."""

from sklearn_aeppt._lazy import lazy

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
