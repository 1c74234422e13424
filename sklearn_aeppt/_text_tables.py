"""Tables of text as frames: without what pandas would do to them in silence.

A code such as 007 is no number, a long identifier is none that a float holds, a name that stands
twice in the header is no other name the second time, and a cell too many in each row is no index.
"""

import numpy as np

from sklearn_aeppt._class_columns import some
from sklearn_aeppt._members import check_names

#: A cell that looks like a number and is a code.
CODE = r"\s*0\d"
#: A whole number so long that a float may round it.
LONG = r"\s*[+-]?\d{16,}\s*"
ROWS_AT_ONCE = 20_000
#: Of pandas: no word is missing, an empty cell is.
ONLY_EMPTY = {"keep_default_na": False, "na_values": [""]}


def read_text(path, separator=",", **options):
    """Return a table of text as a frame; UTF-8, whatever this machine's language is set to."""
    import pandas as pd

    options = {"encoding": "utf-8", "low_memory": False, **options}  # one type a column
    try:
        return pd.read_csv(path, sep=separator, **options)
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is not UTF-8 ({error.reason}): save it as UTF-8.") from error


def read_table(path, separator):
    """Return a table of text with its own names of columns; numbers where all cells are some.

    Raises
    ------
    ValueError
        If names stand twice in the header, or if rows have more cells than it.
    """
    import pandas as pd

    table = read_text(path, separator)
    plain = {"header": None, "nrows": 1, "dtype": str, "keep_default_na": False}
    header = read_text(path, separator, **plain).iloc[0]
    check_names([name for name in header if name], path)
    width = read_text(path, separator, skiprows=1, **plain).shape[1] if len(table) else 0
    # of what is too many, pandas makes an index
    if width > len(header) or not isinstance(table.index, pd.RangeIndex):
        raise ValueError(
            f"{path} has more cells in its rows than names in its header, {some(header)}: "
            "give each column a name, and end no row with a separator."
        )
    words = [i for i, kind in enumerate(table.dtypes) if kind.kind not in "biuf"]
    if words:
        # among words, "NA" is one, such as a country; only an empty cell is missing
        as_words = read_text(path, separator, **ONLY_EMPTY)
        for i in words:
            table.isetitem(i, as_words.iloc[:, i])
    return table


def find_codes(path, separator, table):
    """Return name -> the first such cell, of columns read as numbers that hold codes."""
    kinds = {name: kind.kind for name, kind in table.dtypes.items()}
    numbers = [i for i, kind in enumerate(kinds.values()) if kind in "iuf"]
    found: dict = {}
    if not numbers:
        return found
    options = {"usecols": numbers, "dtype": str, "keep_default_na": False}
    with read_text(path, separator, chunksize=ROWS_AT_ONCE, **options) as chunks:
        for chunk in chunks:
            for name in (name for name in chunk if name not in found):
                is_code = chunk[name].str.match(CODE).to_numpy(bool, copy=True)
                if kinds[name] == "f":
                    is_code |= _is_rounded(chunk[name])
                if is_code.any():
                    found[name] = chunk[name].iloc[int(np.argmax(is_code))]
    return found


def _is_rounded(cells):
    """Return which cells are whole numbers that a float does not hold."""
    long = cells.str.fullmatch(LONG).to_numpy(bool, copy=True)
    long[long] = [int(cell) != int(float(cell)) for cell in cells[long]]
    return long


def with_text(path, separator, table, names):
    """Return a table in which these columns are as they stand in the file."""
    names = [name for name in names if name in table]
    if names:
        places = [list(table).index(name) for name in names]
        options = {**ONLY_EMPTY, "usecols": places, "dtype": str}
        as_text = read_text(path, separator, **options)
        table = table.assign(**{name: as_text[name] for name in names})
    return table
