"""Runs the paper's tables and figures over seeds, and draws them."""

from functools import partial
from inspect import signature

import numpy as np
from tqdm.auto import tqdm

from sklearn_aeppt.paper import EXPERIMENTS, _figures, _tables
from sklearn_aeppt.paper._experiments import find, run_experiment, summary
from sklearn_aeppt.paper._targets import Game

CLASSES = (2, 10, 20, 50, 100)
COMMAND = "sklearn-aeppt experiment"
HEADLINE = ("table2", "table3", "table4")  # three seeds unless told; one for the others
FACTS = ("data", "seed", "members", "non-members")
TELLING = (
    "classes", "step", "defense", "MIM", "adaptive attack", "share", "shown", "iteration", "record",
)  # fmt: skip


def run_paper(name, **options):
    """Run one of `EXPERIMENTS` and write its figures, see `run_experiment`.

    Parameters
    ----------
    name : str
    scale, seed, out
        As `run_experiment`.
    data : path-like or None, default=None
        ``data_home`` of the fetchers, or the folder of the baskets.
    dataset : str or None, default=None
        "make_purchase" (None), "cifar100", "purchase100", "baskets", "location30" or "texas100".
    members : int or None, default=None
        How many; None is the data set's full scale.
    seeds : int or None, default=None
        How many; None is three for tables 2 to 4, else one.

    Returns
    -------
    result : dict
        What was written to the JSON file.
    """
    play = partial(run, find(name, EXPERIMENTS))
    # they share their targets and defenders, so the cache stays
    return run_experiment(name, play, f"{COMMAND} {name}", cache=".paper", **options)


def run(
    name,
    scale="paper",
    seed=0,
    data=None,
    dataset="make_purchase",
    members=None,
    seeds=None,
    memory=None,
):
    """Return ({title: rows}, figure or None) of one table or figure of the paper.

    Parameters
    ----------
    name : str
        "table2" to "figure9".
    scale, seed, data, dataset, members, memory
        As `Game`.
    seeds : int or None
        How many; None is three for the headline tables and one for the others and for "smoke".
    """
    play = getattr(_tables if name.startswith("table") else _figures, name)
    if seeds is None:
        seeds = 3 if name in HEADLINE and scale == "paper" else 1
    classes: tuple[int | None, ...] = (None,)
    if name == "table5":
        if dataset not in ("make_purchase", "baskets"):
            raise ValueError(f"dataset={dataset!r}: table5 needs classes to choose: use 'baskets'.")
        classes = CLASSES if scale == "paper" else CLASSES[:2]
    figure = _new_figure()
    rows = []
    games = [(s, k) for s in range(seed, seed + seeds) for k in classes]
    for s, k in tqdm(games, desc=f"{name}, {dataset}"):
        game = Game(dataset, scale, s, data=data, members=members, n_classes=k, memory=memory)
        extra = {}
        if "figure" in signature(play).parameters:
            extra["figure"] = figure if s == seed else None
        rows += play(game, **extra)
    if figure is not None and not figure.axes:
        draw_rows(rows, figure)
    tables = {"runs": rows}
    if seeds > 1:
        tables["mean and standard deviation over seeds"] = summary(_by_case(rows))
    return tables, figure


def _new_figure():
    try:
        from matplotlib.figure import Figure
    except ImportError:
        return None
    return Figure(figsize=(8.5, 4.5), layout="constrained")


def _case(row):
    """Return what tells a row apart from the others of its game, as text."""
    own = [key for key in TELLING if key in row]
    if "defense" in own:  # its step is chosen anew for each seed: a figure, no setting
        own = [key for key in own if key != "step"]
    return ", ".join(row[k] if isinstance(row[k], str) else f"{k} {row[k]:g}" for k in own)


def _by_case(rows):
    """Return rows whose "data" names the case too, with figures only after the seed."""
    return [
        {
            "data": f"{row['data']}: {_case(row)}",
            "seed": row["seed"],
            **{k: v for k, v in row.items() if k not in FACTS and isinstance(v, (int, float))},
        }
        for row in rows
    ]


def draw_rows(rows, figure):
    """Draw the mean over seeds of every accuracy of the rows, with the floor."""
    ax = figure.subplots()
    first = [row for row in rows if row["seed"] == rows[0]["seed"]]
    cases = list(dict.fromkeys(map(_case, rows)))
    hidden = {*FACTS, "train accuracy", "test accuracy", "label-only floor", "labels kept"}
    drawn = [
        key for key, value in first[0].items()
        if isinstance(value, float) and key not in hidden and 0.2 <= max(r[key] for r in first) <= 1
        and any(word in key for word in ("accuracy", "MIM", "retrained"))
    ]  # fmt: skip

    def mean(key):
        return 100 * np.array([np.mean([r[key] for r in rows if _case(r) == c]) for c in cases])

    for i, key in enumerate(drawn):
        ax.plot(mean(key), range(len(cases)), "osD^v<>"[i % 7], label=key)
    ax.set_yticks(range(len(cases)), cases)
    ax.invert_yaxis()
    floor = mean("label-only floor")  # one for all, but where the cases have targets of their own
    text = " to ".join(dict.fromkeys(f"{f:.1f}" for f in (floor.min(), floor.max())))
    ax.plot(floor, range(len(cases)), color="0.2", lw=1, ls="--", label=f"label alone: {text} %")
    ax.axvline(50, color="0.5", lw=1, ls=":", label="coin toss")
    ax.set_xlabel("Records that the attack is right about (%)")
    ax.set_title(", ".join(dict.fromkeys(row["data"] for row in rows)), loc="left", fontsize=10)
    ax.legend(loc="center left", bbox_to_anchor=(1, 0.5), frameon=False, fontsize=9)
