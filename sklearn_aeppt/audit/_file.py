"""The file of a report: what of it JSON holds, and the report that is in it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np

from sklearn_aeppt._groups import as_labels
from sklearn_aeppt._text import as_text
from sklearn_aeppt.audit._figures import Figures

#: Of the format of the file. A reader refuses another first number; the second grows with fields
#: that a reader of older files does not need.
SCHEMA_VERSION = "1.0"
REPORT, COMPARISON = "sklearn-aeppt audit report", "sklearn-aeppt audit comparison"
#: What the report says that follows from its figures, and is in the file for its readers.
SAID = (
    "headline", "verdict", "leakage", "void", "advice", "before", "worst_case", "exposed",
    "from_one_run", "defense_fit", "control_says", "out_of_scope", "from_labels", "excess_at_most",
)  # fmt: skip
#: What is about single records, and is in the file only if it is asked for.
PERSONAL = ("records", "at_risk")


def contents(report: Any, records: bool = False) -> dict[str, Any]:
    """Return what the file of a report holds, as a dict; what is personal only if asked."""
    held = {f.name: getattr(report, f.name) for f in fields(Figures)}
    for name in () if records else PERSONAL:
        del held[name]
    said = {name: getattr(report, name) for name in SAID}
    if records:
        said["accused"] = report.accused
    return {"schema": REPORT, "schema_version": SCHEMA_VERSION, **held, **said}


def read_json(source: Any, schema: str | None) -> dict[str, Any]:
    """Return what is in a file, or in a text, that should hold a schema; None: either of them.

    Raises
    ------
    ValueError
        If it is no JSON, or of another schema, or of a version of it that is not known here.
    """
    is_text = isinstance(source, str) and source.lstrip()[:1] in ("{", "[")
    name = "the text" if is_text else str(source)
    try:
        data = json.loads(source if is_text else Path(source).read_text("utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{name} is not JSON ({error}): give a file of to_json.") from error
    if not isinstance(data, dict) or "schema" not in data:
        raise ValueError(f"{name} is not a report: it names no schema. Give a file of to_json.")
    if data["schema"] not in ((REPORT, COMPARISON) if schema is None else (schema,)):
        schema = schema or REPORT
        raise ValueError(f"{name} holds a {data['schema']!r} where a {schema!r} is needed.")
    version = str(data.get("schema_version"))
    if version.partition(".")[0] != SCHEMA_VERSION.partition(".")[0]:
        raise ValueError(
            f"{name} has version {version} of the schema, and this library reads "
            f"{SCHEMA_VERSION}: use the library of the version that it names (versions)."
        )
    return data


def held_by(data: Mapping[str, Any], name: str = "the file") -> dict[str, Any]:
    """Return the fields of a report out of what its file holds.

    Raises
    ------
    ValueError
        If a field is missing that every report has.
    """
    known = {f.name for f in fields(Figures)}
    held = {key: value for key, value in data.items() if key in known}
    held.setdefault("at_risk", [])
    missing = [one for one in FIRST if one not in held]
    if missing:
        raise ValueError(f"{name} lacks the field(s) {', '.join(missing)} of a report.")
    try:
        held["slices"] = {key: _table(one) for key, one in held["slices"].items()}
        held["records"] = _table(held.get("records", {}))
        sizes = held.get("checks", {}).get("structure", {}).get("small_leaves")
        if sizes is not None:
            held["checks"]["structure"]["small_leaves"] = {int(k): v for k, v in sizes.items()}
    except (AttributeError, TypeError, ValueError) as error:
        raise ValueError(
            f"{name} has a field that is not what the schema says ({error}): see "
            "sklearn-aeppt report --check."
        ) from error
    return held


#: Fields without which there is no report.
FIRST = tuple(f.name for f in fields(Figures))[:11]
#: Columns of tables that hold labels; the others hold numbers or truth values.
LABELS = ("class", "index", "person")


def plain_labels(labels: np.ndarray) -> np.ndarray:
    """Return labels as JSON gives them back: what it does not know is its text."""
    if labels.dtype.kind in "biuU":
        return labels
    return as_labels([_plain_label(label) for label in labels.tolist()])


def _plain_label(label):
    if isinstance(label, np.generic):
        label = label.item()
    if isinstance(label, float) and not np.isfinite(label):
        return None
    return label if label is None or isinstance(label, (bool, int, float)) else as_text(label)


def _table(columns):
    return {name: _column(name, values) for name, values in columns.items()}


def _column(name, values):
    if name == "index":  # of two frames, each of its own kind
        return np.fromiter(values, dtype=object, count=len(values))
    if name in LABELS:
        return as_labels(values)
    if values and all(isinstance(value, bool) for value in values):
        return np.array(values)
    if values and all(isinstance(value, int) for value in values):
        return np.array(values, dtype=np.int64)
    return np.array([np.nan if value is None else value for value in values], dtype=np.float64)
