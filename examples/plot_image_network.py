"""
A convolutional network, on a GPU if available
==============================================

A skorch classifier is a scikit-learn estimator, so it is wrapped without changes. ``device`` moves
both the network and the defender's substitute to a GPU.
"""

# %%
# A small network on images of 8 by 8 pixels, deliberately overtrained.
import matplotlib.pyplot as plt
import numpy as np
import torch
from sklearn.datasets import load_digits
from skorch import NeuralNetClassifier
from torch import nn

from sklearn_aeppt import AEPPTClassifier, EqualizedClassifier
from sklearn_aeppt.displays import PerturbationDisplay

# Without key=, each fit takes a new key from the operating system; this one reproduces the page.
KEY = b"known to all who read this page"

device = "cuda" if torch.cuda.is_available() else "cpu"
print(f"device: {device}")
X, y = load_digits(return_X_y=True)
X = (X / 16).astype(np.float32).reshape(-1, 1, 8, 8)
rng = np.random.default_rng(0)
y = np.where(rng.random(len(y)) < 0.2, rng.integers(10, size=len(y)), y)
is_member = rng.random(len(y)) < 0.5


class Network(nn.Sequential):
    def __init__(self):
        super().__init__(
            nn.Conv2d(1, 32, 3, padding=1), nn.ReLU(),
            nn.Conv2d(32, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Flatten(), nn.Linear(512, 128), nn.ReLU(), nn.Linear(128, 10),
        )  # fmt: skip


torch.manual_seed(0)
model = NeuralNetClassifier(
    Network, criterion=nn.CrossEntropyLoss, optimizer=torch.optim.Adam, lr=0.002,
    max_epochs=40, train_split=None, verbose=0, device=device,
).fit(X[is_member], y[is_member])  # fmt: skip
for side, rows in (("train", is_member), ("test", ~is_member)):
    print(f"{side} accuracy {100 * model.score(X[rows], y[rows]):.1f} %")

# %%
# The paper's defense trains its substitute of the attack model on the same device.
aeppt = AEPPTClassifier(model, step_size=1e-3, device=device, key=KEY, random_state=0)
aeppt.fit(X, y, is_member=is_member)
equalized = EqualizedClassifier(model, key=KEY, random_state=0).fit(X, y, is_member=is_member)

# %%
# The confidence vector of a member, before and after each defense.
fig, axes = plt.subplots(1, 2, figsize=(9, 3.2), layout="constrained")
record = X[is_member][:1]
for ax, (name, defense) in zip(axes, {"AEPPT": aeppt, "equalized": equalized}.items()):
    display = PerturbationDisplay.from_predictions(
        model.predict_proba(record), defense.predict_proba(record), ax=ax
    )
    display.ax_.set_title(name)
plt.show()
