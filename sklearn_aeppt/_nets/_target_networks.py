"""The paper's target networks."""

from functools import cache
from itertools import pairwise
from numbers import Integral, Real

import numpy as np
import torch
from torch import nn

from sklearn_aeppt._nets._saved_module import check_width, check_widths
from sklearn_aeppt._nets._three_branch import linear, linear_shapes

ACTIVATIONS = {"tanh": nn.Tanh, "relu": nn.ReLU}
IMAGE = (32, 32, 3)
#: AlexNet's convolutions: place in the network -> channels in and out, width of the kernel.
ALEXNET_MAPS = {
    1: (3, 64, 11), 4: (64, 192, 5), 7: (192, 384, 3), 9: (384, 256, 3), 11: (256, 256, 3),
}  # fmt: skip


def _arguments(n_features, n_classes, hidden_layer_sizes, activation, dropout, seed):
    return {
        "n_features": n_features, "n_classes": n_classes, "hidden_layer_sizes": hidden_layer_sizes,
        "activation": activation, "dropout": dropout, "seed": seed,
    }  # fmt: skip


def _check_arguments(n_features, n_classes, hidden_layer_sizes, activation, dropout, seed):
    check_width("n_features", n_features)
    check_width("n_classes", n_classes)
    check_widths("hidden_layer_sizes", hidden_layer_sizes)
    if not isinstance(activation, str) or activation not in ACTIVATIONS:
        raise ValueError(f"activation={activation!r:.80} is not one of {', '.join(ACTIVATIONS)}")
    # typeshed does not compare a Real with an int
    if not isinstance(dropout, Real) or not 0 <= dropout < 1:  # type: ignore[operator]
        raise ValueError(f"dropout={dropout!r:.80} is not in [0, 1)")
    if not isinstance(seed, Integral) or not 0 <= int(seed) < 2**32:
        raise ValueError(f"seed={seed!r:.80} is not a seed")


class FullyConnected(nn.Sequential):
    """Linear layers with an activation, and maybe dropout, between them; one logit a class."""

    def __init__(self, n_features, n_classes, hidden_layer_sizes, activation, dropout, seed):
        generator = torch.Generator().manual_seed(seed)
        layers = []
        for n_in, n_out in pairwise((n_features, *hidden_layer_sizes)):
            layers += [linear(n_in, n_out, generator), ACTIVATIONS[activation]()]
            layers += [Dropout(dropout, generator)] if dropout else []
        super().__init__(
            *layers, linear((n_features, *hidden_layer_sizes)[-1], n_classes, generator)
        )
        self.arguments = _arguments(
            n_features, n_classes, hidden_layer_sizes, activation, dropout, seed
        )

    @staticmethod
    def weight_shapes(n_features, n_classes, hidden_layer_sizes, activation, dropout, seed):
        """Return name -> shape of the weights of such a network; nothing is allocated."""
        _check_arguments(n_features, n_classes, hidden_layer_sizes, activation, dropout, seed)
        step = 3 if dropout else 2  # a linear layer, the activation, maybe dropout
        pairs = pairwise((n_features, *hidden_layer_sizes, n_classes))
        return linear_shapes({str(step * i): pair for i, pair in enumerate(pairs)})


class AlexNet(nn.Sequential):
    """AlexNet for images of 32 by 32: five convolutions, three of them pooled, one linear layer."""

    def __init__(self, n_features, n_classes, hidden_layer_sizes, activation, dropout, seed):
        generator = torch.Generator().manual_seed(seed)
        act = ACTIVATIONS[activation]

        def conv(n_in, n_out, size, kind=nn.Conv2d, **kwargs):
            layer = nn.utils.skip_init(kind, n_in, n_out, size, **kwargs)
            bound = 1 / np.sqrt(n_in * size**2)
            with torch.no_grad():
                layer.weight.uniform_(-bound, bound, generator=generator)
                layer.bias.uniform_(-bound, bound, generator=generator)
            return [layer, act()]

        super().__init__(
            _Images(),
            *conv(*ALEXNET_MAPS[1], stride=4, padding=5),
            nn.MaxPool2d(2),
            *conv(*ALEXNET_MAPS[4], _SmallConv, padding=2),
            nn.MaxPool2d(2),
            *conv(*ALEXNET_MAPS[7], _SmallConv, padding=1),
            *conv(*ALEXNET_MAPS[9], _SmallConv, padding=1),
            *conv(*ALEXNET_MAPS[11], _SmallConv, padding=1),
            nn.MaxPool2d(2),
            nn.Flatten(),
            *([Dropout(dropout, generator)] if dropout else []),
            linear(256, n_classes, generator),
        )
        self.arguments = _arguments(
            n_features, n_classes, hidden_layer_sizes, activation, dropout, seed
        )

    @staticmethod
    def weight_shapes(n_features, n_classes, hidden_layer_sizes, activation, dropout, seed):
        """Return name -> shape of the weights of such a network; nothing is allocated."""
        _check_arguments(n_features, n_classes, hidden_layer_sizes, activation, dropout, seed)
        shapes = linear_shapes({"16" if dropout else "15": (256, n_classes)})
        for place, (n_in, n_out, size) in ALEXNET_MAPS.items():
            shapes |= {f"{place}.weight": (n_out, n_in, size, size), f"{place}.bias": (n_out,)}
        return shapes


class _SmallConv(nn.Conv2d):
    """A convolution that keeps the size of its small square maps, as one product of matrices.

    Most places on which its kernel lies are padding, 20 of 36 for 3 by 3 over 2 by 2: multiplied
    out it is a linear map between all points of one map and all of the next.
    """

    def forward(self, X):
        (n_out, n_in), side = self.weight.shape[:2], X.shape[-1]
        kernel = self.weight.permute(2, 3, 1, 0).reshape(-1, n_in, n_out)
        kernel = torch.cat([kernel, kernel.new_zeros(1, n_in, n_out)])
        linear = kernel[_places(side, self.kernel_size[0])].transpose(1, 2)
        Y = X.permute(0, 2, 3, 1).reshape(len(X), -1) @ linear.reshape(side**2 * n_in, -1)
        return (Y.reshape(len(X), side, side, n_out) + self.bias).permute(0, 3, 1, 2)


@cache
def _places(side, size):
    """Return which place of a kernel joins each two points of a map; size**2 if none does."""
    step = torch.arange(side)[:, None] - torch.arange(side) + size // 2  # input less output
    y, x = step[:, None, :, None], step[None, :, None, :]
    hit = (y >= 0) & (y < size) & (x >= 0) & (x < size)
    return torch.where(hit, size * y + x, size**2).reshape(side**2, side**2)


class _Images(nn.Module):
    """Rows of pixels to centered images, channels first."""

    def forward(self, X):
        return X.reshape(-1, *IMAGE).permute(0, 3, 1, 2) * 2 - 1


class Dropout(nn.Module):
    """nn.Dropout that draws from a generator of its own: the global one is not ours to move."""

    def __init__(self, share, generator):
        super().__init__()
        self.share, self.seed = share, generator.initial_seed()
        self.generator = None

    def forward(self, X):
        if not self.training:
            return X
        kept = torch.rand(X.shape, device=X.device, generator=self.draws(X.device)) >= self.share
        return X * kept / (1 - self.share)

    def draws(self, device):
        """Return the layer's generator."""
        if self.generator is None:
            self.generator = torch.Generator(device).manual_seed(self.seed)
        return self.generator

    def __getstate__(self):  # a generator can be neither copied nor pickled everywhere
        return {**self.__dict__, "generator": None}


#: Name -> network.
MODULES = {"fully_connected": FullyConnected, "alexnet": AlexNet}
