"""Models and records from files: the one reader of demo, audit and protect."""

import sys
from contextlib import contextmanager
from importlib.abc import MetaPathFinder
from pathlib import Path

import joblib

from sklearn_aeppt import attacks, defenses
from sklearn_aeppt._saving import read_records

#: Types that skops asks about and that models of ours and of scikit-learn hold. None runs code of
#: the file; a crafted tree could crash the process or read beside its arrays, no more.
KNOWN_TYPES = {
    "sklearn.tree._tree.Tree",
    "sklearn.utils._bunch.Bunch",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "sklearn_aeppt._record_field.RecordField",
    "sklearn_aeppt._record_numbers.RecordReader",
    "sklearn_aeppt.defenses._record_grid.RecordGrid",
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
    if path.suffix != ".skops":
        if not trust:
            raise ValueError(
                f"{path} is no .skops file, and loading pickle or joblib files runs code that is "
                "in them: save the model with skops, or add --trust if you know who made it."
            )
        with clear_errors(path):
            return joblib.load(path)
    skops_io = import_skops()
    with clear_errors(path):
        unknown = skops_io.get_untrusted_types(file=path)
    foreign = sorted(set(unknown) - KNOWN_TYPES)
    if foreign and not trust:
        raise ValueError(
            f"{path} holds types that could run code, {', '.join(foreign[:3])}: add --trust if you "
            "know who made it."
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
            f"{path} cannot be loaded, it is damaged or was changed ({reason}): save the model "
            "again."
        ) from error


def load_records(path, target=None):
    """Return (X, y) of a table: .csv, .parquet (frames) or .npz (arrays ``X`` and ``y``)."""
    path = Path(path)
    if not path.is_file():
        raise ValueError(f"{path}: no such file; give a .csv, .parquet or .npz file.")
    if path.suffix == ".npz":
        arrays = read_records(path)
        return arrays["X"], arrays["y"]
    if path.suffix not in (".csv", ".parquet"):
        raise ValueError(f"{path}: unknown kind of file; give .csv, .parquet or .npz.")
    import pandas as pd

    table = read_csv(path) if path.suffix == ".csv" else pd.read_parquet(path)
    target = table.columns[-1] if target is None else target
    if target not in table:
        known = ", ".join(map(str, table.columns[:5]))
        raise ValueError(
            f"{path} has no column {target!r}: it has {known}{', ...' * (table.shape[1] > 5)}. "
            "Name the column of the class labels with --target."
        )
    return table.drop(columns=target), table[target].to_numpy()


def read_csv(path):
    """Return a table of text as a frame; UTF-8, whatever this machine's language is set to."""
    import pandas as pd

    try:
        return pd.read_csv(path, encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is not UTF-8 ({error.reason}): save it as UTF-8.") from error


def prepare_records(model, X):
    """Return a frame as the array that a model fitted on arrays expects; anything else as it is."""
    if hasattr(X, "iloc") and not hasattr(model, "feature_names_in_"):
        X = X.to_numpy()
    expected = getattr(model, "n_features_in_", None)
    if expected is not None and X.shape[1] != expected:
        raise ValueError(
            f"The records have {X.shape[1]} feature(s) and the model was fitted on {expected}: "
            "give the columns that it was trained on, and name the labels with --target."
        )
    return X
