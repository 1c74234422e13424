"""Every defense of the answers in one picture, with the least perturbation that any needs."""

import numpy as np

from examples.studies._data import key_from, made_up, tables
from examples.studies.defenses import draw, no_models, play
from examples.studies.equalized import defenses
from sklearn_aeppt import EqualizedClassifier
from sklearn_aeppt.displays import TradeoffDisplay
from sklearn_aeppt.networks import NetworkClassifier

DELTAS = (0.0, 0.1, 0.2, 0.3, 0.4)


def run(scale="paper", seed=0, data=None):
    """Return (tables, figure): each defense's excess and L1, and the linear program's limit.

    The paper's network on 1,500 members of location30 (made-up records without `data`). The limit
    is computed on the answers to all members and non-members, and holds for defenses that change
    the largest confidence; it is what a perfect attacker on it would still gain.
    """
    from matplotlib.figure import Figure

    smoke = scale != "paper"
    n, net = (
        (150, {"hidden_layer_sizes": (32,), "lr": 0.01, "max_epochs": 20}) if smoke else (1500, {})
    )
    X, y = made_up(np.random.default_rng(seed), 2 * n)
    if data is not None:
        X, y = tables(data)["location30"]
    X, y, is_member = draw(X, y, n, seed)
    rows = play("location30" if data else "made-up", seed, X, y, is_member, net, family, no_models)
    model = NetworkClassifier(**net, random_state=seed).fit(X[is_member], y[is_member])
    limit = EqualizedClassifier(model, cost="l1").fit(X, y, is_member=is_member).frontier()
    floor = rows[0]["label-only floor"]
    figure = Figure(figsize=(8, 6.2), layout="constrained")
    ax = figure.subplots()
    families = {}
    for row in rows:
        title = row["data"].split(": ")[1]
        families.setdefault(title.split(" (delta")[0], []).append(row)
    for i, (title, group) in enumerate(families.items()):
        size, excess = ([row[key] for row in group] for key in ("mean L1", "strongest retrained"))
        TradeoffDisplay.from_predictions(
            size, excess, floor, name=title, excess=True, ax=ax,
            limit=(limit["l1"], floor + limit["excess"]) if i == 0 else None,
        )  # fmt: skip
    points = [{key: float(limit[key][i]) for key in limit} for i in range(len(limit["l1"]))]
    return {"runs": rows, "the limit": points}, figure


def family(model, seed):
    """Return the defenses, and the equalized one for several delta."""
    found = defenses(model, seed)
    for cost, title in (("l1", "equalized, cost L1"), ("log_loss", "equalized, cost log loss")):
        del found[title]
        for delta in DELTAS:
            found[f"{title} (delta {delta:g})"] = EqualizedClassifier(
                model, cost=cost, delta=delta, key=key_from("frontier", seed), random_state=seed
            )
    return found
