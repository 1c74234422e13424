"""Results kept on a disk: private, nothing in clear text, never of another version of the code."""

import hashlib
import os
import sys
from functools import cache, partial
from pathlib import Path
from types import BuiltinFunctionType, CellType, CodeType, FunctionType, MethodType

import joblib
import numpy as np
import sklearn
from sklearn.utils.validation import check_memory

from sklearn_aeppt._saving import private_folder
from sklearn_aeppt._version import __version__

#: Packages whose objects are values: they hold no code of anybody else.
VALUES = {"builtins", "numpy", "scipy", "pandas", "polars", "torch", "joblib", "datetime"}
PLAIN = (str, bytes, int, float, complex, type(None), type(...))
FUNCTIONS = (FunctionType, MethodType, BuiltinFunctionType)


def open_memory(memory):
    """Return a `joblib.Memory` whose folder its owner alone can enter.

    Parameters
    ----------
    memory : str, joblib.Memory or None
        A folder that is not there yet is made private; one that is there keeps its mode, and
        what joblib makes in it is private.
    """
    if isinstance(memory, str) and not Path(memory).exists():
        private_folder(memory)
    memory = check_memory(memory)
    folder = getattr(getattr(memory, "store_backend", None), "location", None)
    if folder is not None and os.path.isdir(folder):
        private_folder(folder)
    return memory


def remembered(memory, call, counted=None):
    """Return a function without arguments that runs `call` once, and then finds its result.

    What joblib writes in clear text beside a result, the arguments and the function, is a hash
    here and says nothing: answers of an undefended model are among the arguments.

    Parameters
    ----------
    memory : joblib.Memory of `open_memory`
    call : functools.partial
        Of a function that can be imported; its arguments are positional.
    counted : tuple or None, default=None
        What the result depends on; None takes the arguments. The versions of this library,
        scikit-learn and numpy, and the code of the function and of every class among these, count
        too: an attack that was changed is run again.
    """
    if memory.location is None:
        return call
    counted = call.args if counted is None else counted
    function = call.func
    what = (
        __version__, sklearn.__version__, np.__version__,
        function.__module__, function.__qualname__, code_of(function, counted), *counted,
    )  # fmt: skip
    # here, where arrays are arrays: in another process they may have become memory maps
    key = joblib.hash([joblib.hash(part, coerce_mmap=True) for part in what])
    return partial(memory.cache(_run, ignore=["call"]), key, Unnamed(call))


def _run(key, call):
    """Run a call; the unit of the cache, which knows it by its key."""
    return call()


class Unnamed:
    """A call that does not name its arguments: joblib prints and logs what it is called with."""

    def __init__(self, call):
        self.call = call

    def __call__(self):
        """Run the call."""
        return self.call()

    def __repr__(self):
        return f"<{self.call.func.__qualname__}>"


def code_of(*values):
    """Return a hash of the code of the functions and of the classes of the objects in `values`."""
    found: dict[str, tuple] = {}
    _collect(values, found, {})
    # as text: joblib tells equal objects from one object that stands in two places
    return hashlib.sha256(repr(sorted(found.items())).encode()).hexdigest()


def _collect(value, found, seen):
    """Note name -> code of what `value` is made of: its class, its attributes, what it holds."""
    if id(value) in seen or isinstance(value, (*PLAIN, np.ndarray)):
        return
    seen[id(value)] = value  # and so it lives: its id is nobody else's
    if isinstance(value, (*FUNCTIONS, type)):
        _note(value, found)
        parts: list = [value.__self__] if isinstance(value, MethodType) else []
    elif isinstance(value, (list, tuple, set, frozenset)):
        parts = list(value)
    elif isinstance(value, partial):
        parts = [value.func, value.args, value.keywords]
    else:
        parts = []
        if _package(type(value)) not in VALUES:
            _note(type(value), found)
            parts += getattr(value, "__dict__", {}).values()
        if isinstance(value, dict):
            parts += value.values()
    for part in parts:
        _collect(part, found, seen)


def _package(kind):
    return (kind.__module__ or "builtins").partition(".")[0]


def _note(kind, found):
    """Note the code of a function, or of a class and all that it inherits from."""
    for one in kind.__mro__ if isinstance(kind, type) else (kind,):
        if _package(one) != "builtins":
            # what runs, too: it tells apart what has one name, in a notebook or made by a function
            parts = vars(one) if isinstance(one, type) else {"": one}
            code = [
                (name, _code(part))
                for name, part in sorted(parts.items())
                if callable(part) or not name.startswith("__")  # which Python notes as it goes
            ]
            found[f"{one.__module__}.{one.__qualname__}"] = _source(one.__module__), code


def _code(value):
    """Return what a function, a code object or a plain value is; None of anything else."""
    if isinstance(value, PLAIN):
        return repr(value)
    if isinstance(value, (tuple, list)):
        return [_code(part) for part in value]
    if isinstance(value, (set, frozenset)):
        return sorted(map(repr, map(_code, value)))
    if isinstance(value, CodeType):
        return value.co_code, value.co_names, value.co_varnames, _code(value.co_consts)
    if isinstance(value, property):
        return _code(value.fget)
    value = getattr(value, "__func__", value)  # of methods, of the class and static
    if not isinstance(value, FunctionType):
        return None
    cells = [c.cell_contents for c in value.__closure__ or () if c != CellType()]
    return _code(value.__code__), _code(value.__defaults__), _code(cells)


@cache
def _source(module):
    """Return the version of a module's package and a hash of the module's source.

    For this library, of all its sources: an attack is more than the module that it stands in.
    """
    package = module.partition(".")[0]
    version = getattr(sys.modules.get(package), "__version__", None)
    file = getattr(sys.modules.get(module), "__file__", None) or ""
    files = [Path(file)] if file.endswith(".py") and os.path.isfile(file) else []
    if package == __name__.partition(".")[0]:
        files = sorted(Path(__file__).parent.rglob("*.py"))
    return str(version), joblib.hash([one.read_bytes() for one in files])
