"""How ``step_size="auto"`` finds AEPPT's step: held-out adversaries, and a limit of the size."""

from typing import NamedTuple

import numpy as np
from sklearn.metrics import balanced_accuracy_score
from sklearn.model_selection import train_test_split

from sklearn_aeppt._nets import torch
from sklearn_aeppt.attacks._mim import MIMAttack

LEAST_STEP, LARGEST_STEP = 1e-6, 0.1
#: At most so many records train an adversary, and so many judge a step with each.
N_KNOWN, N_SCORED = 2500, 1024
EPOCHS, BATCH_SIZE = 6, 64


class Tried(NamedTuple):
    """What a step makes of the held-out records."""

    accuracy: float  # of the strongest adversary
    l1: float
    within: bool  # whether its mean on all records stays within the limit, by two standard errors


class Adversary:
    """A MIM trained on undefended answers of one half, and the held-out rows it is scored on."""

    def __init__(self, view, is_member, known, scored, seed, device):
        # at least as many steps of the optimizer as a few hundred records give in six epochs
        mim = MIMAttack(
            max_epochs=EPOCHS * max(1, 1000 // len(known)),
            batch_size=BATCH_SIZE,
            device=device,
            random_state=seed,
        )
        self.module = mim.fit(view[known], is_member[known]).module_
        self.rows, self.is_member = scored, is_member[scored]
        self.proba = view["proba"][scored]
        self.label = torch.as_tensor(view["label"][scored], device=device)

    def accuracy(self, shown):
        """Return the balanced accuracy on shown confidences of its rows."""
        with torch.inference_mode():  # single precision is as good for a count of thousand
            logit = self.module(torch.as_tensor(shown, device=self.label.device), self.label)
        return balanced_accuracy_score(self.is_member, (logit > 0).cpu().numpy())


def adversaries(view, is_member, rng, device="cpu"):
    """Return two adversaries; each knows the half of the records that the other is scored on."""
    seed = int(rng.randint(2**31 - 1))
    halves = train_test_split(
        np.arange(len(is_member)), test_size=0.5, stratify=is_member, random_state=seed
    )
    return [
        Adversary(view, is_member, known[:N_KNOWN], scored[:N_SCORED], seed + i, device)
        for i, (known, scored) in enumerate([halves, halves[::-1]])
    ]


def search_step(games, shown, max_l1, on_step=lambda: None):
    """Return (step, what was found, warning or None).

    Parameters
    ----------
    games : list of Adversary
    shown : callable ``shown(rows, step) -> ndarray of shape (n, K)``
        The perturbation of some rows at a step.
    max_l1 : float
        Limit of the mean L1 distance, kept by two standard errors of the mean.
    on_step : callable
        Called after each step tried.
    """
    tried: dict[float, Tried] = {}

    def enough(step):
        """Try a step and return whether it fools all adversaries or goes beyond the limit."""
        answers = [shown(game.rows, step) for game in games]
        accuracy = max(game.accuracy(q) for game, q in zip(games, answers))
        sizes = np.concatenate(
            [np.abs(game.proba - q).sum(axis=1) for game, q in zip(games, answers)],
            dtype=np.float64,
        )
        # of a thousand records and more: the mean of all must stay within the limit too
        sampled = 2 * sizes.std() / np.sqrt(len(sizes))
        tried[step] = Tried(accuracy, float(sizes.mean()), bool(sizes.mean() + sampled <= max_l1))
        on_step()
        return accuracy <= 0.5 or not tried[step].within

    low = high = LEAST_STEP
    enough(low)
    # within two standard errors of a fair coin there is nothing to hide
    leaks = tried[low].accuracy > 0.5 + 1 / np.sqrt(len(games[0].rows))
    while leaks and high < LARGEST_STEP:
        high = min(8 * high, LARGEST_STEP)
        if enough(high):
            break
        low = high
    for _ in range(4 if high > low else 0):
        middle = float(np.sqrt(low * high))
        low, high = (low, middle) if enough(middle) else (middle, high)
    fooling = [step for step, found in tried.items() if found.accuracy <= 0.5 and found.within]
    step, decided_by = LEAST_STEP, "accuracy"  # where nothing leaks
    if fooling:
        step = min(fooling)
    elif leaks and not all(found.within for found in tried.values()):
        step, decided_by = _largest_within(tried), "max_l1"
    elif leaks:
        step, decided_by = _about_as_good_as_the_best(tried, len(games[0].rows)), "neither"
    steps = np.sort(list(tried))
    accuracy = np.array([tried[each].accuracy for each in steps])
    l1 = np.array([tried[each].l1 for each in steps])
    found = {"step_size": steps, "accuracy": accuracy, "l1": l1, "decided_by": decided_by}
    return float(step), found, _warning(step, found, max_l1)


def _largest_within(tried):
    """Return the largest step tried whose mean L1 is within the limit; the least if none is."""
    return max((step for step in tried if tried[step].within), default=min(tried))


def _about_as_good_as_the_best(tried, n):
    """Return the least step whose accuracy is within a standard error of the lowest."""
    limit = min(found.accuracy for found in tried.values()) + 0.5 / np.sqrt(n)
    return min(step for step in tried if tried[step].accuracy <= limit)


def _warning(step, found, max_l1):
    """Return what to say of a step that does not follow from an accuracy of 50 %."""
    if found["decided_by"] == "accuracy":
        return None
    here = np.flatnonzero(found["step_size"] == step)[0]
    within = ""
    if found["decided_by"] == "max_l1":
        within = f" within max_l1={max_l1:.3g}"
    return (
        f"No step_size up to {found['step_size'][-1]:.3g}{within} brings the held-out MIM to 50 %: "
        f"{step:.3g} leaves it at {found['accuracy'][here]:.1%} with a mean L1 of "
        f"{found['l1'][here]:.3g}. The label alone may reveal members; no output defense that "
        "keeps labels can prevent that."
    )
