"""Packages whose names are imported when they are asked for, as scikit-learn's own `__init__`."""

import sys
from importlib import import_module


def lazy(package, modules, submodules=()):
    """Return (``__getattr__``, ``__dir__``, ``__all__``) of a package.

    Parameters
    ----------
    package : str
        Its ``__name__``.
    modules : dict of str to str
        Public name -> the module it comes from, seen from the package (``"._x"``: from beside it).
    submodules : tuple of str
        Modules that are public themselves.
    """
    names = sorted([*modules, *submodules])

    def get(name):
        if name in submodules:
            return import_module(f"{package}.{name}")
        if name not in modules:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        value = getattr(import_module(f".{modules[name]}", package), name)
        setattr(sys.modules[package], name, value)  # once
        return value

    return get, lambda: names, names
