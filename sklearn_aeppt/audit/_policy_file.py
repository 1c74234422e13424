"""Policies in files: YAML and JSON, in which no name stands twice."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

ENDINGS = (".yaml", ".yml", ".json")


def read_mapping(path: str) -> dict[Any, Any]:
    """Return what a file holds, names with values.

    Raises
    ------
    ValueError
        If the file is not UTF-8, not in its format, names something twice or holds no names.
    OSError
        If it cannot be read.
    ImportError
        If it is YAML and PyYAML is not installed.
    """
    text = Path(path).read_text("utf-8")
    held = _from_json(text) if path.lower().endswith(".json") else _from_yaml(text)
    if not isinstance(held, dict):
        raise ValueError("a policy is names with values, such as limits: {excess: 0.02}.")
    return held


def _from_json(text):
    return json.loads(text, object_pairs_hook=_once)


def _from_yaml(text):
    try:
        import yaml
    except ImportError as error:
        raise ImportError(
            "policies in YAML need PyYAML: pip install 'sklearn-aeppt[policy]', or write JSON."
        ) from error

    class Loader(yaml.SafeLoader):
        """YAML's plain values, each name once."""

        def construct_mapping(self, node, deep=False):
            _once([(str(self.construct_object(key, deep=True)), None) for key, _ in node.value])
            return super().construct_mapping(node, deep)

    try:
        return yaml.load(text, Loader)  # a subclass of the safe one
    except yaml.YAMLError as error:
        raise ValueError(f"this is not YAML: {' '.join(str(error).split())}") from None


def _once(pairs):
    held = {}
    for key, value in pairs:
        if key in held:
            raise ValueError(f"{key!r} stands twice.")
        held[key] = value
    return held
