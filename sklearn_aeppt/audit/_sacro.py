"""Reports for SACRO-ML, which data environments use: its target read, its attack file written."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import norm

from sklearn_aeppt._text import to_json


def to_sacro(report: Any) -> str:
    """Return the strongest attack as JSON of the form that SACRO-ML's attacks write.

    Its readers look under every section for ``attack_experiment_logger`` and there for the metrics
    of each repetition, of which there is one. What they do not know of (intervals, floor, threat
    model) is under ``metadata``.
    """
    s, made = report.strongest, report.provenance.get("made", {})
    log_id = hashlib.sha256(report.to_json().encode()).hexdigest()[:32]
    section = {
        "log_id": log_id,
        "log_time": made.get("at", ""),
        "metadata": {
            "sklearn_aeppt_version": report.provenance.get("versions", {}).get("sklearn-aeppt"),
            "attack_name": s["attack"],
            "attack_params": _parameters(report, s["attack"]),
            "global_metrics": {},
            "note": "ACC is balanced: members and non-members have equal weight.",
            "target_model": report.name,
            "verdict": report.verdict,
            "floor": report.floor,
            "interval": [s["low"], s["high"]],
            "hashes": report.provenance.get("hashes", {}),
            "not_run": {row["attack"]: row["not_run"] for row in report.not_run},
        },
        "attack_experiment_logger": {"attack_instance_logger": {"instance_0": _metrics(report)}},
    }
    return to_json({f"sklearn-aeppt_{log_id}": section})


def _parameters(report, name):
    found = (one["parameters"] for one in report.attackers if one["attack"] == name)
    return next(found, {})


def _metrics(report):
    """Return the metrics of the strongest attack under the names that SACRO-ML has for them."""
    s, sizes = report.strongest, report._sizes
    found = {
        "AUC": s["auc"], "ACC": s["accuracy"], "Advantage": 2 * s["accuracy"] - 1,
        "P_HIGHER_AUC": _p_value(s["auc"], *sizes), "n_pos_test_examples": sizes[0],
        "n_neg_test_examples": sizes[1],
    }  # fmt: skip
    if s.get("tpr_at_0.001_fpr") is not None:  # the only rate that both have
        found["TPR@0.1%"] = s["tpr_at_0.001_fpr"]
    if report.curves:
        curve = report.curves["roc"][0]
        found |= {"fpr": curve["fpr"], "tpr": curve["tpr"], **_tails(report.curves["scores"])}
    return found


def _p_value(auc, n_members, n_non_members):
    """Return how likely an AUC this large is where nothing is to be found."""
    deviation = np.sqrt((n_members + n_non_members + 1) / (12 * n_members * n_non_members))
    return float(norm.sf((auc - 0.5) / deviation))


def _tails(scores):
    """Return the share of members in the tenth with the greatest scores less that in the least."""
    counts = np.array([scores["members"], scores["non_members"]], dtype=np.float64)
    least, most = (_tenth(side) for side in (counts, counts[:, ::-1]))
    shares = [side[0] / side.sum() for side in (most, least)]
    common = (most[0] + least[0]) / (most.sum() + least.sum())
    error = np.sqrt(max(common * (1 - common), 1e-12) * (1 / most.sum() + 1 / least.sum()))
    difference = shares[0] - shares[1]
    # minus the logarithm of the p-value, as theirs is
    return {"FMAX01": shares[0], "FMIN01": shares[1], "FDIF01": difference,
            "PDIF01": float(-norm.logsf(difference / error))}  # fmt: skip


def _tenth(counts):
    """Return the members and non-members of the first bars that hold a tenth of all records."""
    sums = np.cumsum(counts, axis=1)
    return sums[:, int(np.argmax(sums.sum(axis=0) >= counts.sum() / 10))]


#: Fields of ``target.yaml`` that name its arrays.
ARRAYS = {"X_mem": "X_train", "y_mem": "y_train", "X_non": "X_test", "y_non": "y_test"}


def read_target(path: str, *, trust: bool = False) -> dict[str, Any]:
    """Return what SACRO-ML saved as a target: the model, and records and labels of both sides.

    Parameters
    ----------
    path : str
        Its ``target.yaml``.
    trust : bool, default=False
        It saves model and arrays as pickles, which run code when they are loaded; CSV files do not.

    Returns
    -------
    target : dict
        With ``model`` and the records of both sides, and ``model_path``.

    Raises
    ------
    ImportError
        If PyYAML is not installed.
    ValueError
        If the target lacks a model or a side, holds a network of torch or a module of its own, or
        needs trust.
    """
    try:
        import yaml
    except ImportError as error:
        raise ImportError(
            "Reading target.yaml needs PyYAML: install it with pip install PyYAML."
        ) from error
    from sklearn_aeppt._files import load_model

    file = Path(path)
    try:
        told = yaml.safe_load(file.read_text("utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is not YAML: {' '.join(str(error).split())[:200]}.") from error
    if not isinstance(told, dict) or not told.get("model_path"):
        raise ValueError(f"{path} names no model_path: give the target.yaml of a saved Target.")
    if told.get("model_type", "SklearnModel") != "SklearnModel" or told.get("dataset_module_path"):
        raise ValueError(
            f"{path} is of a {told.get('model_type')} or has a module of its own for its data, "
            "which cannot be read here: audit the model in Python."
        )
    found: dict[str, Any] = {"model_path": _inside(file, told["model_path"])}
    found["model"] = load_model(found["model_path"], trust=trust)
    for ours, theirs in ARRAYS.items():
        name = told.get(f"{theirs}_path")
        if not name:
            raise ValueError(f"{path} names no {theirs}_path: save the target with both sides.")
        values = _read_array(_inside(file, name), trust)
        found[ours] = np.ravel(values) if ours.startswith("y") else values
    return found


def _inside(file, name):
    """Return a file beside ``target.yaml``; one elsewhere is refused."""
    folder = file.parent.resolve()
    path = (folder / str(name)).resolve()
    if folder not in path.parents:
        raise ValueError(f"{file} names {name}, which is not in its own folder.")
    return path


def _read_array(path, trust):
    from sklearn_aeppt._files import load_model

    if path.suffix.lower() == ".csv":
        import pandas as pd

        return pd.read_csv(path, header=None).to_numpy()
    return load_model(path, trust=trust)
