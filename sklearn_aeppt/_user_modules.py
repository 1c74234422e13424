"""Modules of the user's own that code may reach: their sources, by all that they import."""

import dis
import hashlib
import os
import sys
import sysconfig
from functools import cache, lru_cache
from importlib import metadata
from pathlib import Path
from types import CodeType, FunctionType, ModuleType

#: Packages whose objects are values: they hold no code of anybody else.
VALUES = {"builtins", "numpy", "scipy", "pandas", "polars", "torch", "joblib", "datetime"}
#: Where installed code is: its version counts, and not what its functions read.
INSTALLED = tuple({sysconfig.get_path(name) for name in ("stdlib", "purelib", "platlib")})
IMPORTERS = {"import_module", "__import__"}


def package_of(module):
    """Return the top-level package of a module's name."""
    return (module or "builtins").partition(".")[0]


def is_of_the_user(module):
    """Return whether a module is neither installed nor part of this library."""
    ours = package_of(__name__)
    if package_of(module) in {*VALUES, *sys.stdlib_module_names, ours} - {"__main__"}:
        return False
    file = _file_of(module) or ""
    # of the user's site and of Debian, too
    is_installed = {"site-packages", "dist-packages"} & set(Path(file).parts)
    return not file.startswith(INSTALLED) and not is_installed


def notes_on_sources(modules):
    """Return texts that tell apart the sources of modules and of all that these import.

    An import counts wherever it stands, inside of a function too, and whether it has been run or
    not. A function that was loaded from another source than the file now holds is noted beside it.

    Parameters
    ----------
    modules : iterable of str
        Names of modules; of those that are installed, the version is noted.

    Raises
    ------
    ValueError
        If a module outside of any package imports others by names made at run time.
    """
    notes, waiting, seen = {sys.version}, list(modules), set()
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        if not is_of_the_user(name):
            if package_of(name) not in sys.stdlib_module_names:
                notes.add(f"{package_of(name)} {_version(package_of(name))}")
            continue
        file, module = _file_of(name), sys.modules.get(name)
        waiting += _parents(name)
        if file is None or not os.path.isfile(file):
            continue  # a notebook: what is read there by name is found by the code that reads it
        state = os.stat(file)
        digest, codes, imports = _read(file, state.st_mtime_ns, state.st_size, state.st_ino)
        notes.add(f"{name} {digest}")
        for one in imports:
            waiting += _resolved(one, name)
        if module is not None:
            notes |= _loaded_otherwise(module, codes)
            waiting += _held_by(module)
    return notes


def imported_by(code, module):
    """Return the names of modules that code imports itself, those of what it defines aside."""
    return _resolved(_imports_in(code), module)


def _imports_in(code):
    """Return (names after import, names imported from there, names given to an importer)."""
    steps = list(dis.get_instructions(code))
    named = {step.argval for step in steps if step.opname == "IMPORT_NAME"}
    parts = {step.argval for step in steps if step.opname == "IMPORT_FROM"}
    at_run_time = IMPORTERS & set(code.co_names)
    given = {text.strip(".") for text in _texts(code.co_consts)} if at_run_time else None
    return named, parts, given


def _resolved(imports, module):
    """Return the names of the modules that there are of what `_imports_in` found in a module.

    What may be relative is looked up at every level: rather one module too many than one too few.
    """
    named, parts, given = imports
    found = set()
    for name in named | (given or set()):
        for level in ("", *_packages_around(module)):
            full = ".".join(filter(None, (level, name)))
            for one in (full, *(f"{full}.{part}" for part in parts if name in named)):
                if all(map(str.isidentifier, one.split("."))) and _exists(one):
                    found.add(one)
    return found if given is None else found | _all_beside(module, found)


def _all_beside(module, found):
    """Return all modules of the package that `module` is in: a name made at run time is any."""
    packages = _packages_around(module)
    if not packages and not found:
        raise ValueError(
            f"{module} imports a module whose name is made at run time, and whose code is not known"
        )
    names = set()
    for package in {*packages[-1:], *(one for one in found if is_of_the_user(one))}:
        for root in _search_path(package) or ():
            for file in Path(root).rglob("*.py"):
                parts = file.relative_to(root).with_suffix("").parts
                names.add(".".join((package, *parts)).removesuffix(".__init__"))
    return names


def _texts(constants):
    """Yield the texts among constants and in tuples among these."""
    for value in constants:
        if isinstance(value, str):
            yield value
        elif isinstance(value, (tuple, frozenset)):
            yield from _texts(value)


def _parents(name):
    parts = name.split(".")
    return [".".join(parts[:i]) for i in range(1, len(parts))]


def _packages_around(name):
    """Return the packages that a module is in, the innermost first; a package is in itself."""
    is_package = Path(_file_of(name) or "").name == "__init__.py"
    return [*([name] if is_package else []), *reversed(_parents(name))]


def _exists(name):
    return name in sys.modules or _find(name) is not None


def _file_of(name):
    """Return the file of a module, loaded or not; None where it has none."""
    if name in sys.modules:
        return getattr(sys.modules[name], "__file__", None)
    spec = _find(name)
    return spec.origin if spec is not None and spec.has_location else None


def _find(name):
    """Return the spec of a module that is not loaded, or None; nothing is imported to find it."""
    parent = name.rpartition(".")[0]
    path = _search_path(parent) if parent else None
    if parent and path is None:
        return None
    finders = (getattr(finder, "find_spec", None) for finder in sys.meta_path)
    specs = (find(name, path) for find in finders if find is not None)
    return next((spec for spec in specs if spec is not None), None)


def _search_path(package):
    """Return where the modules in a package are; None of what is no package."""
    if package in sys.modules:
        return getattr(sys.modules[package], "__path__", None)
    spec = _find(package)
    return None if spec is None else spec.submodule_search_locations


@lru_cache(maxsize=4096)
def _read(file, *state):
    """Return a hash of a file and, of Python, the code objects in it with what they import."""
    content = Path(file).read_bytes()
    codes = set()
    waiting = [compile(content, file, "exec", dont_inherit=True)] if file.endswith(".py") else []
    while waiting:
        code = waiting.pop()
        codes.add(code)
        waiting += [inner for inner in code.co_consts if isinstance(inner, CodeType)]
    imports = [_imports_in(code) for code in codes]
    return hashlib.sha256(content).hexdigest(), codes, [one for one in imports if any(one)]


def _loaded_otherwise(module, codes):
    """Return notes on a module's functions that are not those of its file: it was changed since."""
    from sklearn_aeppt._code_of import plain_code

    own = [v for v in vars(module).values() if getattr(v, "__module__", None) == module.__name__]
    own += [part for one in own if isinstance(one, type) for part in vars(one).values()]
    own = [getattr(one, "fget", getattr(one, "__func__", one)) for one in own]
    return {
        f"{module.__name__} runs {plain_code(one.__code__)!r}"
        for one in own
        if isinstance(one, FunctionType) and one.__code__ not in codes
    }


def _held_by(module):
    """Yield the names of modules that a loaded one holds, or holds a function or a class of."""
    for value in list(vars(module).values()):
        if isinstance(value, ModuleType):
            yield value.__name__
        elif isinstance(value, (FunctionType, type)):
            yield value.__module__ or "builtins"


@cache
def _distributions():
    return metadata.packages_distributions()


@cache
def _version(package):
    """Return the versions of what an installed package came with, loaded or not."""
    return sorted(metadata.version(one) for one in {*_distributions().get(package, ())})
