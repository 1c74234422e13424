"""Records and class labels from files: the one reader of demo, audit and protect."""

import lzma
import zipfile
import zlib
from pathlib import Path

import numpy as np

from sklearn_aeppt._class_columns import class_prefix, in_class_order, some
from sklearn_aeppt._members import check_names, find_labels
from sklearn_aeppt._precomputed import takes_confidences
from sklearn_aeppt._saving import read_records
from sklearn_aeppt._text_tables import find_codes, read_table, with_text
from sklearn_aeppt._unchanged import run_on

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
    return load_sides({"": path}, target)[0][0]


def load_sides(files, target=None):
    """Return what `load_records` does of several files, and the columns that hold codes.

    A column that holds a code in one of the files is text in all of them.

    Parameters
    ----------
    files : dict
        Option of the command line -> path.
    target : str or None

    Returns
    -------
    sides : list of (X, y)
    codes : dict
        Name of each column that is text because of a code -> the first such cell, such as "007".
    """
    names = [f"{option} {path}".strip() for option, path in files.items()]
    paths = [Path(path) for path in files.values()]
    kinds = [_kind_of(*pair) for pair in zip(paths, names)]
    tables = [_read(*one, target) for one in zip(paths, names, kinds)]
    codes: dict = {}
    for path, kind, table in zip(paths, kinds, tables):
        if kind in SEPARATORS:
            codes = {**find_codes(path, SEPARATORS[kind], table), **codes}
    sides = []
    for path, name, kind, table in zip(paths, names, kinds, tables):
        if hasattr(table, "iloc"):
            table = _with_codes(path, name, kind, table, codes)
            column = table.columns[-1] if target is None else target
            X, y = table.drop(columns=column), table[column].to_numpy()
        else:
            X, y = table
        _check_records(X, y, name)
        sides.append((X, y))
    return sides, dict(sorted(codes.items()))


def _kind_of(path, name):
    """Return the ending that says what a file is; refuse what is none that can be read."""
    if path.is_dir():
        raise ValueError(f"{name} is a folder: give a {KINDS} file.")
    if not path.is_file():
        raise ValueError(f"{name}: no such file; give a {KINDS} file.")
    if not path.stat().st_size:
        raise ValueError(f"{name} is empty: give a {KINDS} file with records.")
    endings = [suffix.lower() for suffix in path.suffixes]
    is_compressed = bool(endings) and endings[-1] in COMPRESSED
    kind = "".join(endings[-2:-1] if is_compressed else endings[-1:])
    if kind not in (*SEPARATORS, ".npz", ".parquet") or (is_compressed and kind == ".parquet"):
        raise ValueError(f"{name}: unknown kind of file; give {KINDS}.")
    return kind


def _read(path, name, kind, target):
    """Return the frame of a file, or the two arrays of an .npz."""
    if kind == ".npz":
        arrays = read_records(path)
        return arrays["X"], arrays["y"]
    separator = SEPARATORS.get(kind)
    try:
        table = _read_parquet(path) if separator is None else read_table(path, separator)
    except (EOFError, OSError, ValueError, zlib.error, lzma.LZMAError, zipfile.BadZipFile) as error:
        if str(error).startswith(str(path)):  # it says what is wrong
            raise ValueError(f"{name}{str(error).removeprefix(str(path))}") from error
        raise ValueError(
            f"{name} is damaged or not the kind of file that its name says: {error}"
        ) from error
    if table.shape[1] < 2:
        between = {",": " separated by commas", "\t": " separated by tabs"}.get(separator or "", "")
        raise ValueError(
            f"{name} has one column only, {some(table.columns)!r}: give columns{between}, one of "
            "them with the class labels."
        )
    if target is not None and target not in table:
        raise ValueError(
            f"{name} has no column {target!r}: it has {some(table.columns)}. "
            "Name the column of the class labels with --target."
        )
    return table


def _read_parquet(path):
    import pandas as pd
    from pyarrow.parquet import read_schema

    check_names(read_schema(path).names, path)
    return pd.read_parquet(path)


def _with_codes(path, name, kind, table, codes):
    """Return a table of text in which the columns of codes are text."""
    if kind in SEPARATORS:
        return with_text(path, SEPARATORS[kind], table, codes)
    for column in codes:
        if column in table and table[column].dtype.kind in "iuf":
            raise ValueError(
                f"{name} holds numbers in the column {column!r}, and another file codes such as "
                f"{codes[column]!r}: save the column alike in both."
            )
    return table


def _check_records(X, y, name):
    import pandas as pd

    missing = np.flatnonzero(pd.isna(y)) if y.ndim == 1 else np.empty(0)
    if len(missing):
        raise ValueError(
            f"{name} has no class label in {len(missing)} record(s), the first of them number "
            f"{missing[0]} (from 0): complete them, or leave these records out."
        )
    if X.ndim == 0 or y.ndim != 1 or not all(map(np.isscalar, y.tolist())):
        raise ValueError(
            f"{name} has records of shape {X.shape} and labels of shape {y.shape}: give rows of "
            "records, and a label (text or number) for each."
        )
    if not len(y):
        raise ValueError(f"{name} holds no records.")


def match_columns(tables, names=None, source="the model"):
    """Return tables with the same columns in the same order: `names`, or those of the first.

    Parameters
    ----------
    tables : dict
        Option of the command line -> records.
    names : sequence of str or None
    source : str
        Where the names come from.

    Raises
    ------
    ValueError
        If columns are missing, or are there that none should be.
    """
    frames = [hasattr(X, "iloc") for X in tables.values()]
    if not all(frames):
        if any(frames):
            raise ValueError(f"{' and '.join(tables)}: give files of the same kind.")
        return tables
    first = next(iter(tables))
    order = list(tables[first].columns) if names is None else list(names)
    source = first if names is None else source
    for option, X in tables.items():
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
    tables = {option: X[order] for option, X in tables.items()}
    _check_kinds(tables)
    return tables


def _check_kinds(tables):
    """Refuse a column that holds numbers in one table and something else in another."""
    for name in next(iter(tables.values())):
        numeric = [X[name].dtype.kind in "iuf" and X[name].notna().any() for X in tables.values()]
        if any(numeric):
            for option, X in tables.items():
                _check_numbers(X[[name]], option)


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


def as_confidences(tables, classes):
    """Return tables as arrays of confidences, in the order of the classes where they have names."""
    arrays = []
    for option, X in tables.items():
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


def check_zeros(columns, classes, sides, labels):
    """Refuse a column of zeros that no label names: it may be no class, and would count as one."""
    known = set(np.concatenate([np.asarray(y, dtype=object) for y in labels]).tolist())
    for i, (column, label) in enumerate(zip(columns, classes.tolist())):
        if label not in known and not any(X[:, i].any() for X in sides):
            raise ValueError(
                f"The column {column!r} is zero in every record, and no label is {label!r}: leave "
                "it out. No attack tells anything by it, and it may be no class."
            )


def check_known(model, y, name, hint):
    """Refuse labels of which the model knows none: mostly, they are of another type."""
    classes = np.asarray(model.classes_)
    if classes.ndim == 1 and len(classes) and (find_labels(classes, y) < 0).all():
        raise ValueError(
            f"{name} holds labels such as {_few(y)}, of which the model knows none; it knows "
            f"{classes[:5].tolist()}: give labels from its classes_, of the same type. {hint}"
        )


def _few(y):
    """Return the first few different labels as a list."""
    return np.unique(np.asarray(y))[:5].tolist()


def about_reading(path, codes):
    """Return what to say of the types that a file's columns were read as."""
    if not {suffix.lower() for suffix in Path(path).suffixes} & set(SEPARATORS):
        return "The file says itself what type a column has."
    read = ", ".join(f"{name} (for {cell!r})" for name, cell in codes.items())
    read = f"; as such these columns were read as text: {read}" if codes else ""
    return (
        "In a text file, what looks like numbers is read as numbers, unless a cell of the column "
        f"begins with a zero as 007 does, or is too long for a number{read}. A Parquet file keeps "
        "types."
    )


def prepare_records(model, tables, like=None):
    """Return tables as the model takes them: by the names it knows, or as arrays, or as texts.

    A model that knows no names is given an array, or the table where it takes no array; one column
    of text is given to it as a list of texts. The columns of all tables are those of the first.

    Parameters
    ----------
    model : fitted classifier
    tables : dict
        Option of the command line -> records.
    like : sequence of str or None
        The columns in order, where the model knows no names; None takes those of the first table.
    """
    names = known_names(model)
    if names is None and takes_confidences(model):
        return as_confidences(match_columns(tables), model.classes_)
    tables = match_columns(tables, names)
    expected = getattr(model, "n_features_in_", None) or None  # a saved CatBoost model says 0
    for option, X in tables.items():
        n = X.shape[1] if getattr(X, "ndim", 1) > 1 else expected
        named = list(X.columns) if hasattr(X, "iloc") else []
        if expected is not None and n != expected:
            raise ValueError(
                f"{option}: the records have {n} feature(s) and the model was fitted on "
                f"{expected}{_index_hint(named)}: give the columns that it was trained on, and "
                "name the labels with --target."
            )
        if names is None and expected is None and _index_hint(named):
            raise ValueError(
                f"{option} has a column without a name{_index_hint(named)}: leave it out, or give "
                "it a name."
            )
    if names is None and like is not None:
        tables = match_columns(tables, like, "--members")
    sides = list(tables.values())
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
            run_on(model, "predict_proba", form(sides[0][:1].copy()))
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
