"""
On a GPU
========

Networks, substitutes and attackers train, and the perturbation runs, on any device that torch
knows. Only the device changes; on a machine without a GPU this page was made on the CPU.
"""

# %%
import time

import numpy as np
import torch

from sklearn_aeppt import AEPPTClassifier
from sklearn_aeppt.attacks import MIMAttack, query
from sklearn_aeppt.datasets import make_purchase
from sklearn_aeppt.displays import PerturbationDisplay
from sklearn_aeppt.networks import NetworkClassifier

# Left out, the key is a new one from the operating system: this one makes the page's figures again.
KEY = b"known to all who read this page"

device = "cuda" if torch.cuda.is_available() else "cpu"
X, y = make_purchase(4000, random_state=0)
is_member = np.arange(4000) < 2000
known = np.isin(y, y[is_member])  # classes that no member has are none of the model's
X, y, is_member = X[known], y[known], is_member[known]
net = NetworkClassifier(hidden=(256, 128), lr=0.001, max_epochs=30, device=device, random_state=0)
net.fit(X[is_member], y[is_member])
print(f"{device}: {net.score(X[~is_member], y[~is_member]):.1%} of the others rightly labeled")

# %%
# The defender's substitute and the perturbation, and an attacker, on the same device. Each object
# says where it works; answers are ordinary arrays.
defended = AEPPTClassifier(
    net,
    step_size=1e-4,
    substitute=MIMAttack("substitute", max_epochs=30, device=device),
    device=device,
    key=KEY,
    random_state=0,
)
start = time.perf_counter()
defended.fit(X, y, is_member=is_member)
shown = query(defended, X, y)
print(f"fitted and asked about {len(X):,} records in {time.perf_counter() - start:.1f} s")
attack = MIMAttack(max_epochs=30, device=device, random_state=1)
attack.fit(query(net, X, y)[::2], is_member[::2])
for name, view in {"undefended": query(net, X, y), "AEPPT": shown}.items():
    print(f"{name}: {attack.score(view[1::2], is_member[1::2]):.1%}")

# %%
# A model that was fitted on a GPU answers on the CPU too: a file of it, where it is loaded without
# a GPU, or with its network moved. Sums run in another order there, so that confidences differ in
# their last digits; labels do not.
defended.substitute_.module_.to("cpu")
cpu = defended.perturb(query(net, X)["proba"][:500])
print(f"largest difference: {np.abs(cpu - shown['proba'][:500]).max():.1e}")

# %%
# What a member's answer became.
plain = query(net, X)["proba"][:1]
PerturbationDisplay.from_predictions(plain, shown["proba"][:1])
