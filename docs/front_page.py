"""Draw the picture of the front page: ``python docs/front_page.py``.

From ``docs/results/equalized.json``, so that it changes with the result and never without it.
"""

import json
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

HERE = Path(__file__).resolve().parent
DATA = "location30"
DEFENSES = {
    "none": "no defense",
    "rounding, 2 decimals": "rounding",
    "AEPPT, auto": "AEPPT",
    "MemGuard": "MemGuard",
    "equalized, cost log loss": "equalized",
}
FIXED, RETRAINED = "#0072B2", "#D55E00"  # told apart with any color vision, and by shape here


def read_accuracies(path):
    """Return {defense: (fixed, retrained)} and the floor, means over seeds, in percent."""
    rows = json.loads(path.read_text(encoding="utf-8"))["tables"]["runs"]
    mine = {name: [r for r in rows if r["data"] == f"{DATA}: {name}"] for name in DEFENSES}
    accuracies = {
        name: tuple(
            100 * np.mean([r[column] for r in runs])
            for column in ("fixed MIM0", "strongest retrained")
        )
        for name, runs in mine.items()
    }
    return accuracies, 100 * np.mean([r["label-only floor"] for r in mine["none"]])


def draw(accuracies, floor):
    """Return the figure: two attacks on each defense, beside guessing and the floor."""
    figure = Figure(figsize=(5, 4.4), layout="constrained")
    axis = figure.subplots()
    for x, what, style in (
        (50, "random\nguessing", ":"),
        (floor, "label-only floor:\nwhat labels reveal", "--"),
    ):
        axis.plot([x, x], [-0.5, len(accuracies)], color="black", linestyle=style, zorder=0)
        axis.annotate(what, (x, -0.58), ha="center", va="bottom", fontsize=11)
    for y, pair in enumerate(accuracies.values()):
        axis.plot(pair, [y, y], color="lightgray", zorder=1)
        for x, marker, color in zip(pair, "oD", (FIXED, RETRAINED)):
            side = -1 if x == min(pair) else 1  # outside of the two, where nothing lies
            axis.plot(x, y, marker, color=color, markersize=9)
            axis.annotate(
                f"{x:.0f} %",
                (x, y),
                (9 * side, 0),
                textcoords="offset points",
                color=color,
                ha="left" if side > 0 else "right",
                va="center",
                fontsize=12,
                bbox={"facecolor": "white", "edgecolor": "none", "pad": 1},
            )
    axis.set(
        xlim=(36, 98),
        ylim=(len(accuracies) - 0.4, -1.35),
        xlabel="attack accuracy (%)",
        yticks=range(len(accuracies)),
    )
    axis.set_yticklabels([DEFENSES[name] for name in accuracies], fontsize=12)
    axis.xaxis.label.set_fontsize(12)
    axis.spines[["top", "right"]].set_visible(False)
    axis.plot([], [], "o", color=FIXED, label="attack trained on undefended outputs")
    axis.plot([], [], "D", color=RETRAINED, label="strongest attack, retrained on defended outputs")
    figure.suptitle("Retraining undoes AEPPT, not the equalized defense", fontsize=13)
    figure.legend(loc="outside lower left", frameon=False, fontsize=11)
    return figure


if __name__ == "__main__":
    draw(*read_accuracies(HERE / "results" / "equalized.json")).savefig(
        HERE / "front_page.png", dpi=160, metadata={"Software": None}
    )
