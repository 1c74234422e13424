"""Who the attackers of an audit are: what each knows, may ask, was set to, and took."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from sklearn_aeppt._text import as_text, shorten

#: Parameters that say nothing of an attack: where it keeps results, how loud, on how many cores.
UNTOLD = frozenset({"memory", "n_jobs", "verbose"})
LONGEST = 200


def describe_attackers(contenders: list, defended: bool) -> list[dict[str, Any]]:
    """Return one dict for each attack that was to be run, as its traits and parameters say."""
    return [_describe(one, defended) for one in contenders]


def _describe(contender, defended):
    found = {
        "attack": contender.name,
        "class": None,
        "parameters": {},
        "seconds": contender.seconds,
    }
    if contender.attack is None:
        return found
    traits = contender.traits
    return found | {
        "class": class_of(contender.attack),
        "parameters": parameters_of(contender.attack),
        "sees": "labels" if traits.labels_only else "confidences and labels",
        "adaptive": bool(traits.adaptive or not defended),
        "queries": int(traits.needs_queries),
        "of": {None: "the record", "noise": "variants", "ladder": "variants at several scales"}[
            traits.needs_variants
        ],
        "reads_records": bool(traits.needs_records),
        "shadow_models": _shadow_models(contender.attack) if traits.needs_shadow_models else 0,
        "shared_models": contender.matrix is not None,
        "per_record": bool(traits.per_record),
    }


def _shadow_models(attack):
    """Return how many models an attack trains, itself or the one that it wraps."""
    found = attack.get_params(deep=True)
    names = sorted((name for name in found if name.endswith("n_shadow_models")), key=len)
    return int(found[names[0]]) if names else None


def class_of(value: Any) -> str:
    """Return the name of an object's class with its public module."""
    kind = type(value)
    module = ".".join(part for part in kind.__module__.split(".") if not part.startswith("_"))
    return f"{module}.{kind.__qualname__}"


def parameters_of(estimator: Any) -> dict[str, Any]:
    """Return an estimator's parameters, made of what JSON knows; secrets are not told."""
    found = estimator.get_params(deep=False)
    return {name: _told(value) for name, value in found.items() if name not in UNTOLD}


def _told(value):
    if value is None or isinstance(value, (bool, int, float)):
        return value
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, (bytes, bytearray, memoryview)):
        return "bytes, not shown"
    if isinstance(value, str):
        return shorten(as_text(value), LONGEST)
    if hasattr(value, "get_params") and not isinstance(value, type):
        return {"class": class_of(value), "parameters": parameters_of(value)}
    if isinstance(value, (list, tuple)):
        return [_told(one) for one in value[:LONGEST]]
    if isinstance(value, dict):
        return {as_text(name): _told(one) for name, one in value.items()}
    if isinstance(value, np.ndarray):
        return f"array of shape {value.shape}"
    if hasattr(value, "__qualname__"):
        return f"{value.__module__}.{value.__qualname__}"
    # an address would be another one in each run
    return shorten(re.sub(r" at 0x[0-9a-f]+", "", as_text(repr(value))), LONGEST)
