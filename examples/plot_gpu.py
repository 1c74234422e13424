"""
Run on a GPU
============

Networks, substitutes and attacks train, and the perturbation runs, on any device that torch
supports. Only ``device`` changes; on a machine without a GPU, this example runs on the CPU.
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

# Without key=, each fit takes a new key from the operating system; this one reproduces the page.
KEY = b"known to all who read this page"

device = "cuda" if torch.cuda.is_available() else "cpu"
X, y = make_purchase(4000, random_state=0)
is_member = np.arange(4000) < 2000
known = np.isin(y, y[is_member])  # drop classes that no member has
X, y, is_member = X[known], y[known], is_member[known]
net = NetworkClassifier(
    hidden_layer_sizes=(256, 128), lr=0.001, max_epochs=30, device=device, random_state=0
)
net.fit(X[is_member], y[is_member])
test_accuracy = 100 * net.score(X[~is_member], y[~is_member])
print(f"{device}: test accuracy {test_accuracy:.1f} %")

# %%
# The defender's substitute, the perturbation and an attack run on the same device. Each object
# takes its own ``device``; outputs are ordinary arrays.
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
released = query(defended, X, y)
print(f"fitted and queried with {len(X):,} records in {time.perf_counter() - start:.1f} s")
attack = MIMAttack(max_epochs=30, device=device, random_state=1)
attack.fit(query(net, X, y)[::2], is_member[::2])
for name, view in {"undefended": query(net, X, y), "AEPPT": released}.items():
    accuracy = 100 * attack.score(view[1::2], is_member[1::2])
    print(f"{name}: attack accuracy {accuracy:.1f} %")

# %%
# A model fitted on a GPU also predicts on the CPU, when its file is loaded on a machine without a
# GPU or when its network is moved. Sums are accumulated in a different order there, so the last
# digits of confidences differ; labels do not.
defended.substitute_.module_.to("cpu")
cpu = defended.perturb(query(net, X)["proba"][:500])
print(f"largest difference: {np.abs(cpu - released['proba'][:500]).max():.1e}")

# %%
# The confidence vector of a member, before and after.
plain = query(net, X)["proba"][:1]
PerturbationDisplay.from_predictions(plain, released["proba"][:1])
