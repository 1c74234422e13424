"""The paper's tables: each function yields the rows of one target."""

import time

import numpy as np
from sklearn.frozen import FrozenEstimator

from sklearn_aeppt import AEPPTClassifier
from sklearn_aeppt._slices import slice_dict
from sklearn_aeppt.attacks import (
    AdversarialTrainingAttack,
    FlipAttack,
    GradientBoostingAttack,
    MIMAttack,
    RoundingAttack,
)
from sklearn_aeppt.defenses import MemGuardClassifier
from sklearn_aeppt.metrics import perturbation_size

STEPS = (1e-6, 3e-6, 1e-5, 3e-5, 1e-4, 3e-4, 1e-3)


def table2(game):
    """The target's accuracy with and without AEPPT; the paper's literal clip beside ours."""
    chosen = game.defend()
    literal = game.defend(
        step_size=chosen.step_size_, normalize=False, query_noise="fresh"
    )  # as published: clipped, not renormalized, new draws at each query
    for name, defense in (("none", None), ("AEPPT", chosen), ("AEPPT, as published", literal)):
        view = game.plain if defense is None else game.show(defense)
        right = view["proba"].argmax(axis=1) == game.y
        yield {
            **game.target, "defense": name,
            "shown train accuracy": float(right[game.is_member].mean()),
            "shown test accuracy": float(right[~game.is_member].mean()),
            "step": 0.0 if defense is None else defense.step_size_,
            **game.outcome(view),
        }  # fmt: skip


def table3(game):
    """Inference accuracy, precision and recall of the fixed MIM0 for each step size."""
    attack = game.attacker()
    yield {**game.target, "step": 0.0, **game.judge(attack, game.plain)}
    for step in STEPS:
        view = game.show(game.defend(step_size=step))
        yield {**game.target, "step": step, **game.judge(attack, view)}


def table4(game):
    """The fixed MIM0, a retrained attacker and the perturbation's size for each step size."""
    boosting, p = GradientBoostingAttack(random_state=game.seed), game.plain["proba"]
    for step in (0.0, *STEPS):
        view = game.plain if step == 0 else game.show(game.defend(step_size=step))
        q = view["proba"]
        yield {
            **game.target, "step": step,
            "fixed MIM0": game.judge(game.attacker(), view)["accuracy"],
            "boosting retrained": game.judge(game.attacker(view, boosting), view)["accuracy"],
            "labels kept": float((p.argmax(axis=1) == q.argmax(axis=1)).mean()),
            "mean L1": perturbation_size(p, q), "mean L2": perturbation_size(p, q, ord=2),
            "mean max": perturbation_size(p, q, ord=np.inf),
        }  # fmt: skip


def table5(game):
    """The attack before and after, for targets of 2, 10, 20, 50 and 100 classes."""
    defense = game.defend()
    for name, view in (("none", game.plain), ("AEPPT", game.show(defense))):
        yield {**game.target, "classes": game.p.shape[1], "defense": name, **game.outcome(view)}


def mims(game):
    """Return name -> the paper's adversary models, trained on undefended answers."""
    options = {"max_epochs": game.max_epochs, "random_state": game.seed + 100}
    found = {
        "MIM0": game.attacker(),
        "MIM1 (other structure)": game.attacker(attack=MIMAttack("mim1", **options)),
        "MIM2 (squared error)": game.attacker(attack=MIMAttack("mim0", loss="l2", **options)),
    }
    # MIM3: its non-members come from another distribution
    known = game.known
    strangers = known[~game.is_member[known]]
    rows = np.random.default_rng(game.seed).integers(len(game.foreign), size=len(strangers))
    view = slice_dict(proba=game.plain["proba"].copy(), label=game.plain["label"].copy())
    view["proba"][strangers] = game.foreign[rows]
    view["label"][strangers] = game.foreign[rows].argmax(axis=1)
    found["MIM3 (other data)"] = game.attacker(view)
    return found


def table7(game):
    """Adversary models of another structure, loss or data than the substitute's."""
    shown = game.show(game.defend())
    for name, attack in mims(game).items():
        before, after = (game.judge(attack, view) for view in (game.plain, shown))
        yield {
            **game.target, "MIM": name,
            **{f"{key}, undefended": value for key, value in before.items()},
            **{f"{key}, AEPPT": value for key, value in after.items()},
        }  # fmt: skip


def table8(game):
    """Adaptive attackers: flip, rounding and adversarial training, and who simply retrains."""
    defense = game.defend()
    shown, fixed = game.show(defense), game.attacker()
    mim = MIMAttack(max_epochs=game.max_epochs, random_state=game.seed + 100)
    own = AEPPTClassifier(
        None, step_size=defense.step_size_, random_state=game.seed + 1,
        substitute=MIMAttack("substitute", max_epochs=game.max_epochs),
    )  # fmt: skip
    half = game.is_member[game.known]
    attackers = {
        "none (MIM0 as it is)": fixed,
        "flip": FlipAttack(FrozenEstimator(fixed)).fit(game.plain[game.known], half),
        "rounding, trained on undefended answers": game.attacker(attack=RoundingAttack(mim)),
        "adversarial training": game.attacker(attack=AdversarialTrainingAttack(mim, own)),
        "rounding, retrained": game.attacker(shown, RoundingAttack(mim)),
        "MIM0, retrained": game.attacker(shown),
        "boosting, retrained": game.attacker(shown, GradientBoostingAttack(random_state=game.seed)),
    }
    for name, attack in attackers.items():
        yield {**game.target, "adaptive attack": name, **game.judge(attack, shown)}


def table9(game):
    """AEPPT beside MemGuard: protection, perturbation and time."""
    defenses = {
        "AEPPT": game.defend(),
        "MemGuard": MemGuardClassifier(game.model, random_state=game.seed).fit(
            game.p, game.y, is_member=game.is_member
        ),
    }
    yield {**game.target, "defense": "none", **game.outcome(game.plain), "µs a record": 0.0}
    for name, defense in defenses.items():
        start = time.perf_counter()
        view = game.show(defense)
        seconds = time.perf_counter() - start
        yield {
            **game.target, "defense": name, **game.outcome(view),
            "µs a record": 1e6 * seconds / len(game.y),
        }  # fmt: skip
