"""The paper's target networks behind a scikit-learn face."""

import json
import os
import warnings
from copy import deepcopy
from functools import cache
from io import BytesIO
from itertools import pairwise
from numbers import Integral, Real
from pathlib import Path

import joblib
import numpy as np
import torch
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data
from skorch.callbacks import Callback, ProgressBar
from skorch.history import History
from torch import nn

from sklearn_aeppt import __version__
from sklearn_aeppt._mim import TensorBatches, _linear, _Net, linear_shapes
from sklearn_aeppt._one_step import OneStep
from sklearn_aeppt._saved_module import SavedModule, check_width, check_widths
from sklearn_aeppt._saving import writing

__all__ = ["NetworkClassifier"]

ACTIVATIONS = {"tanh": nn.Tanh, "relu": nn.ReLU}
IMAGE = (32, 32, 3)
#: AlexNet's convolutions: place in the network -> channels in and out, width of the kernel.
ALEXNET_MAPS = {
    1: (3, 64, 11), 4: (64, 192, 5), 7: (192, 384, 3), 9: (384, 256, 3), 11: (256, 256, 3),
}  # fmt: skip
ZIP_START = b"PK\x03\x04"  # of what torch saves


def _arguments(n_features, n_classes, hidden, activation, dropout, seed):
    return {
        "n_features": n_features, "n_classes": n_classes, "hidden": hidden,
        "activation": activation, "dropout": dropout, "seed": seed,
    }  # fmt: skip


def _check_arguments(n_features, n_classes, hidden, activation, dropout, seed):
    check_width("n_features", n_features)
    check_width("n_classes", n_classes)
    check_widths("hidden", hidden)
    if not isinstance(activation, str) or activation not in ACTIVATIONS:
        raise ValueError(f"activation={activation!r:.80} is none of {', '.join(ACTIVATIONS)}")
    if not isinstance(dropout, Real) or not 0 <= dropout < 1:
        raise ValueError(f"dropout={dropout!r:.80} is not in [0, 1)")
    if not isinstance(seed, Integral) or not 0 <= seed < 2**32:
        raise ValueError(f"seed={seed!r:.80} is not a seed")


class FullyConnected(nn.Sequential):
    """Linear layers with an activation, and maybe dropout, between them; one logit a class."""

    def __init__(self, n_features, n_classes, hidden, activation, dropout, seed):
        generator = torch.Generator().manual_seed(seed)
        layers = []
        for n_in, n_out in pairwise((n_features, *hidden)):
            layers += [_linear(n_in, n_out, generator), ACTIVATIONS[activation]()]
            layers += [_Dropout(dropout, generator)] if dropout else []
        super().__init__(*layers, _linear((n_features, *hidden)[-1], n_classes, generator))
        self.arguments = _arguments(n_features, n_classes, hidden, activation, dropout, seed)

    @staticmethod
    def weight_shapes(n_features, n_classes, hidden, activation, dropout, seed):
        """Return name -> shape of the weights of such a network; nothing is allocated."""
        _check_arguments(n_features, n_classes, hidden, activation, dropout, seed)
        step = 3 if dropout else 2  # a linear layer, the activation, maybe dropout
        pairs = pairwise((n_features, *hidden, n_classes))
        return linear_shapes({str(step * i): pair for i, pair in enumerate(pairs)})


class AlexNet(nn.Sequential):
    """AlexNet for images of 32 by 32: five convolutions, three of them pooled, one linear layer."""

    def __init__(self, n_features, n_classes, hidden, activation, dropout, seed):
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
            *([_Dropout(dropout, generator)] if dropout else []),
            _linear(256, n_classes, generator),
        )
        self.arguments = _arguments(n_features, n_classes, hidden, activation, dropout, seed)

    @staticmethod
    def weight_shapes(n_features, n_classes, hidden, activation, dropout, seed):
        """Return name -> shape of the weights of such a network; nothing is allocated."""
        _check_arguments(n_features, n_classes, hidden, activation, dropout, seed)
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


class _Dropout(nn.Module):
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


MODULES = {"fully_connected": FullyConnected, "alexnet": AlexNet}


class NetworkClassifier(SavedModule, ClassifierMixin, OneStep, BaseEstimator):
    """Neural network classifier: the paper's targets, and what the trained defenses start from.

    Parameters
    ----------
    architecture : {"fully_connected", "alexnet"}, default="fully_connected"
        "alexnet" takes images of 32 by 32 with three channels in [0, 1], as rows of 3,072 pixels
        or of shape (n, 32, 32, 3).
    hidden : tuple of int, default=(1024, 512, 256)
        Widths of the hidden layers of the fully connected network.
    activation : {"tanh", "relu"}, default="tanh"
    dropout : float in [0, 1), default=0.0
        Share of the activations dropped in training, after each hidden layer; for "alexnet"
        before the last layer.
    weight_decay : float >= 0, default=0.0
        L2 regularization.
    lr : float, default=0.0001
        Learning rate of Adam.
    max_epochs : int, default=100
        Passes over the training records.
    batch_size : int, default=64
    device : str, default="cpu"
        A torch device, such as "cuda".
    random_state : int, RandomState instance or None, default=None
        Governs weights, batches and dropout. Global generators are left alone.
    verbose : int, default=0
        1 shows a progress bar over the batches of each epoch.
    precision : {"float32", "bfloat16"}, default="float32"
        Of the products in training: bfloat16 takes about half the time where the processor has
        it, and many times as long where it has not. Weights are float32 and answers float64 in
        both.
    checkpoint : path-like or None, default=None
        File that holds the training after each epoch. A fit that was cut off, or asks for more
        epochs, goes on from it if the other parameters and the records are the same, to the same
        network; any other starts anew and overwrites it, with a warning where the file is damaged.
        Readable by its owner only; read without running code in it.

    Attributes
    ----------
    classes_ : ndarray of shape (K,)
    module_ : torch.nn.Module
        ``module_(X) -> logits``, in evaluation mode.
    history_ : skorch.history.History
        The loss of each epoch, as in ``history_[:, "train_loss"]``.
    n_features_in_ : int

    References
    ----------
    AEPPT (arXiv 2011.13696), Section 5.1: AlexNet on CIFAR-100; tanh network 1024-512-256-100
    with learning rate 0.0001 and 100 epochs on Purchase.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn_aeppt.networks import NetworkClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> net = NetworkClassifier(hidden=(32,), lr=0.01, max_epochs=50, random_state=0)
    >>> net.fit(X, y).score(X, y) > 0.9
    True
    """

    _kinds = (FullyConnected, AlexNet)
    _parameter_constraints: dict = {
        "architecture": [StrOptions(set(MODULES))],
        "hidden": [tuple, list],
        "activation": [StrOptions(set(ACTIVATIONS))],
        "dropout": [Interval(Real, 0, 1, closed="left")],
        "weight_decay": [Interval(Real, 0, None, closed="left")],
        "lr": [Interval(Real, 0, None, closed="neither")],
        "max_epochs": [Interval(Integral, 1, None, closed="left")],
        "batch_size": [Interval(Integral, 1, None, closed="left")],
        "device": [str],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
        "precision": [StrOptions({"float32", "bfloat16"})],
        "checkpoint": [str, os.PathLike, None],
    }

    def __init__(
        self,
        architecture="fully_connected",
        *,
        hidden=(1024, 512, 256),
        activation="tanh",
        dropout=0.0,
        weight_decay=0.0,
        lr=0.0001,
        max_epochs=100,
        batch_size=64,
        device="cpu",
        random_state=None,
        verbose=0,
        precision="float32",
        checkpoint=None,
    ):
        self.architecture = architecture
        self.hidden = hidden
        self.activation = activation
        self.dropout = dropout
        self.weight_decay = weight_decay
        self.lr = lr
        self.max_epochs = max_epochs
        self.batch_size = batch_size
        self.device = device
        self.random_state = random_state
        self.verbose = verbose
        self.precision = precision
        self.checkpoint = checkpoint

    def fit(self, X, y):
        """Train the network.

        Parameters
        ----------
        X : array-like of shape (n, n_features), or (n, 32, 32, 3) for images
        y : array-like of shape (n,)
            Class labels.

        Returns
        -------
        self : NetworkClassifier
        """
        self._validate_params()
        X, classes, index = self._read_training(X, y)
        callbacks = []
        if self.checkpoint is not None:
            same = {**self.get_params(), "checkpoint": None, "verbose": 0, "max_epochs": None}
            key = joblib.hash([__version__, same, X, index], coerce_mmap=True)
            callbacks = [_Resume(Path(self.checkpoint), key)]
        net = self._build_net(_TargetNet, X.shape[1], len(classes), callbacks)
        net.precision = getattr(torch, self.precision)
        return self._train(net, X, classes, index)

    def _read_training(self, X, y):
        X, y = validate_data(self, self._flat(X), y, dtype=np.float32)
        check_classification_targets(y)
        self._check_width(X)
        classes, index = np.unique(y, return_inverse=True)
        if len(classes) < 2:
            raise ValueError(
                f"y holds one class only, {classes[0]!r}: a classifier needs two or more."
            )
        return X, classes, index.astype(np.int64)

    def _train(self, net, X, classes, index):
        net.fit({"input": X}, index)
        self.history_ = net.history
        self.module_ = net.module_.eval()
        self.classes_ = classes
        return self

    @staticmethod
    def _saved_sizes(state):
        """Return what a saved module's arguments must be, by what else was saved."""
        n_classes = np.size(state.get("classes_"))
        return {"n_features": state.get("n_features_in_"), "n_classes": n_classes}

    def _build_net(self, kind, n_features, n_classes, callbacks=(), **options):
        seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        return kind(
            MODULES[self.architecture],
            criterion=nn.CrossEntropyLoss,
            module__n_features=n_features,
            module__n_classes=n_classes,
            module__hidden=tuple(self.hidden),
            module__activation=self.activation,
            module__dropout=self.dropout,
            module__seed=seed,
            optimizer=torch.optim.Adam,
            optimizer__fused=True,
            optimizer__weight_decay=self.weight_decay,
            lr=self.lr,
            max_epochs=self.max_epochs,
            batch_size=self.batch_size,
            iterator_train=TensorBatches,
            iterator_train__shuffle=True,
            iterator_train__generator=torch.Generator().manual_seed(seed),
            train_split=None,
            callbacks=[*callbacks, *([ProgressBar()] if self.verbose else [])],
            callbacks__print_log=None,
            device=self.device,
            verbose=self.verbose,
            **options,
        )

    def predict_proba(self, X):
        """Return the confidences, ndarray of shape (n, K), float64."""
        check_is_fitted(self)
        X = validate_data(self, self._flat(X), dtype=np.float32, reset=False)
        # in float64, so that an answer does not depend on the batch it stands in
        module = deepcopy(self.module_).double()
        device = next(module.parameters()).device
        proba = np.empty((len(X), len(self.classes_)))
        with torch.inference_mode():
            for start in range(0, len(X), 1024):
                rows = slice(start, start + 1024)
                logits = module(torch.tensor(X[rows], dtype=torch.float64, device=device))
                proba[rows] = torch.softmax(logits, dim=1).cpu().numpy()
        return proba

    def predict(self, X):
        """Return the most likely class of each record, ndarray of shape (n,)."""
        most_likely = self.predict_proba(X).argmax(axis=1)
        return self.classes_[most_likely]

    def _flat(self, X):
        images = self.architecture == "alexnet" and getattr(X, "ndim", 2) == 4
        return X.reshape(len(X), -1) if images else X

    def _check_width(self, X):
        if self.architecture == "alexnet" and X.shape[1] != np.prod(IMAGE):
            raise ValueError(
                f"architecture='alexnet' takes images of shape {IMAGE}, {np.prod(IMAGE)} pixels a "
                f"row, got {X.shape[1]} feature(s): use architecture='fully_connected'."
            )


class _TargetNet(_Net):
    """skorch's net, whose products may be of less precision than its weights."""

    precision = torch.float32

    def infer(self, x, **fit_params):
        lower = self.precision != torch.float32
        kind = torch.device(self.device).type
        with torch.autocast(kind, dtype=torch.bfloat16, enabled=lower):
            return super().infer(x, **fit_params).float()


class _Resume(Callback):
    """Keeps the training in a file after each epoch, and takes it up from there."""

    def __init__(self, file, key):
        self.file = file
        self.key = key

    def on_epoch_end(self, net, **kwargs):
        state = {
            "key": self.key,
            "module": net.module_.state_dict(),
            "optimizer": net.optimizer_.state_dict(),
            "history": json.dumps(net.history, default=float),
            "draws": [generator.get_state() for generator in self._draws(net)],
        }
        self.file.parent.mkdir(parents=True, exist_ok=True)
        # private: it holds the undefended model; who is cut off here still has the epoch before
        with writing(self.file, private=True) as file:
            torch.save(state, file)

    def on_train_begin(self, net, **kwargs):
        if not self.file.exists():
            return
        state = self._read(net.device)
        if state is None or state["key"] != self.key:
            return
        history = History(json.loads(state["history"]))
        if len(history) > net.max_epochs:
            return
        net.module_.load_state_dict(state["module"])
        net.optimizer_.load_state_dict(state["optimizer"])
        for generator, draws in zip(self._draws(net), state["draws"], strict=True):
            generator.set_state(draws.cpu())
        net.history = history
        net.max_epochs -= len(net.history)

    def _read(self, device):
        """Return what the file holds; None of a damaged one, which the next epoch overwrites."""
        content = self.file.read_bytes()
        if not ZIP_START.startswith(content[:4]):  # an empty file is a damaged one
            raise ValueError(
                f"checkpoint={self.file}: the file of that name is no checkpoint. Delete it or "
                "choose another name."
            )
        try:
            state = torch.load(BytesIO(content), map_location=device, weights_only=True)
            if set(state) != {"key", "module", "optimizer", "history", "draws"}:
                raise ValueError(f"it holds {sorted(map(str, state))}")
        except Exception as error:  # a damaged archive fails in torch in any way
            reason = str(error).partition("\n")[0]
            warnings.warn(
                f"checkpoint={self.file} is damaged ({reason}): the training starts anew.",
                stacklevel=2,
            )
            return None
        return state

    def _draws(self, net):
        """Return the generators of the training: of the batches and of each dropout."""
        layers = [m for m in net.module_.modules() if isinstance(m, _Dropout)]
        return [net.iterator_train__generator, *(m.draws(net.device) for m in layers)]
