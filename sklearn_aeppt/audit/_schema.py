"""Whether a file is what the schema of reports says, and where it is not."""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from sklearn_aeppt._text import shorten, shown_name
from sklearn_aeppt.audit._file import COMPARISON


@cache
def read_schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of reports and of comparisons."""
    return json.loads(files(__package__).joinpath("report.schema.json").read_text("utf-8"))


def check_file(path: str) -> dict[str, Any]:
    """Return what a file holds if it is valid.

    Raises
    ------
    ImportError
        If jsonschema is not installed.
    ValueError
        If it is not JSON, or not what the schema says: with the path of the first field that is
        not.
    """
    try:
        data = json.loads(Path(path).read_text("utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is not JSON: {error}.") from error
    said = what_is_wrong(data)
    if said:
        raise ValueError(f"{path}: {said}")
    return data


def what_is_wrong(data: Any) -> str:
    """Return where data is first not as the schema says, and how; empty where it is valid."""
    try:
        from jsonschema import Draft202012Validator
    except ImportError as error:
        raise ImportError(
            "Checking a report needs jsonschema: install sklearn-aeppt[report]."
        ) from error
    schema, found = read_schema(), data.get("schema") if isinstance(data, dict) else None
    kind = "comparison" if found == COMPARISON else "report"  # one is named, not both
    part = {**schema, "$ref": f"#/$defs/{kind}"}
    del part["oneOf"]
    errors = sorted(Draft202012Validator(part).iter_errors(data), key=_depth)
    if not errors:
        return ""
    more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
    return f"{_path(errors[0])}: {shorten(shown_name(errors[0].message), 300)}{more}."


def _depth(error):
    return len(error.absolute_path), list(map(str, error.absolute_path)), error.message


def _path(error):
    """Return the place of an error as it would be read in Python, such as results[0].accuracy."""
    path = ""
    for part in error.absolute_path:
        if isinstance(part, int):
            path += f"[{part}]"
        elif part.isidentifier():
            path += f".{part}"
        else:
            path += f"[{shown_name(part, 80)!r}]"
    return path.lstrip(".") or "the file"
