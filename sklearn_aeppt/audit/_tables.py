"""Tables of a report as CSV: its attacks, and its records."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from sklearn_aeppt._saving import write_text
from sklearn_aeppt._text import as_text, shown_name


def write_table(
    path: str | PathLike[str], rows: Iterable[dict[str, Any]], *, private: bool = False
) -> Path:
    """Write rows as CSV, with a header of the keys of all of them; return the path."""
    write_text(path, to_csv(rows), private=private)
    return Path(path)


def to_csv(rows: Iterable[dict[str, Any]]) -> str:
    """Return rows as CSV; text that a spreadsheet would run as a formula is quoted as text."""
    rows = list(rows)
    text = io.StringIO()
    columns = list(dict.fromkeys(key for row in rows for key in row))
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({key: _cell(value) for key, value in row.items()})
    return text.getvalue()


def _cell(value):
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or (isinstance(value, float) and np.isnan(value)):
        return ""
    if isinstance(value, (bool, int, float)):
        return value
    text = shown_name(as_text(value))
    return f"'{text}" if text[:1] in "=+-@" else text


def attack_rows(results: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the attacks, the most accurate first, those that were not run last."""
    return sorted(results, key=lambda row: -row.get("accuracy", -1.0))


def record_rows(records: dict[str, np.ndarray]) -> Iterable[dict[str, Any]]:
    """Return one row for each record that was handed in, with its status in a word."""
    for i in range(len(records["row"])):
        row = {name: values[i] for name, values in records.items()}
        yield row | {"status": _status(row)}


def _status(row):
    if not row["scored"]:
        return "not scored"
    if not row["is_member"]:
        return "reference"
    return "accused" if row["accused"] else "not accused"
