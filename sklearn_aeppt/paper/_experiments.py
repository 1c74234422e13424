"""Runs an experiment, one of the paper's or a study, and writes NAME.json and NAME.md."""

import json
import os
import platform
from importlib.metadata import PackageNotFoundError, version
from inspect import signature
from pathlib import Path
from shutil import rmtree

import numpy as np

from sklearn_aeppt._remember import open_memory
from sklearn_aeppt._saving import write_text, writing
from sklearn_aeppt._version import __version__


def run_experiment(
    name,
    run,
    command,
    *,
    scale="paper",
    seed=0,
    out="results",
    cache=None,
    **given,
):
    """Run one experiment and write its figures; a run that was cut off goes on where it stopped.

    Parameters
    ----------
    name : str
        Of the files and of the experiment.
    run : callable
        ``run(scale, seed, **given)`` -> {title: rows}, or a tuple of that and a figure. With a
        parameter ``memory`` it is given a cache.
    command : str
        The command that runs it, without its options; noted in the result.
    scale : {"smoke", "paper"}, default="paper"
        "smoke" is a quick run of the same code on little data; its figures mean nothing.
    seed : int, default=0
    out : path-like, default="results"
        Folder for ``NAME.json`` (figures, seed, versions), ``NAME.md`` (the same as a table) and,
        where something is drawn, ``NAME.png``; with a `dataset`, ``NAME-DATASET``.
    cache : str or None, default=None
        Name of a cache in `out` that stays, for experiments that share what takes long; None is
        one of its own, deleted at the end.
    **given : dict
        Further options; those that are None are left to `run`.

    Returns
    -------
    result : dict
        What was written to the JSON file.

    Raises
    ------
    ValueError
        If the experiment does not take an option.
    """
    known = signature(run).parameters
    given = {key: value for key, value in given.items() if value is not None}
    for key, value in given.items():
        if key not in known:
            raise ValueError(f"{key}={value}: the experiment {name!r} takes no {key}.")
    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    folder = str(out / (cache or f".{name}-{scale}"))
    options = {"memory": open_memory(folder)} if "memory" in known else {}
    tables, figure = run(scale=scale, seed=seed, **given, **options), None
    if isinstance(tables, tuple):
        tables, figure = tables
    command += f" --scale {scale} --seed {seed}"
    for key, value in given.items():
        command += f" --{key} {'FOLDER' if key == 'data' else value}"
    result = {"experiment": name, "command": command, **_machine(), "tables": tables}
    stem = f"{name}-{given['dataset']}" if "dataset" in given else name
    write_text(out / f"{stem}.json", json.dumps(result, indent=1) + "\n")
    write_text(out / f"{stem}.md", to_markdown(result))
    if figure is not None:
        with writing(out / f"{stem}.png") as file:
            figure.savefig(file, format="png", dpi=90)
    if cache is None:
        rmtree(folder, ignore_errors=True)
    return result


def _machine():
    versions = {"python": platform.python_version(), "sklearn-aeppt": __version__}
    for package in ("numpy", "scipy", "scikit-learn", "torch", "skorch"):
        try:
            versions[package] = version(package)
        except PackageNotFoundError:  # an extra
            continue
    return {"versions": versions, "cores": os.cpu_count()}


def to_markdown(result):
    """Return the tables of a result as Markdown."""
    lines = [
        f"# {result['experiment']}",
        "",
        f"`{result['command']}`, {result['cores']} cores",
    ]
    for title, rows in result["tables"].items():
        columns = list(rows[0])
        lines += ["", f"## {title}", "", "| " + " | ".join(columns) + " |"]
        lines += ["|" + " --- |" * len(columns)]
        lines += ["| " + " | ".join(_cell(row[c]) for c in columns) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def _cell(value):
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def find(name, experiments):
    """Return `name` if it is one of the experiments; refuse it otherwise."""
    if name not in experiments:
        raise ValueError(
            f"name={name!r} is not an experiment: choose from {', '.join(experiments)}."
        )
    return name


def summary(rows):
    """Return one row per data set: mean and standard deviation of every figure."""
    out = []
    for name in dict.fromkeys(row["data"] for row in rows):
        group = [row for row in rows if row["data"] == name]
        line = {"data": name, "seeds": len(group)}
        for key in list(group[0])[2:]:
            values = np.array([row[key] for row in group], dtype=float)
            line[key] = f"{values.mean():.4g} ± {values.std(ddof=min(1, len(group) - 1)):.2g}"
        out.append(line)
    return out
