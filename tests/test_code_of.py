"""A result that is kept depends on all code that it may have run, however that is reached."""

import importlib
import sys
from types import SimpleNamespace

import numpy as np
import pytest

from sklearn_aeppt._code_of import code_of
from sklearn_aeppt.attacks import ThresholdAttack

SUB = "def f(p):\n    return {sign}p.max(1)\nclass C:\n    f = staticmethod(f)\n"
ATTACK = """
import functools, importlib
import numpy as np
from sklearn_aeppt.attacks import ThresholdAttack
{above}
class A(ThresholdAttack):
    def decision_function(self, X):
        {inside}
"""
REACHED = {
    "imported": ("from helpers.sub import f", "return f(X)"),
    "by its whole name": ("import helpers.sub", "return helpers.sub.f(X)"),
    "by a short name": ("import helpers.sub as s", "return s.f(X)"),
    "of a package": ("from helpers import sub", "return sub.f(X)"),
    "all names": ("from helpers.sub import *", "return f(X)"),
    "imported inside": ("", "from helpers.sub import f; return f(X)"),
    "imported further inside": ("", "def g():\n            import helpers.sub as s; return s.f(X)"),
    "class": ("from helpers.sub import C", "return C.f(X)"),
    "class of a module": ("from helpers import sub", "return sub.C.f(X)"),
    "getattr": ("from helpers import sub", "return getattr(sub, 'f')(X)"),
    "vars": ("from helpers import sub", "return vars(sub)['f'](X)"),
    "through another": ("from helpers import other", "return other.g(X)"),
    "relative": ("from helpers import near", "return near.g(X)"),
    "whole package": ("import helpers.all", "return helpers.all.f(X)"),
    "dict": ("from helpers.sub import f\nD = {'f': f}", "return D['f'](X)"),
    "partial": ("from helpers.sub import f\ng = functools.partial(f)", "return g(X)"),
    "cached": (
        "from helpers.sub import f\n@functools.lru_cache\ndef g(p): return f(p)",
        "return g(X)",
    ),
    "instance": ("from helpers.sub import C\nO = C()", "return O.f(X)"),
    "base class": ("from helpers.sub import C\nclass D(C): pass", "return D.f(X)"),
    "default": ("from helpers.sub import f\ndef g(p, f=f): return f(p)", "return g(X)"),
    "decorated": (
        "from helpers.sub import f\ndef deco(h):\n    @functools.wraps(h)\n"
        "    def w(p): return f(p)\n    return w\n@deco\ndef g(p): return 0",
        "return g(X)",
    ),
    "by name": ("", "return importlib.import_module('helpers.sub').f(X)"),
    "by a name made at run time": ("import helpers.late", "return helpers.late.load('sub').f(X)"),
    "__import__": ("", "return __import__('helpers.sub').sub.f(X)"),
}
FILES = {
    "other": "from helpers.sub import f\ndef g(p): return f(p)\n",
    "near": "def g(p):\n    from . import sub\n    return sub.f(p)\n",
    "all": "from .sub import *\n",
    "late": "import importlib\ndef load(n): return importlib.import_module('helpers.' + n)\n",
}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder of modules of the user's, which are forgotten afterwards."""
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "helpers").mkdir()
    for name, text in {"__init__": "", "sub": SUB.format(sign=""), **FILES}.items():
        (tmp_path / "helpers" / f"{name}.py").write_text(text)
    yield tmp_path
    _forget()


def _forget():
    for name in [
        n for n in sys.modules if n.partition(".")[0] in ("helpers", "attack_of_ones_own")
    ]:
        del sys.modules[name]


def _key(make=lambda module: module.A()):
    """Return the key of an attack as a new process does."""
    _forget()
    importlib.invalidate_caches()
    return code_of(make(importlib.import_module("attack_of_ones_own")))


@pytest.mark.parametrize("above, inside", REACHED.values(), ids=REACHED)
def test_code_in_a_helper_counts_however_it_is_reached(folder, above, inside):
    (folder / "attack_of_ones_own.py").write_text(ATTACK.format(above=above, inside=inside))
    key = _key()
    (folder / "helpers" / "unrelated.py").write_text("")
    if "late" not in above:
        assert _key() == key
    (folder / "helpers" / "sub.py").write_text(SUB.format(sign="-"))
    assert _key() != key


class Holds:
    __slots__ = ("held",)

    def __init__(self, held):
        self.held = held

    def call(self, *args):
        return self.held(*args)


HOLDS = {
    "dict": lambda f: {"f": f},
    "array": lambda f: np.array([f, None], dtype=object),
    "vectorized": np.vectorize,
    "slots": Holds,
    "bound method": lambda f: Holds(f).call,
    "namespace": lambda f: SimpleNamespace(f=[f]),
}


@pytest.mark.parametrize("hold", HOLDS.values(), ids=HOLDS)
def test_code_that_a_parameter_holds_counts(folder, hold):
    (folder / "attack_of_ones_own.py").write_text("from helpers.other import g\n")

    def make(module):
        return ThresholdAttack(hold(module.g))

    key = _key(make)
    assert _key(make) == key
    (folder / "helpers" / "sub.py").write_text(SUB.format(sign="-"))
    assert _key(make) != key


def test_what_runs_counts_where_its_file_was_changed_after_it_was_loaded(folder):
    above, inside = REACHED["through another"]
    (folder / "attack_of_ones_own.py").write_text(ATTACK.format(above=above, inside=inside))
    old = _key()
    (folder / "helpers" / "sub.py").write_text(SUB.format(sign="-"))
    mixed = code_of(sys.modules["attack_of_ones_own"].A())  # the old code, beside the new file
    assert len({old, mixed, _key()}) == 3


def test_values_in_a_module_count_where_it_is_imported_inside_of_a_function(folder):
    above, inside = REACHED["imported inside"]
    (folder / "attack_of_ones_own.py").write_text(ATTACK.format(above=above, inside=inside))
    sub = importlib.import_module("helpers.sub")
    module = importlib.import_module("attack_of_ones_own")
    key = code_of(module.A())
    sub.f = sub.C  # as a test that replaces it does
    assert code_of(module.A()) != key


def test_an_import_of_what_is_not_known_has_no_key(folder):
    (folder / "attack_of_ones_own.py").write_text(
        ATTACK.format(above="", inside="return importlib.import_module(self.name).f(X)")
    )
    with pytest.raises(ValueError, match="made at run time"):
        _key()
