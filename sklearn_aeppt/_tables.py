"""Records and class labels from files: the one reader of demo, audit and protect."""

import lzma
import zipfile
import zlib
from pathlib import Path

import numpy as np

from sklearn_aeppt._class_columns import class_prefix, in_class_order, some
from sklearn_aeppt._precomputed import takes_confidences
from sklearn_aeppt._saving import read_records

COMPRESSED = (".gz", ".bz2", ".xz", ".zip", ".zst")
SEPARATORS = {".csv": ",", ".tsv": "\t"}
KINDS = ".csv, .tsv (compressed too, as .csv.gz), .parquet or .npz"


def load_records(path, target=None):
    """Return (X, y) of a file: a frame of text or Parquet, or arrays ``X`` and ``y`` of an .npz.

    Parameters
    ----------
    path : path-like
    target : str or None
        Column of the class labels; None takes the last one.

    Raises
    ------
    ValueError
        If the file is not there, of an unknown kind, not UTF-8, or lacks records or labels.
    """
    path = Path(path)
    if not path.is_file():
        raise ValueError(f"{path}: no such file; give a {KINDS} file.")
    endings = [suffix.lower() for suffix in path.suffixes]
    is_compressed = endings[-1:] and endings[-1] in COMPRESSED
    kind = "".join(endings[-2:-1] if is_compressed else endings[-1:])
    if kind == ".npz":
        arrays = read_records(path)
        X, y = arrays["X"], arrays["y"]
    elif kind in SEPARATORS or (kind == ".parquet" and not is_compressed):
        X, y = _read_frame(path, SEPARATORS.get(kind), target)
    else:
        raise ValueError(f"{path}: unknown kind of file; give {KINDS}.")
    if X.ndim == 0 or y.ndim != 1 or not all(map(np.isscalar, y.tolist())):
        raise ValueError(
            f"{path} has records of shape {X.shape} and labels of shape {y.shape}: give rows of "
            "records, and a label (text or number) for each."
        )
    if not len(y):
        raise ValueError(f"{path} holds no records.")
    import pandas as pd

    missing = np.flatnonzero(pd.isna(y))
    if len(missing):
        raise ValueError(
            f"{path} has no class label in {len(missing)} record(s), the first of them number "
            f"{missing[0]} (from 0): complete them, or leave these records out."
        )
    return X, y


def _read_frame(path, separator, target):
    import pandas as pd

    try:
        table = pd.read_parquet(path) if separator is None else read_text(path, separator)
    except (EOFError, OSError, ValueError, zlib.error, lzma.LZMAError, zipfile.BadZipFile) as error:
        raise ValueError(
            f"{path} is damaged or not the kind of file that its name says: {error}"
        ) from error
    if table.shape[1] < 2:
        between = {",": " separated by commas", "\t": " separated by tabs"}.get(separator, "")
        raise ValueError(
            f"{path} has one column only, {some(table.columns)!r}: give columns{between}, one of "
            "them with the class labels."
        )
    target = table.columns[-1] if target is None else target
    if target not in table:
        raise ValueError(
            f"{path} has no column {target!r}: it has {some(table.columns)}. "
            "Name the column of the class labels with --target."
        )
    words = [i for i, kind in enumerate(table.dtypes) if kind.kind not in "biuf"]
    if words and separator is not None:
        # among words, "NA" is one, such as a country; only an empty cell is missing
        as_words = read_text(path, separator, keep_default_na=False, na_values=[""])
        for i in words:
            table.isetitem(i, as_words.iloc[:, i])
    return table.drop(columns=target), table[target].to_numpy()


def read_text(path, separator=",", **options):
    """Return a table of text as a frame; UTF-8, whatever this machine's language is set to."""
    import pandas as pd

    try:
        return pd.read_csv(path, sep=separator, encoding="utf-8", **options)
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is not UTF-8 ({error.reason}): save it as UTF-8.") from error


def match_columns(X_mem, X_non, names=None):
    """Return both tables with the same columns in the same order: `names`, or those of the first.

    Raises
    ------
    ValueError
        If columns are missing, or are there that none should be.
    """
    frames = [hasattr(X, "iloc") for X in (X_mem, X_non)]
    if not all(frames):
        if any(frames):
            raise ValueError("--members and --non-members: give two files of the same kind.")
        return X_mem, X_non
    order = list(X_mem.columns) if names is None else list(names)
    source = "--members" if names is None else "the model"
    for option, X in (("--members", X_mem), ("--non-members", X_non)):
        missing = [name for name in order if name not in X]
        more = [name for name in X if name not in order]
        if missing:
            raise ValueError(
                f"{option} lacks the column(s) {some(missing)} of {source}; it has "
                f"{some(X.columns)}: give the columns that the model was trained on, and name the "
                "labels with --target."
            )
        if more:
            raise ValueError(
                f"{option} has the column(s) {some(more)}, which {source} does not know"
                f"{_index_hint(more)}: leave them out, or name the labels with --target."
            )
    _check_kinds(X_mem[order], X_non[order])
    return X_mem[order], X_non[order]


def _check_kinds(X_mem, X_non):
    """Refuse a column that holds numbers in one table and something else in the other."""
    sides = {"--members": X_mem, "--non-members": X_non}
    for name in X_mem:
        numeric = [X[name].dtype.kind in "iuf" and X[name].notna().any() for X in sides.values()]
        for option, other in zip(sides, reversed(numeric)):
            if other:
                _check_numbers(sides[option][[name]], option)


def _check_numbers(X, option):
    """Refuse what is no number in a frame, by its row and column; a missing value may be one."""
    import pandas as pd

    for name in X:
        words = X[name].notna() & pd.to_numeric(X[name], errors="coerce").isna()
        if words.any():
            row = int(np.flatnonzero(words)[0])
            raise ValueError(
                f"{option} holds {X[name].iloc[row]!r} in the column {name!r} of record number "
                f"{row} (from 0), where numbers are expected: correct the file."
            )


def as_confidences(X_mem, X_non, classes):
    """Return tables as arrays of confidences, in the order of the classes where they have names."""
    arrays = []
    for option, X in (("--members", X_mem), ("--non-members", X_non)):
        if hasattr(X, "iloc"):
            _check_numbers(X, option)
            rows, columns = np.nonzero(X.isna().to_numpy())
            if len(rows):
                raise ValueError(
                    f"{option} has no confidence in the column {X.columns[columns[0]]!r} of record "
                    f"number {rows[0]} (from 0): complete it, or leave the record out."
                )
        arrays.append(in_class_order(X, classes, option).astype(np.float64))
    return arrays


def prepare_records(model, X_mem, X_non, options=("--members", "--non-members")):
    """Return the tables as the model takes them: by the names it knows, or as arrays, or as texts.

    A model that knows no names is given an array, or the table where it takes no array; one column
    of text is given to it as a list of texts.
    """
    names = known_names(model)
    if names is None and takes_confidences(model):
        X_mem, X_non = match_columns(X_mem, X_non)
        return as_confidences(X_mem, X_non, model.classes_)
    sides = match_columns(X_mem, X_non, names)
    expected = getattr(model, "n_features_in_", None) or None  # a saved CatBoost model says 0
    for option, X in zip(options, sides):
        n = X.shape[1] if getattr(X, "ndim", 1) > 1 else expected
        if expected is not None and n != expected:
            named = X_mem.columns if hasattr(X_mem, "iloc") else []
            raise ValueError(
                f"{option}: the records have {n} feature(s) and the model was fitted on "
                f"{expected}{_index_hint(named)}: give the columns that it was trained on, and "
                "name the labels with --target."
            )
    if names is None and all(hasattr(X, "iloc") for X in sides):
        return _without_names(model, *sides)
    return sides


def known_names(model):
    """Return the names of the columns that a model was fitted on; None where it knows none."""
    names = getattr(model, "feature_names_in_", None)
    if names is None:  # CatBoost calls them otherwise, and counts columns without names
        names = getattr(model, "feature_names_", None)
        if names is not None and list(names) == list(map(str, range(len(names)))):
            return None
    return names


def _without_names(model, *sides):
    """Return the sides in the first form of which the model takes a record."""
    forms = [lambda X: X.to_numpy(), lambda X: X]
    if all(X.shape[1] == 1 and X.dtypes.iloc[0].kind not in "biuf" for X in sides):
        forms.insert(0, lambda X: X.iloc[:, 0].tolist())
    errors = []
    for form in forms:
        try:
            model.predict_proba(form(sides[0][:1]))
        except Exception as error:  # whatever a model raises of what it does not know
            errors.append(error)
        else:
            return [form(X) for X in sides]
    raise ValueError(
        f"The model takes the records of --members neither as an array nor as a table "
        f"({type(errors[-1]).__name__}: {errors[-1]}): give the columns that it was trained on, "
        "and name the labels with --target."
    ) from errors[-1]


def name_classes(columns, *labels):
    """Return the class label that each column of confidences stands for.

    A column is named after its class, with a prefix that all of them share or without one, as in
    ``proba_0, proba_1``.

    Raises
    ------
    ValueError
        If a label has no column, or a column that is no label cannot be read as one.
    """
    known = np.unique(np.concatenate([np.asarray(side, dtype=str) for side in labels]))
    values = {str(value): value for side in labels for value in side}
    names = [str(column) for column in columns]
    prefix = class_prefix(names, known.tolist())
    if prefix is None:
        lacking = sorted(set(known) - set(names))
        raise ValueError(
            f"The columns {some(columns)} hold no confidences for the class(es) "
            f"{some(lacking)}: name each column after its class, exactly as in the labels, with "
            "one prefix before all or none, and name the column of the labels with --target."
        )
    names = [name.removeprefix(prefix) for name in names]
    kind = type(next(iter(values.values())))
    classes = []
    for column, name in zip(columns, names):
        if name not in values and not issubclass(kind, str):
            try:
                values[name] = _read_as(kind, name)
            except ValueError:
                hint = _index_hint([column])
                raise ValueError(
                    f"The column {column!r} is not named after a class{hint}; the labels are "
                    f"{some(known)}: leave it out, or name the labels with --target."
                ) from None
        elif name not in values and _index_hint([column]):
            raise ValueError(
                f"The column {column!r} is not named after a class{_index_hint([column])}: leave "
                "it out."
            )
        classes.append(values.get(name, name))
    return classes


def _read_as(kind, text):
    """Return a label of a type out of its text."""
    if issubclass(kind, (bool, np.bool_)):  # bool("False") is true
        if text not in ("False", "True"):
            raise ValueError(f"{text!r} is neither False nor True.")
        return kind(text == "True")
    return kind(text)


def _index_hint(columns):
    """Return what to say of columns that look like an index that pandas wrote."""
    unnamed = [c for c in columns if str(c).startswith(("Unnamed: ", "__index_level_"))]
    if not unnamed:
        return ""
    return f" ({unnamed[0]!r} looks like the index of a frame: save it with index=False)"
