"""Models from files: the one reader of audit and protect."""

import sys
from contextlib import contextmanager
from importlib.abc import MetaPathFinder
from pathlib import Path

import joblib

from sklearn_aeppt import attacks, defenses

#: Types that skops asks about and that models of ours and of scikit-learn hold. None runs code of
#: the file; a crafted tree could crash the process or read beside its arrays, no more.
KNOWN_TYPES = {
    "sklearn.tree._tree.Tree",
    "sklearn.utils._bunch.Bunch",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "sklearn_aeppt._precomputed.PrecomputedClassifier",
    "sklearn_aeppt._record_field.RecordField",
    "sklearn_aeppt._record_numbers.RecordReader",
    "sklearn_aeppt.defenses._record_grid.RecordGrid",
    "sklearn_aeppt.defenses._stacking.OnLabels",
    "sklearn_aeppt.networks.NetworkClassifier",
    # by name: importing them all would import torch
    *(
        f"{package.__name__}.{module}.{name}"
        for package in (attacks, defenses)
        for name, module in package.MODULES.items()
        if name[0].isupper()
    ),
}


def load_model(path, *, trust=False):
    """Return the model in a file.

    Parameters
    ----------
    path : path-like
        ``.skops``, or pickle and joblib files of any other ending.
    trust : bool, default=False
        Loading a pickle runs whatever code its maker put into it, so that these, and skops files
        with types that are neither scikit-learn's nor ours, are loaded on request only.

    Raises
    ------
    ValueError
        If the file would need trust.
    """
    path = Path(path)
    if not path.is_file():
        raise ValueError(f"{path}: no such file; give the model's file with --model.")
    if path.suffix.lower() != ".skops":
        if not trust:
            raise ValueError(
                f"{path} is not a .skops file, and loading pickle or joblib files executes any "
                "code in them: save the model with skops, or add --trust if you trust its source."
            )
        with clear_errors(path):
            return joblib.load(path)
    skops_io = import_skops()
    with clear_errors(path):
        unknown = skops_io.get_untrusted_types(file=path)
    foreign = sorted(set(unknown) - KNOWN_TYPES)
    if foreign and not trust:
        raise ValueError(
            f"{path} holds types that could run code, {', '.join(foreign[:3])}: add --trust if "
            "you trust its source."
        )
    with clear_errors(path):
        return skops_io.load(path, trusted=unknown)


def import_skops():
    """Return ``skops.io``; importing it does not import torch where nothing has done so yet.

    skops looks through every module of scikit-learn, one of which imports torch where it is
    installed: seconds and hundreds of megabytes that a model without a network does not need.
    """
    hidden = _NoTorch() if "torch" not in sys.modules else None
    if hidden is not None:
        sys.meta_path.insert(0, hidden)
    try:
        import skops.io
    finally:
        if hidden is not None:
            sys.meta_path.remove(hidden)
    return skops.io


class _NoTorch(MetaPathFinder):
    """Answers an import of torch, where it is not loaded yet, as if it were not installed."""

    def find_spec(self, fullname, path=None, target=None):
        if fullname == "torch":
            raise ModuleNotFoundError(f"No module named {fullname!r}", name=fullname)


@contextmanager
def clear_errors(path):
    """Turn whatever loading a damaged or changed model raises into one error that names it."""
    try:
        yield
    except (OSError, ImportError):  # the disk's, and what is not installed
        raise
    except Exception as error:  # a changed tree of objects fails in any way
        reason = " ".join(str(error).split())[:300] or type(error).__name__
        raise ValueError(
            f"{path} cannot be loaded: it is damaged or was modified ({reason}). Save the "
            "model again."
        ) from error
