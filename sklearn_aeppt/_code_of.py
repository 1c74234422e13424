"""What code a result depends on: that of functions, classes and objects, and what it reads."""

import dis
import hashlib
import os
import pickle
import sys
from functools import cache
from pathlib import Path
from types import BuiltinFunctionType, CellType, CodeType, FunctionType, MethodType, ModuleType

import joblib
import numpy as np

from sklearn_aeppt._user_modules import (
    VALUES,
    imported_by,
    is_of_the_user,
    notes_on_sources,
    package_of,
)

PLAIN = (str, bytes, int, float, complex, type(None), type(...))
FUNCTIONS = (FunctionType, MethodType, BuiltinFunctionType)


def code_of(*values):
    """Return a hash of the code of the functions and of the classes of the objects in `values`.

    With what the user's own functions read: globals, what is around them, and the sources of all
    of the user's modules that they may reach.
    """
    found: set[str] = set()
    modules: set[str] = set()
    seen: dict[int, object] = {}  # which lives, so that its id is nobody else's
    waiting: list = [values]
    while waiting:
        value = waiting.pop()
        if id(value) in seen or isinstance(value, PLAIN):
            continue
        seen[id(value)] = value
        if isinstance(value, ModuleType):
            modules.add(value.__name__)
        elif isinstance(value, (*FUNCTIONS, type)):
            _note(value, found, modules)
            for name, read in _reads(value):
                if not isinstance(read, (*FUNCTIONS, type, ModuleType)):
                    found.add(f"{name} {joblib.hash(read, coerce_mmap=True)}")
                waiting.append(read)
        else:
            waiting += _parts_of(value)
    # as text: joblib tells equal objects from one object that stands in two places
    text = repr(sorted(found | (notes_on_sources(modules) if modules else set())))
    return hashlib.sha256(text.encode()).hexdigest()


class _Parts(pickle.Pickler):
    """Collects functions, classes and objects of the user's in all that an object is made of.

    Which parts these are is what pickle goes through, whatever holds them: slots, arrays of
    objects, containers of any library.
    """

    def __init__(self):
        super().__init__(self, protocol=5, buffer_callback=lambda buffer: None)
        self.found = []

    def write(self, content):
        """Keep nothing: what is looked for has been seen."""

    def persistent_id(self, value):
        if isinstance(value, (*PLAIN, list, tuple, dict)):
            return None
        if isinstance(value, (*FUNCTIONS, type, ModuleType)):
            self.found.append(value)
            return ""
        if isinstance(value, np.ndarray) and not value.dtype.hasobject:
            return ""
        kind = type(value)
        if package_of(kind.__module__) == "torch" and hasattr(kind, "detach"):
            return ""  # numbers, wherever they are
        if is_of_the_user(kind.__module__):  # what its pickle leaves out may count, too
            self.found += [kind, *getattr(value, "__dict__", {}).values()]
        # a function behind a cache, which pickle knows by its name
        wrapped = getattr(value, "__wrapped__", None) if callable(value) else None
        self.found += [] if wrapped is None else [wrapped]
        return None


def _parts_of(value):
    parts = _Parts()
    parts.dump(value)
    return parts.found


def _note(kind, found, modules):
    """Note the code of a function, or of a class and all that it inherits from."""
    kinds = kind.__mro__ if isinstance(kind, type) else (getattr(kind, "__func__", kind),)
    for one in kinds:
        if package_of(one.__module__) in sys.stdlib_module_names:  # Python's version counts
            continue
        if is_of_the_user(one.__module__):
            modules.add(one.__module__)
        # what runs, too: it tells apart what has one name, in a notebook or made by a function
        parts = vars(one) if isinstance(one, type) else {"": one}
        code = [
            (name, plain_code(part))
            for name, part in sorted(parts.items())
            if callable(part) or not name.startswith("__")  # which Python notes as it goes
        ]
        found.add(repr((one.__module__, one.__qualname__, _source(one.__module__), code)))


def _reads(kind):
    """Yield (name, value) of all that a function, or a class of the user's own, reads by name."""
    if isinstance(kind, (MethodType, BuiltinFunctionType)) and kind.__self__ is not None:
        yield f"{kind.__qualname__} of", kind.__self__
    for one in kind.__mro__ if isinstance(kind, type) else (getattr(kind, "__func__", kind),):
        if not is_of_the_user(one.__module__):
            # a decorator that is installed runs what it was given
            yield from ((one.__qualname__, part) for part in _around(one) if _is_code(part))
            continue
        where = f"{one.__module__}.{one.__qualname__}"
        for name, part in [*vars(one).items()] if isinstance(one, type) else [("", one)]:
            function = getattr(part, "fget", getattr(part, "__func__", part))
            if isinstance(function, FunctionType):
                for read, value in _read_by(function):
                    yield f"{where}.{name} reads {read}", value
            elif isinstance(part, type) or (not name.startswith("__") and _is_data(part)):
                yield f"{where}.{name}", part


def _around(function):
    """Return the values around a function, and what it says that it wraps."""
    cells = getattr(function, "__closure__", None) or ()
    around = [cell.cell_contents for cell in cells if cell != CellType()]
    return [*around, getattr(function, "__wrapped__", None)]


def _is_code(part):
    return isinstance(part, (*FUNCTIONS, type))


def _is_data(part):
    return package_of(type(part).__module__) in VALUES and not hasattr(part, "__get__")


def _read_by(function):
    """Yield (name, value) of the globals and of the surrounding variables that a function reads."""
    cells = zip(function.__code__.co_freevars, function.__closure__ or ())
    known = {name: cell.cell_contents for name, cell in cells if cell != CellType()}
    names, attributes, imported = _names_in(function.__code__, function.__module__)
    known |= {name: v for name, v in function.__globals__.items() if name in names}
    known |= {name: sys.modules[name] for name in imported if sys.modules.get(name) is not None}
    yield "defaults", (function.__defaults__, function.__kwdefaults__)
    yield "wrapped", getattr(function, "__wrapped__", None)
    for name, value in known.items():
        yield name, value
        if isinstance(value, ModuleType):
            yield from _attributes(name, value, attributes, {id(value)})


def _attributes(name, module, attributes, seen):
    """Yield (name, value) of what code may read of a user's module, and of those in it."""
    if not is_of_the_user(module.__name__):
        return
    for attribute in sorted(attributes & set(vars(module))):
        value = vars(module)[attribute]
        yield f"{name}.{attribute}", value
        if isinstance(value, ModuleType) and id(value) not in seen:
            yield from _attributes(f"{name}.{attribute}", value, attributes, {*seen, id(value)})


def _names_in(code, module):
    """Return the names of globals, of attributes and of modules in code and what it defines.

    Among the attributes are all texts: one may be given to ``getattr``.
    """
    by_name = ("LOAD_GLOBAL", "LOAD_NAME")
    names = {step.argval for step in dis.get_instructions(code) if step.opname in by_name}
    attributes = {*code.co_names, *(one for one in code.co_consts if isinstance(one, str))}
    imported = imported_by(code, module)
    for inner in code.co_consts:
        if isinstance(inner, CodeType):
            more = _names_in(inner, module)
            names, attributes, imported = (
                one | other for one, other in zip((names, attributes, imported), more)
            )
    return names, attributes, imported


def plain_code(value):
    """Return what a function, a code object or a plain value is; None of anything else."""
    if isinstance(value, PLAIN):
        return repr(value)
    if isinstance(value, (tuple, list)):
        return [plain_code(part) for part in value]
    if isinstance(value, (set, frozenset)):
        return sorted(map(repr, map(plain_code, value)))
    if isinstance(value, CodeType):
        return value.co_code, value.co_names, value.co_varnames, plain_code(value.co_consts)
    if isinstance(value, property):
        return plain_code(value.fget)
    value = getattr(value, "__func__", value)  # of methods, of the class and static
    if not isinstance(value, FunctionType):
        return None
    cells = [c.cell_contents for c in value.__closure__ or () if c != CellType()]
    return plain_code(value.__code__), plain_code(value.__defaults__), plain_code(cells)


@cache
def _source(module):
    """Return the version of a module's package and, of this library, a hash of all its sources.

    An attack is more than the module that it stands in. Modules of the user's are read anew each
    time, as `notes_on_sources` does.
    """
    package = package_of(module)
    version = getattr(sys.modules.get(package), "__version__", None)
    file = getattr(sys.modules.get(module), "__file__", None) or ""
    files = [Path(file)] if file.endswith(".py") and os.path.isfile(file) else []
    if is_of_the_user(module):
        files = []
    if package == package_of(__name__):
        files = sorted(Path(__file__).parent.rglob("*.py"))
    return str(version), joblib.hash([one.read_bytes() for one in files])
