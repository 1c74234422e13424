"""Draws folds_tradeoff.png: what folds and repeats leak, against what they cost new records.

From ``docs/results/folds_tradeoff.json``, so that it changes with the result and never without it.
"""

import json
import re
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

HERE = Path(__file__).resolve().parent
DEFAULT = "cv=3, n_repeats=10"
COLORS = {2: "#009E73", 3: "#D55E00", 5: "#CC79A7", 10: "#0072B2"}  # by number of folds


def read_settings(path):
    """Return model -> setting -> [strongest attack in %, accuracy lost in points, log loss]."""
    rows = json.loads(path.read_text(encoding="utf-8"))["tables"]["runs, folds"]
    found: dict = {}
    for row in rows:
        name, title = row["data"].split(": ")
        found.setdefault(name, {}).setdefault(title, []).append(row)
    return {name: _against(settings) for name, settings in found.items()}


def _against(settings):
    plain = {row["seed"]: row["accuracy on new records"] for row in settings["undefended"]}
    return {
        title: np.mean(
            [
                [
                    100 * max(row["strongest"], row["strongest, hostile"]),
                    100 * (plain[row["seed"]] - row["accuracy on new records"]),
                    row["log loss"],
                ]
                for row in runs
            ],
            axis=0,
        )
        for title, runs in settings.items()
    }


def draw(found):
    """Return the figure: a column a model, accuracy lost above and log loss below."""
    figure = Figure(figsize=(3.1 * len(found), 5.6), layout="constrained")
    axes = figure.subplots(2, len(found), squeeze=False)
    for column, (name, settings) in zip(axes.T, found.items(), strict=True):
        defended = {title: at for title, at in settings.items() if title != "undefended"}
        for axis, which in zip(column, (1, 2), strict=True):
            for title, at in defended.items():
                cv, n_repeats = map(int, re.findall(r"\d+", title))
                axis.plot(
                    at[which], at[0], "D" if title == DEFAULT else "o", color=COLORS[cv],
                    markersize=np.sqrt(3 * cv * n_repeats),
                )  # fmt: skip
                axis.annotate(
                    f"{cv} x {n_repeats}", (at[which], at[0]), (0, 9),
                    textcoords="offset points", ha="center", fontsize=9,
                )  # fmt: skip
            axis.axhline(50, color="black", linestyle=":", zorder=0)
            axis.margins(0.18)
        column[0].axvline(1, color="black", linestyle="--", linewidth=0.8, zorder=0)
        column[0].set(title=name, xlabel="accuracy lost, points")
        column[1].axvline(
            settings["undefended"][2], color="black", linestyle="--", linewidth=0.8, zorder=0
        )
        column[1].set(xlabel="log loss (dashed: undefended)")
    for axis in axes[:, 0]:
        axis.set(ylabel="strongest attack, %")
    return figure


if __name__ == "__main__":
    found = read_settings(HERE / "results/folds_tradeoff.json")
    draw(found).savefig(HERE / "folds_tradeoff.png", dpi=100)
