"""Draws below_the_floor.png: what is told of training and of new records, without and with it."""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import make_moons
from sklearn.ensemble import RandomForestClassifier

from sklearn_aeppt import OutOfFoldClassifier

MEMBER, OTHER = "#b2182b", "#2166ac"

X, y = make_moons(2400, noise=0.35, random_state=0)
members, others = slice(0, 120), slice(400, 2400)
model = RandomForestClassifier(200, random_state=0).fit(X[members], y[members])
defended = OutOfFoldClassifier(model, bandwidth=0.0, random_state=0).fit(X[members], y[members])
low, high = X[:400].min(axis=0), X[:400].max(axis=0)
grid = np.stack(np.meshgrid(*np.linspace(low, high, 240).T), axis=-1)

figure, axes = plt.subplots(2, 2, figsize=(9, 6.4), height_ratios=[2, 1], layout="constrained")
for (space, counts), target, title in zip(
    axes.T, (model, defended), ("the model", "OutOfFoldClassifier"), strict=True
):
    shown = target.predict_proba(grid.reshape(-1, 2))[:, 1].reshape(grid.shape[:2])
    space.contourf(grid[..., 0], grid[..., 1], shown, np.linspace(0, 1, 11), cmap="PuOr", alpha=0.7)
    for label, marker in ((0, "o"), (1, "^")):
        at = X[members][y[members] == label]
        space.scatter(*at.T, marker=marker, s=22, c="white", edgecolors="black", linewidths=0.8)
    space.set(title=f"{title}: confidence of the triangles", xticks=[], yticks=[])
    for rows, color, who in ((members, MEMBER, "training records"), (others, OTHER, "new records")):
        p = target.predict_proba(X[rows])[np.arange(len(y[rows])), y[rows]]
        weights = np.full(len(p), 1 / len(p))
        counts.hist(p, np.linspace(0, 1, 13), weights=weights, color=color, alpha=0.55, label=who)
    counts.set(xlabel="confidence in the true class", ylim=(0, 0.75), ylabel="share of records")
    counts.legend(loc="upper left")
figure.savefig(Path(__file__).with_suffix(".png"), dpi=110)
