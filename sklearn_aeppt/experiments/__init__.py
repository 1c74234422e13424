"""Runnable experiments: ``sklearn-aeppt experiment NAME`` writes NAME.json and NAME.md."""

import json
import os
import platform
from importlib import import_module
from importlib.metadata import version
from inspect import signature
from pathlib import Path
from shutil import rmtree

from sklearn_aeppt._remember import open_memory
from sklearn_aeppt._saving import write_text, writing

#: Name -> what it shows. The paper's tables and figures are functions of `paper_tables` and
#: `paper_figures`; each other one lives in the module of its name, as ``run(scale, seed)``.
EXPERIMENTS = {
    "adaptive": "AEPPT under the paper's attacker and under adaptive ones",
    "attacks": "our black-box attacks beside those of two toolboxes",
    "bound": "how often the bound on the advantage fails, on models whose outputs have atoms",
    "control": "where nothing leaks: false alarms, and what the equalized defense changes",
    "defenses": "every defense, judged by the strongest attacker that retrains",
    "dp": "defended answers beside models trained with differential privacy (Opacus)",
    "equalized": "the equalized defense beside the others: what each leaves and what it costs",
    "frontier": "every defense against the least perturbation that any needs",
    "hardening": "rows, classes, threads, processes, forks and hours of calls",
    "oracles": "the equalized defense asked cleverly: variants, equal outputs, several keys",
    "protection": "a fixed attacker before and after AEPPT, and one who retrains",
    "queries": "the equalized defense asked a thousand times about a record and its variants",
    "records": "attackers who know how hard each record is, against every defense",
    "rounds": "AEPPT over AEPPT: substitutes retrained on defended answers, in rounds",
    "shadow": "attacks that judge each record, and their time beside a toolbox's",
    "simplex": "ways for the perturbed vector to return to the simplex, and what each costs",
    "speed": "time and memory of the perturbation and of the substitute's training",
    "table2": "the paper: the target's accuracy with and without AEPPT",
    "table3": "the paper: accuracy, precision and recall of MIM0 for each step size",
    "table4": "the paper: MIM0 and the size of the perturbation for each step size",
    "table5": "the paper: 2, 10, 20, 50 and 100 classes",
    "table7": "the paper: adversary models of another structure, loss or data",
    "table8": "the paper: flip, rounding, adversarial training",
    "table9": "the paper: MemGuard",
    "figure4": "the paper: distributions of members and non-members",
    "figure5": "the paper: loss of the substitute per iteration",
    "figure6": "the paper: vectors before and after",
    "figure7": "the paper: how much data the adversary has",
    "figure8": "the paper: MIM1 to MIM3 for each step size",
    "figure9": "the paper: other defenses",
}
PAPER = tuple(name for name in EXPERIMENTS if name.startswith(("table", "figure")))


def run_experiment(
    name,
    *,
    scale="paper",
    seed=0,
    data=None,
    out="results",
    dataset=None,
    members=None,
    seeds=None,
):
    """Run one experiment and write its figures; a run that was cut off goes on where it stopped.

    Parameters
    ----------
    name : str
        A key of `EXPERIMENTS`.
    scale : {"smoke", "paper"}, default="paper"
        "smoke" is a quick run of the same code on little data; its figures mean nothing.
    seed : int, default=0
    data : path-like or None, default=None
        Folder of real records, for the experiments that take them; None makes records up. For the
        paper's, ``data_home`` of the fetchers.
    out : path-like, default="results"
        Folder for ``NAME.json`` (figures, seed, versions), ``NAME.md`` (the same as a table) and,
        for the paper's, ``NAME.png``; with a `dataset`, ``NAME-DATASET``.
    dataset : str or None, default=None
        Of the paper's experiments: "make_purchase" (None), "cifar100", "purchase100", "baskets",
        "location30" or "texas100". Of "equalized": one of its sets, None all of them.
    members : int or None, default=None
        Of the paper's experiments: how many; None is the data set's full scale.
    seeds : int or None, default=None
        Of the paper's experiments: how many; None is three for tables 2 to 4, else one.

    Returns
    -------
    result : dict
        What was written to the JSON file.

    Raises
    ------
    ValueError
        If there is no experiment of that name, or it does not take an option.
    """
    if name not in EXPERIMENTS:
        raise ValueError(f"name={name!r} is no experiment: choose from {', '.join(EXPERIMENTS)}.")
    run = import_module(f"{__name__}.{'paper' if name in PAPER else name}").run
    known = signature(run).parameters
    given = {"data": data, "dataset": dataset, "members": members, "seeds": seeds}
    given = {key: value for key, value in given.items() if value is not None}
    for key, value in given.items():
        if key not in known:
            raise ValueError(f"{key}={value}: the experiment {name!r} takes no {key}.")
    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    # experiments of the paper share their targets and defenders, so that cache stays
    cache = str(out / (".paper" if name in PAPER else f".{name}-{scale}"))
    options = dict(given)
    if name in PAPER:
        options["name"] = name
    if "memory" in known:
        options["memory"] = open_memory(cache)
    tables, figure = run(scale=scale, seed=seed, **options), None
    if isinstance(tables, tuple):
        tables, figure = tables
    command = f"sklearn-aeppt experiment {name} --scale {scale} --seed {seed}"
    for key, value in given.items():
        command += f" --{key} {'FOLDER' if key == 'data' else value}"
    result = {"experiment": name, "command": command, **_machine(), "tables": tables}
    stem = name if dataset is None else f"{name}-{dataset}"
    write_text(out / f"{stem}.json", json.dumps(result, indent=1) + "\n")
    write_text(out / f"{stem}.md", to_markdown(result))
    if figure is not None:
        with writing(out / f"{stem}.png") as file:
            figure.savefig(file, format="png", dpi=90)
    if name not in PAPER:
        rmtree(cache, ignore_errors=True)
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
