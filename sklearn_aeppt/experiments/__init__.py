"""Runnable experiments: ``sklearn-aeppt experiment NAME`` writes NAME.json and NAME.md."""

import json
import os
import platform
from importlib import import_module
from importlib.metadata import version
from inspect import signature
from pathlib import Path
from shutil import rmtree

#: Name -> what it shows. Each lives in the module of its name, as ``run(scale, seed)``, with
#: ``data`` beside them where it takes real records.
EXPERIMENTS = {
    "adaptive": "AEPPT under the paper's attacker and under adaptive ones",
    "attacks": "our black-box attacks beside those of two toolboxes",
    "control": "where nothing leaks: false alarms, and what the equalized defense changes",
    "defenses": "every defense, judged by the strongest attacker that retrains",
    "equalized": "the equalized defense beside the others: what each leaves and what it costs",
    "protection": "a fixed attacker before and after AEPPT, and one who retrains",
    "records": "attackers who know how hard each record is, against every defense",
    "shadow": "attacks that judge each record, and their time beside a toolbox's",
    "simplex": "ways for the perturbed vector to return to the simplex, and what each costs",
    "speed": "time and memory of the perturbation and of the substitute's training",
}


def run_experiment(name, *, scale="paper", seed=0, data=None, out="results"):
    """Run one experiment and write its figures.

    Parameters
    ----------
    name : str
        A key of `EXPERIMENTS`.
    scale : {"smoke", "paper"}, default="paper"
        "smoke" is a quick run of the same code on little data; its figures mean nothing.
    seed : int, default=0
    data : path-like or None, default=None
        Folder of real records, for the experiments that take them; None makes records up.
    out : path-like, default="results"
        Folder for ``NAME.json`` (figures, seed, versions) and ``NAME.md`` (the same as a table).

    Returns
    -------
    result : dict
        What was written to the JSON file.

    Raises
    ------
    ValueError
        If there is no experiment of that name.
    """
    if name not in EXPERIMENTS:
        raise ValueError(f"name={name!r} is no experiment: choose from {', '.join(EXPERIMENTS)}.")
    run = import_module(f"{__name__}.{name}").run
    options = {} if data is None else {"data": data}
    if options and "data" not in signature(run).parameters:
        raise ValueError(f"data={data}: the experiment {name!r} takes no records.")
    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    with_memory = "memory" in signature(run).parameters
    cache = str(out / f".{name}-{scale}")
    tables = run(scale=scale, seed=seed, **options, **({"memory": cache} if with_memory else {}))
    command = f"sklearn-aeppt experiment {name} --scale {scale} --seed {seed}"
    command += "" if data is None else " --data FOLDER"
    result = {"experiment": name, "command": command, **_machine(), "tables": tables}
    (out / f"{name}.json").write_text(json.dumps(result, indent=1) + "\n")
    (out / f"{name}.md").write_text(to_markdown(result))
    rmtree(cache, ignore_errors=True)  # what a run that is cut off leaves, to go on from
    return result


def _machine():
    packages = ("sklearn-aeppt", "numpy", "scipy", "scikit-learn", "torch", "skorch")
    return {
        "versions": {"python": platform.python_version(), **{p: version(p) for p in packages}},
        "cores": os.cpu_count(),
    }


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
