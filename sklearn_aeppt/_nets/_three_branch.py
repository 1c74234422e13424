"""The paper's membership inference networks: prediction branch and label branch, joined."""

from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from sklearn_aeppt._nets._saved_module import check_width, check_widths

#: Widths of the hidden layers of each branch; a further architecture costs one line.
ARCHITECTURES: dict[str, dict[str, Any]] = {
    "substitute": {"prediction": (256,), "label": (256,), "joint": (64,)},
    "mim0": {"prediction": (1024, 512, 64), "label": (512, 64), "joint": (256, 64)},
    "mim1": {"prediction": (), "label": (), "joint": (1024, 512, 256)},
}


def linear(n_in, n_out, generator):
    """nn.Linear with torch's own initialization, drawn from `generator` and not from the globals.

    Seeding torch globally, even for a moment, would disturb other threads.
    """
    layer = nn.utils.skip_init(nn.Linear, n_in, n_out)
    bound = 1 / np.sqrt(n_in)
    with torch.no_grad():
        layer.weight.uniform_(-bound, bound, generator=generator)
        layer.bias.uniform_(-bound, bound, generator=generator)
    return layer


def linear_shapes(layers):
    """Return name -> shape of the weights of linear layers, name -> (inputs, outputs)."""
    shapes = {f"{name}.weight": (n_out, n_in) for name, (n_in, n_out) in layers.items()}
    return shapes | {f"{name}.bias": (n_out,) for name, (_, n_out) in layers.items()}


class ThreeBranch(nn.Module):
    """Prediction branch and label branch, joined; ReLU throughout; one membership logit.

    Parameters
    ----------
    n_classes : int
        K, the number of classes of the target.
    prediction, label, joint : tuple of int
        Hidden widths of the branches. An empty branch hands its input on, so that two empty
        ones make a plain network over the confidences and the one-hot label.
    seed : int
        Seed of the initial weights.

    References
    ----------
    Nasr, Shokri, Houmansadr (2018), "Machine learning with membership privacy using adversarial
    regularization", Fig. 3; AEPPT, Section 5.2.
    """

    def __init__(self, n_classes, prediction, label, joint, seed=0):
        super().__init__()
        self.arguments = {
            "n_classes": n_classes, "prediction": prediction, "label": label, "joint": joint,
        }  # fmt: skip
        generator = torch.Generator().manual_seed(seed)

        def stack(widths):
            return nn.ModuleList(linear(a, b, generator) for a, b in pairwise(widths))

        self.n_classes = n_classes
        self.prediction = stack((n_classes, *prediction))
        self.label = stack((n_classes, *label))
        width = (n_classes, *prediction)[-1] + (n_classes, *label)[-1]
        self.joint = stack((width, *joint))
        self.output = linear((width, *joint)[-1], 1, generator)

    @staticmethod
    def weight_shapes(n_classes, prediction, label, joint):
        """Return name -> shape of the weights of such a network; nothing is allocated."""
        check_width("n_classes", n_classes)
        branches = {"prediction": prediction, "label": label, "joint": joint}
        for name, widths in branches.items():
            check_widths(name, widths)
        ends = [(n_classes, *widths)[-1] for widths in (prediction, label)]
        starts = {"prediction": n_classes, "label": n_classes, "joint": sum(ends)}
        layers = {"output": ((starts["joint"], *joint)[-1], 1)}
        for name, widths in branches.items():
            pairs = pairwise((starts[name], *widths))
            layers |= {f"{name}.{i}": pair for i, pair in enumerate(pairs)}
        return linear_shapes(layers)

    def embed(self, label):
        """Return the label branch's output; its first layer is a look-up, not a product."""
        if not self.label:
            return F.one_hot(label, self.n_classes).to(self.output.weight.dtype)
        first, *rest = self.label
        hidden = torch.relu(F.embedding(label, first.weight.T) + first.bias)
        for layer in rest:
            hidden = torch.relu(layer(hidden))
        return hidden

    def forward(self, proba, label):
        """Return the membership logit, shape (n,), of confidences (n, K) and labels (n,)."""
        hidden = proba
        for layer in self.prediction:
            hidden = torch.relu(layer(hidden))
        hidden = torch.cat([hidden, self.embed(label)], dim=1)
        for layer in self.joint:
            hidden = torch.relu(layer(hidden))
        return self.output(hidden).squeeze(1)
