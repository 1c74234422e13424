"""Results kept on a disk: private, nothing in clear text, never of another version of the code."""

import os
import warnings
from functools import partial
from pathlib import Path

import joblib
import numpy as np
import sklearn
from sklearn.utils.validation import check_memory

from sklearn_aeppt._code_of import code_of
from sklearn_aeppt._saving import private_folder
from sklearn_aeppt._version import __version__


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
