"""numpydoc's own validation of every public object and of its public methods."""

import importlib
import inspect
import pkgutil

import pytest
from extras import torch

import sklearn_aeppt

numpydoc_validate = pytest.importorskip("numpydoc.validate")

#: PR01, PR02, PR07: parameters documented, none unknown, each described; RT03: what is returned
#: described; SA01: See Also, which a class or a function has and its methods need not.
CODES = {"PR01", "PR02", "PR07", "RT03", "SA01"}


NEED_TORCH = ("networks",)


def objects():
    """Return the dotted names of public classes and functions and of their own methods."""
    found = {}
    for info in pkgutil.iter_modules(sklearn_aeppt.__path__):
        if info.name.startswith("_"):
            continue
        path = f"sklearn_aeppt.{info.name}"
        if torch is None and info.name in NEED_TORCH:
            continue
        module = importlib.import_module(path)
        for name in getattr(module, "__all__", ()):
            try:
                obj = getattr(module, name)
            except ImportError:
                if torch is not None:
                    raise
                continue
            if inspect.ismodule(obj):
                continue
            found[f"{path}.{name}"] = obj
            if inspect.isclass(obj):
                for method, value in inspect.getmembers(obj):
                    own = (
                        getattr(inspect.unwrap(value), "__module__", "") if callable(value) else ""
                    )
                    if not method.startswith("_") and str(own).startswith("sklearn_aeppt"):
                        found[f"{path}.{name}.{method}"] = value
    return found


OBJECTS = objects()


@pytest.mark.parametrize("name", OBJECTS)
def test_docstring(name):
    is_method = name.count(".") > 2
    codes = CODES - {"SA01"} if is_method else CODES
    errors = numpydoc_validate.validate(name)["errors"]
    assert not (wrong := [error for error in errors if error[0] in codes]), wrong
