"""How the perturbed vector returns to the simplex: the size that each way needs."""

import numpy as np
import torch
from skorch.helper import SliceDict
from tqdm.auto import tqdm

from examples.studies._data import games
from sklearn_aeppt._nets._perturbation import AnalyticGradient
from sklearn_aeppt._simplex import to_simplex
from sklearn_aeppt.attacks import MIMAttack, query
from sklearn_aeppt.metrics import perturbation_size
from sklearn_aeppt.paper._experiments import summary

WAYS = {
    "divide once, at the end": {},
    "divide in each iteration": {"divide": True},
    "sum-preserving steps": {"centered": True},
    "steps in logits": {"logits": True},
    "project at the end (Euclidean)": {"project": True},
}


def run(scale="paper", seed=0, data=None):
    """Return, for each way, the size at which a fixed MIM0 is at 50 %, and its cost in labels."""
    rows = [
        {"data": f"{name}: {way}", "seed": s, **figures}
        for name, s, model, X, y, is_member in games(scale, seed, data)
        for way, figures in measure(model, X, y, is_member, s)
    ]
    return {"runs": rows, "mean and standard deviation over seeds": summary(rows)}


def measure(model, X, y, is_member, seed):
    """Yield (way, figures) of each way back to the simplex, for one target."""
    view, known = query(model, X, y), np.random.default_rng(seed).random(len(X)) < 0.5
    substitute = MIMAttack("substitute", random_state=seed).fit(query(model, X), is_member)
    attack = MIMAttack(random_state=seed + 100).fit(view[known], is_member[known])
    p, label = view["proba"], view["proba"].argmax(1)
    gradient = AnalyticGradient(substitute.module_)

    def at(step, options):
        q = iterate(gradient, p, label, step, seed, **options)
        shown = to_simplex(p, q, label)
        seen = SliceDict(proba=shown, label=view["label"])[~known]
        return attack.score(seen, is_member[~known]), shown, (q.argmax(1) != label).mean()

    for way, options in tqdm(WAYS.items()):
        low, high = 1e-6, 1.0
        for _ in range(12):  # bisection in the logarithm of the step
            middle = float(np.sqrt(low * high))
            low, high = (low, middle) if at(middle, options)[0] <= 0.5 else (middle, high)
        accuracy, shown, crossed = at(high, options)
        yield (
            way,
            {
                "MIM0": float(accuracy),
                "step": high,
                "mean L1": perturbation_size(p, shown),
                "mean L2": perturbation_size(p, shown, ord=2),
                "labels crossed before going back": float(crossed),
            },
        )


def iterate(
    gradient, p, label, step, seed, *, divide=False, centered=False, logits=False, project=False
):
    """Return `p` after 100 iterations of Algorithm 1 or of a variant of it."""
    generator = torch.Generator().manual_seed(seed)
    with torch.inference_mode():
        q = torch.tensor(p)
        z = q.clamp_min(1e-12).log() if logits else None
        slope = gradient.bind(q, torch.tensor(label))
        uphill = step * torch.where(slope.logit() >= 0, -1.0, 1.0)
        for r in torch.rand(100, len(p), generator=generator):
            g, move = slope(), (r * uphill)[:, None]
            if logits:
                z += move * (q * (g - (q * g).sum(1, keepdim=True))).sign()
                q.copy_(torch.softmax(z, dim=1))
                continue
            direction = g.sign()
            if centered:
                direction -= direction.mean(1, keepdim=True)
            q.addcmul_(direction, move).clamp_(0, 1)
            if divide:
                q /= q.sum(1, keepdim=True)
    return onto_simplex(q.numpy()) if project else q.numpy()


def onto_simplex(q):
    """Return the nearest probability vector of each row (Duchi et al. 2008)."""
    falling = -np.sort(-q, axis=1)
    excess = (falling.cumsum(axis=1) - 1) / np.arange(1, q.shape[1] + 1)
    last = (falling > excess).sum(axis=1) - 1
    return np.maximum(q - excess[np.arange(len(q)), last][:, None], 0)
