"""The paper's figures: each function yields the rows of one target, and may draw."""

import numpy as np
from scipy.stats import ks_2samp
from sklearn.model_selection import train_test_split

from sklearn_aeppt.defenses import RoundingClassifier, TemperatureClassifier, TopKClassifier
from sklearn_aeppt.displays import ClassCdfDisplay, IterationLossDisplay, PerturbationDisplay
from sklearn_aeppt.metrics import perturbation_size
from sklearn_aeppt.paper._tables import STEPS, mims


def figure4(game, figure):
    """The largest confidence of members and non-members, before and after: how far apart."""
    shown = game.show(game.defend())
    commonest = np.argsort(-np.bincount(game.y), kind="stable")[:2]
    axes = None if figure is None else figure.subplots(2, 2)
    for i, (name, view) in enumerate((("undefended", game.plain), ("AEPPT", shown))):
        top = view["proba"].max(axis=1)
        if axes is not None:
            ClassCdfDisplay.from_predictions(
                top, game.y, game.is_member, classes=commonest, ax=axes[i],
                xlabel=f"Top confidence, {name} (probability)",
            )  # fmt: skip
        apart = [
            ks_2samp(top[mine & game.is_member], top[mine & ~game.is_member]).statistic
            for mine in (game.y == c for c in np.unique(game.y))
            if (mine & game.is_member).any() and (mine & ~game.is_member).any()
        ]
        yield {
            **game.target, "shown": name, "classes": len(apart),
            "mean distance of the CDFs": float(np.mean(apart)),
            "distance over all classes": float(
                ks_2samp(top[game.is_member], top[~game.is_member]).statistic
            ),
        }  # fmt: skip


def figure5(game, figure):
    """The substitute's loss for its first belief along the iterations."""
    defense = game.defend()
    rows = np.random.default_rng(game.seed).permutation(len(game.y))[:2000]
    ax = None if figure is None else figure.subplots()
    display = IterationLossDisplay.from_estimator(
        defense, game.p[rows], game.is_member[rows], ax=ax
    )
    for iteration in np.unique(np.linspace(0, len(display.loss) - 1, 11).astype(int)):
        loss = display.loss[iteration]
        yield {
            **game.target, "iteration": int(iteration),
            "median loss, members": float(np.median(loss[display.is_member])),
            "median loss, non-members": float(np.median(loss[~display.is_member])),
            "changed its mind": float((loss > np.log(2)).mean()),
        }  # fmt: skip


def figure6(game, figure):
    """The confidence vector of one record on each side, before and after."""
    defense, right = game.defend(), game.p.argmax(axis=1) == game.y
    axes = (None, None) if figure is None else figure.subplots(1, 2)
    for ax, name, side in zip(axes, ("member", "non-member"), (game.is_member, ~game.is_member)):
        record = int(np.flatnonzero(side & right)[0])
        p = game.p[record : record + 1]
        q = defense.perturb(p)
        if ax is not None:
            PerturbationDisplay.from_predictions(p, q, ax=ax).ax_.set_title(name)
        yield {
            **game.target, "record": name, "label kept": bool(p.argmax() == q.argmax()),
            "L1": perturbation_size(p, q), "largest before": float(p.max()),
            "largest after": float(q.max()),
        }  # fmt: skip


def figure7(game):
    """The share of the records whose membership the adversary knows: a half, a fourth, a tenth."""
    shown = game.show(game.defend())
    for share in (0.5, 0.25, 0.1):
        known = game.known
        if share < 0.5:
            known, _ = train_test_split(
                known, train_size=2 * share, stratify=game.is_member[known], random_state=game.seed
            )
        fixed, adaptive = game.attacker(known=known), game.attacker(shown, known=known)
        yield {
            **game.target, "share": share,
            "MIM0, undefended": game.judge(fixed, game.plain)["accuracy"],
            "MIM0, AEPPT": game.judge(fixed, shown)["accuracy"],
            "MIM0 retrained, AEPPT": game.judge(adaptive, shown)["accuracy"],
        }  # fmt: skip


def figure8(game):
    """MIM1 to MIM3 for each step size."""
    attackers = mims(game)
    for step in (0.0, *STEPS):
        view = game.plain if step == 0 else game.show(game.defend(step_size=step))
        yield {
            **game.target, "step": step,
            **{name: game.judge(attack, view)["accuracy"] for name, attack in attackers.items()},
        }  # fmt: skip


def figure9(game):
    """Other defenses of the answers beside AEPPT."""
    own = game.model
    defenses = {
        "rounding, 3 decimals": RoundingClassifier(own, decimals=3),
        "rounding, 2 decimals": RoundingClassifier(own, decimals=2),
        "top 3": TopKClassifier(own, k=min(3, game.p.shape[1])),
        "top 1": TopKClassifier(own, k=1),
        "temperature 5": TemperatureClassifier(own, temperature=5.0),
    }
    for defense in defenses.values():
        defense.fit(game.p, game.y, is_member=game.is_member)
    yield {**game.target, "defense": "none", **game.outcome(game.plain)}
    for name, defense in {"AEPPT": game.defend(), **defenses}.items():
        yield {**game.target, "defense": name, **game.outcome(game.show(defense))}
