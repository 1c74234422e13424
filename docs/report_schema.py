"""Writes the page of the report's schema from the schema: ``python docs/report_schema.py``."""

import json
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SCHEMA = ROOT / "sklearn_aeppt/audit/report.schema.json"
PAGE = ROOT / "docs/report_schema.md"

HEAD = """# The report file: every field

`AuditReport.to_json(path)` and `sklearn-aeppt audit --out report.json` write one file of this
schema; `AuditReport.from_json(path)` gives the report back. The schema is a JSON Schema (draft
2020-12), part of the package as `sklearn_aeppt/audit/report.schema.json`; `sklearn-aeppt report
--check FILE` checks a file against it and names the field that is wrong (needs the extra
`report`). This page is made from it.

- Shares and accuracies run from 0 to 1. `null` stands for what is not known, or is not finite.
- A reader refuses another first number of `schema_version`; the second number grows with new
  optional fields.
- **Nothing about single records is in the file** unless `records=True` was asked for: `records`,
  `at_risk` and `accused` are left out, row numbers included, since whoever has the table knows
  whose rows they are. `slices` are figures of groups, down to the smallest group that the caller
  gives.
- Fields that hold times (`seconds`, `at`) differ between equal runs; all others follow from the
  inputs and the seeds.

"""


def kinds(part):
    """Return what values a field takes, in a word or two."""
    if "$ref" in part:
        return f"see {part['$ref'].rpartition('/')[2]}"
    if "const" in part:
        return f"`{part['const']}`"
    if "enum" in part:
        return ", ".join(f"`{value}`" for value in part["enum"])
    found = part["type"]
    found = found if isinstance(found, str) else " or ".join(found)
    if "items" in part:
        inner = kinds(part["items"]) if "$ref" in part["items"] or "type" in part["items"] else ""
        return f"list: {inner}"
    return found


def rows(part, path=""):
    """Yield (path, kinds, whether it must be there, description) of every field in a schema."""
    required = part.get("required", [])
    for name, field in part.get("properties", {}).items():
        here = f"{path}.{name}".lstrip(".")
        yield here, kinds(field), name in required, field["description"]
        yield from rows(field, here)
        if isinstance(field.get("additionalProperties"), dict):
            yield from rows(field["additionalProperties"], f"{here}.*")
        if "items" in field:
            yield from rows(field["items"], f"{here}[]")


def page():
    """Return the page."""
    schema = json.loads(SCHEMA.read_text("utf-8"))
    titles = {
        "report": "A report",
        "result": "One of `results`, and `strongest`",
        "attacker": "One of `attackers`",
        "slice": "One of `slices`",
        "comparison": "A comparison of several targets",
    }
    parts = [HEAD]
    for key, title in titles.items():
        part = schema["$defs"][key]
        parts.append(f"## {title}\n\n{part['description']}\n\n| field | values | | what |")
        parts.append("\n| --- | --- | --- | --- |\n")
        for path, kind, needed, what in rows(part):
            what = what.replace("|", "\\|")
            parts.append(f"| `{path}` | {kind} | {'' if needed else 'optional'} | {what} |\n")
        parts.append("\n")
    return "".join(parts).rstrip() + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
