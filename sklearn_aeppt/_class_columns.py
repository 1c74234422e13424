"""Confidences in named columns: which column is which class."""

import numpy as np

from sklearn_aeppt._containers import as_array, as_pandas, check_unmasked, column_names


def class_prefix(names, labels):
    """Return what stands before every class label in the names of columns, or None.

    Of columns named ``proba_cat, proba_dog``, that is ``proba_``; of ``cat, dog``, nothing. All
    columns must begin with it, and no label may be without a column.

    Parameters
    ----------
    names, labels : list of str
    """
    first = max(labels, key=len)
    found = {name.removesuffix(first) for name in names if name.endswith(first)}
    for prefix in sorted(found, key=len):
        # a number may not lose its sign or its first digits: 11 is not class 1
        parted = not (prefix[-1:] + first[:1]).isdigit() and any(map(str.isalpha, prefix))
        if not (prefix == "" or parted) or not all(name.startswith(prefix) for name in names):
            continue
        if {prefix + label for label in labels} <= set(names):
            return prefix
    return None


def in_class_order(proba, classes, source):
    """Return confidences as an array, one column for each class, in the order of `classes`.

    Columns with names are taken by name, as `class_prefix` reads them; those of an array, or of a
    frame that numbers its columns, are in order.

    Parameters
    ----------
    proba : table
    classes : ndarray of shape (K,)
    source : str
        What messages call the confidences.

    Raises
    ------
    ValueError
        If names of columns are not those of the classes.
    """
    check_unmasked(proba, source)
    columns = column_names(proba)
    if not len(columns):
        return _as_table(proba, source)
    values = np.asarray(as_pandas(proba))
    names, labels = [str(name) for name in columns], [str(label) for label in classes]
    numbered = columns == list(range(len(classes)))
    if numbered and type(getattr(proba, "columns", None)).__name__ == "RangeIndex":
        return values  # names that nobody gave
    if numbered and names != labels and set(names) == set(labels):
        raise ValueError(
            f"{source} has columns named {some(names)}, and classes_ are {some(labels)}: the names "
            "may be the classes, or count the columns; give an array with the columns in the order "
            "of classes_."
        )
    prefix = class_prefix(names, labels)
    if prefix is not None and len(names) == len(labels):
        return values[:, [names.index(prefix + label) for label in labels]]
    if numbered:
        return values
    raise ValueError(
        f"{source} has columns named {some(names)}, and the classes are {some(labels)}: name each "
        "column after its class, with one prefix before all or none, or give an array with the "
        "columns in the order of classes_."
    )


def _as_table(proba, source):
    try:
        return as_array(proba)
    except ValueError:  # whose message would hold some of it
        raise ValueError(
            f"{source} has rows of unequal length: give one row for each record, with one column "
            "for each class."
        ) from None


def some(names):
    """Return the first few names as text."""
    names = list(map(str, names))
    return ", ".join(names[:5]) + ", ..." * (len(names) > 5)
