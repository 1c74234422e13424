"""Results kept on a disk: private, nothing in clear text, never of another version of the code."""

import dis
import hashlib
import os
import sys
import sysconfig
import warnings
from functools import cache, partial
from pathlib import Path
from types import BuiltinFunctionType, CellType, CodeType, FunctionType, MethodType, ModuleType

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
#: Where installed code is: its version counts, and not what its functions read.
INSTALLED = tuple({sysconfig.get_path(name) for name in ("stdlib", "purelib", "platlib")})


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
        too, with what the user's own functions read besides their arguments: an attack that was
        changed is run again.

    Warns
    -----
    UserWarning
        If something that counts has no hash, such as a lambda: the result is not kept.
    """
    if memory.location is None:
        return call
    counted = call.args if counted is None else counted
    function = call.func
    what = (
        __version__, sklearn.__version__, np.__version__,
        function.__module__, function.__qualname__, *counted,
    )  # fmt: skip
    # here, where arrays are arrays: in another process they may have become memory maps
    key = hash_of(*what, code=(function, counted))
    return call if key is None else partial(memory.cache(_run, ignore=["call"]), key, Unnamed(call))


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


def hash_of(*values, code=()):
    """Return a hash of values and of the code in others; None, with a warning, if there is none."""
    try:
        return joblib.hash([*(joblib.hash(v, coerce_mmap=True) for v in values), code_of(*code)])
    except Exception as error:  # whatever an object raises that cannot be pickled
        warnings.warn(
            "memory: a result is not kept, since what it depends on cannot be told apart from "
            f"something else ({type(error).__name__}: {' '.join(str(error).split())[:200]}): "
            "define functions by name at the top of a module, not as lambdas or inside others.",
            stacklevel=4,
        )
        return None


def code_of(*values):
    """Return a hash of the code of the functions and of the classes of the objects in `values`.

    With what the user's own functions read: globals, and what is around them.
    """
    found: set[str] = set()
    _collect(values, found, {})
    # as text: joblib tells equal objects from one object that stands in two places
    return hashlib.sha256(repr(sorted(found)).encode()).hexdigest()


def _collect(value, found, seen):
    """Note the code of what `value` is made of: its class, its attributes, what it holds."""
    if id(value) in seen or isinstance(value, (*PLAIN, np.ndarray)):
        return
    seen[id(value)] = value  # and so it lives: its id is nobody else's
    if isinstance(value, (*FUNCTIONS, type)):
        _note(value, found)
        parts: list = [value.__self__] if isinstance(value, MethodType) else []
        for name, read in _reads(value):
            if not isinstance(read, (*FUNCTIONS, type)):
                found.add(f"{name} {joblib.hash(read, coerce_mmap=True)}")
            parts.append(read)
    elif isinstance(value, (list, tuple, set, frozenset)):
        parts = list(value)
    elif isinstance(value, partial):
        parts = [value.func, value.args, value.keywords]
    else:
        parts = []
        if _package(type(value)) not in VALUES:
            parts.append(type(value))
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
            found.add(repr((one.__module__, one.__qualname__, _source(one.__module__), code)))


def _reads(kind):
    """Yield (name, value) of all that a function, or a class of the user's own, reads by name."""
    for one in kind.__mro__ if isinstance(kind, type) else (getattr(kind, "__func__", kind),):
        if not _is_of_the_user(one.__module__):
            continue
        where = f"{one.__module__}.{one.__qualname__}"
        for name, part in [*vars(one).items()] if isinstance(one, type) else [("", one)]:
            function = getattr(part, "fget", getattr(part, "__func__", part))
            if isinstance(function, FunctionType):
                for read, value in _read_by(function):
                    yield f"{where}.{name} reads {read}", value
            elif not name.startswith("__") and _is_data(part):
                yield f"{where}.{name}", part


def _is_data(part):
    return _package(type(part)) in VALUES and not hasattr(part, "__get__")  # no descriptors


def _read_by(function):
    """Yield (name, value) of the globals and of the surrounding variables that a function reads."""
    cells = zip(function.__code__.co_freevars, function.__closure__ or ())
    known = {name: cell.cell_contents for name, cell in cells if cell != CellType()}
    names, attributes = _names_in(function.__code__)
    known |= {name: v for name, v in function.__globals__.items() if name in names}
    yield "defaults", (function.__defaults__, function.__kwdefaults__)
    for name, value in known.items():
        if not isinstance(value, ModuleType):
            yield name, value
        elif _is_of_the_user(value.__name__):
            for attribute in attributes & set(vars(value)):
                if not isinstance(vars(value)[attribute], ModuleType):
                    yield f"{name}.{attribute}", vars(value)[attribute]


def _names_in(code):
    """Return the names of globals, and of attributes among others, in code and what it defines."""
    by_name = ("LOAD_GLOBAL", "LOAD_NAME")
    names = {step.argval for step in dis.get_instructions(code) if step.opname in by_name}
    attributes = set(code.co_names)
    for inner in code.co_consts:
        if isinstance(inner, CodeType):
            more = _names_in(inner)
            names, attributes = names | more[0], attributes | more[1]
    return names, attributes


def _is_of_the_user(module):
    """Return whether a module is neither installed nor part of this library."""
    package = (module or "builtins").partition(".")[0]
    if package in {*VALUES, *sys.stdlib_module_names, __name__.partition(".")[0]} - {"__main__"}:
        return False
    file = getattr(sys.modules.get(module), "__file__", None) or ""
    return not file.startswith(INSTALLED)


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
