"""The paper's target networks behind a scikit-learn face."""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Sequence
from copy import deepcopy
from io import BytesIO
from numbers import Integral, Real
from pathlib import Path
from typing import Self

import joblib
import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from sklearn_aeppt._compat import check_sample_weight
from sklearn_aeppt._nets import skorch, torch
from sklearn_aeppt._nets._saved_module import SavedModule
from sklearn_aeppt._nets._target_networks import (
    ACTIVATIONS,
    IMAGE,
    MODULES,
    AlexNet,
    Dropout,
    FullyConnected,
)
from sklearn_aeppt._nets._training import ClassNet, TensorBatches
from sklearn_aeppt._one_step import OneStep
from sklearn_aeppt._saving import writing
from sklearn_aeppt._version import __version__

__all__ = ["NetworkClassifier"]

ZIP_START = b"PK\x03\x04"  # of what torch saves


class NetworkClassifier(SavedModule, ClassifierMixin, OneStep, BaseEstimator):
    """Neural network classifier: the paper's targets, and what the trained defenses start from.

    Parameters
    ----------
    architecture : {"fully_connected", "alexnet"}, default="fully_connected"
        "alexnet" takes images of 32 by 32 with three channels in [0, 1], as rows of 3,072 pixels
        or of shape (n, 32, 32, 3).
    hidden_layer_sizes : tuple of int, default=(1024, 512, 256)
        Widths of the hidden layers of the fully connected network.
    activation : {"tanh", "relu"}, default="tanh"
        Activation after each hidden layer.
    dropout : float in [0, 1), default=0.0
        Share of the activations dropped in training, after each hidden layer; for "alexnet"
        before the last layer.
    weight_decay : float >= 0, default=0.0
        L2 regularization.
    lr : float > 0, default=0.0001
        Learning rate of Adam.
    max_epochs : int >= 1, default=100
        Passes over the training records.
    batch_size : int >= 1, default=64
        Training records per step.
    device : str, default="cpu"
        A torch device, such as "cuda".
    random_state : int, RandomState instance or None, default=None
        Governs weights, batches and dropout. Global generators are left alone.
    verbose : int, default=0
        1 shows a progress bar over the batches of each epoch.
    precision : {"float32", "bfloat16"}, default="float32"
        Precision of the products in training: bfloat16 takes about half the time where the
        processor supports it, and many times as long where it does not. Weights are float32 and
        confidences float64 with either.
    checkpoint : path-like or None, default=None
        File that holds the training after each epoch. A fit that was cut off, or asks for more
        epochs, goes on from it if the other parameters and the records are the same, to the same
        network; any other starts anew and overwrites it, with a warning if the file is damaged.
        Readable by its owner only; read without running code in it.

    Attributes
    ----------
    classes_ : ndarray of shape (K,)
        Class labels.
    module_ : torch.nn.Module
        ``module_(X) -> logits``, in evaluation mode.
    history_ : skorch.history.History
        The loss of each epoch, as in ``history_[:, "train_loss"]``.
    n_features_in_ : int
        Number of features, 3,072 with "alexnet".
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features; only if `X` has names, all of them strings.

    See Also
    --------
    sklearn_aeppt.defenses.DropoutClassifier : The same network, trained with dropout.
    sklearn_aeppt.defenses.AdversarialRegularizationClassifier : Trained against an attacker.
    sklearn.neural_network.MLPClassifier : A fully connected network that does not need torch.

    References
    ----------
    AEPPT (arXiv 2011.13696), Section 5.1: AlexNet on CIFAR-100; tanh network 1024-512-256-100
    with learning rate 0.0001 and 100 epochs on Purchase.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn_aeppt.networks import NetworkClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> net = NetworkClassifier(hidden_layer_sizes=(32,), lr=0.01, max_epochs=50, random_state=0)
    >>> net.fit(X, y).score(X, y) > 0.9
    True
    """

    _kinds = (FullyConnected, AlexNet)
    _parameter_constraints: dict = {
        "architecture": [StrOptions(set(MODULES))],
        "hidden_layer_sizes": [tuple, list],
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
        architecture: str = "fully_connected",
        *,
        hidden_layer_sizes: Sequence[int] = (1024, 512, 256),
        activation: str = "tanh",
        dropout: float = 0.0,
        weight_decay: float = 0.0,
        lr: float = 0.0001,
        max_epochs: int = 100,
        batch_size: int = 64,
        device: str = "cpu",
        random_state: int | np.random.RandomState | None = None,
        verbose: int = 0,
        precision: str = "float32",
        checkpoint: str | os.PathLike[str] | None = None,
    ) -> None:
        self.architecture = architecture
        self.hidden_layer_sizes = hidden_layer_sizes
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

    def fit(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:
        """Train the network.

        Parameters
        ----------
        X : array-like of shape (n, n_features), or (n, 32, 32, 3) for images
            Records of finite numbers; converted to float32.
        y : array-like of shape (n,)
            Class labels, of two classes or more.
        sample_weight : array-like of shape (n,), default=None
            Weights of the records in the loss, which count by their ratios alone. A record of
            weight zero is left out.

        Returns
        -------
        self : NetworkClassifier
            The fitted classifier.

        Raises
        ------
        ValueError
            If a parameter is out of its range, if `X` or `y` is invalid or their lengths differ,
            if `y` holds one class only, if weights are negative or all zero, if "alexnet" is given
            records of another size than its images, or if the file `checkpoint` is not a
            checkpoint.
        """
        self._validate_params()
        records, classes, index = self._read_training(X, y)
        weight = self._read_weight(sample_weight, records)
        callbacks = []
        if self.checkpoint is not None:
            same = {**self.get_params(), "checkpoint": None, "verbose": 0, "max_epochs": None}
            key = joblib.hash([__version__, same, records, index, weight], coerce_mmap=True)
            callbacks = [_Resume(Path(self.checkpoint), key)]
        net = self._build_net(_TargetNet, records.shape[1], len(classes), callbacks)
        net.precision = getattr(torch, self.precision)
        return self._train(net, records, classes, index, weight)

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

    def _read_weight(self, sample_weight, X):
        return None if sample_weight is None else check_sample_weight(sample_weight, X)

    def _train(self, net, X, classes, index, weight=None):
        inputs = {"input": X}
        if weight is not None:
            if (weight < 0).any() or not weight.any():
                raise ValueError(
                    "sample_weight must not be negative, nor zero for all training records, got "
                    f"values from {weight.min()} to {weight.max()}."
                )
            there = weight > 0
            weight = weight[there] / weight[there].mean()
            inputs = {"input": X[there], "sample_weight": weight.astype(np.float32)}
            index = index[there]
        net.fit(inputs, index)
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
            criterion=torch.nn.CrossEntropyLoss,
            module__n_features=n_features,
            module__n_classes=n_classes,
            module__hidden_layer_sizes=tuple(self.hidden_layer_sizes),
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
            callbacks=[*callbacks, *([skorch.callbacks.ProgressBar()] if self.verbose else [])],
            callbacks__print_log=None,
            device=self.device,
            verbose=self.verbose,
            **options,
        )

    def predict_proba(self, X: ArrayLike) -> np.ndarray:
        """Return the confidences, the softmax of the network's logits.

        Parameters
        ----------
        X : array-like of shape (n, n_features), or (n, 32, 32, 3) for images
            Records of finite numbers; converted to float32.

        Returns
        -------
        proba : float64 ndarray of shape (n, K)
            Probability vectors, columns in the order of ``classes_``.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            If the network is not fitted.
        ValueError
            If `X` is invalid or has another number of features than in `fit`.
        """
        check_is_fitted(self)
        records = validate_data(self, self._flat(X), dtype=np.float32, reset=False)
        # in float64, so that an answer does not depend on the batch it stands in
        module = deepcopy(self.module_).double()
        device = next(module.parameters()).device
        proba = np.empty((len(records), len(self.classes_)))
        with torch.inference_mode():
            for start in range(0, len(records), 1024):
                rows = slice(start, start + 1024)
                logits = module(torch.tensor(records[rows], dtype=torch.float64, device=device))
                proba[rows] = torch.softmax(logits, dim=1).cpu().numpy()
        return proba

    def predict(self, X: ArrayLike) -> np.ndarray:
        """Return the most likely class of each record.

        Parameters
        ----------
        X : array-like of shape (n, n_features), or (n, 32, 32, 3) for images
            Records of finite numbers; converted to float32.

        Returns
        -------
        y_pred : ndarray of shape (n,)
            Class labels, of the dtype of ``classes_``: the argmax of each row of `predict_proba`.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            If the network is not fitted.
        ValueError
            If `X` is invalid or has another number of features than in `fit`.
        """
        most_likely = self.predict_proba(X).argmax(axis=1)
        return self.classes_[most_likely]

    def _flat(self, X):
        images = self.architecture == "alexnet" and getattr(X, "ndim", 2) == 4
        return X.reshape(len(X), -1) if images else X

    def _check_width(self, X):
        if self.architecture == "alexnet" and X.shape[1] != np.prod(IMAGE):
            raise ValueError(
                f"architecture='alexnet' takes images of shape {IMAGE}, {np.prod(IMAGE)} pixels "
                f"per row, got {X.shape[1]} feature(s): use architecture='fully_connected'."
            )


class _TargetNet(ClassNet):
    """skorch's net, whose products may be of less precision than its weights."""

    precision = torch.float32

    def infer(self, x, **fit_params):
        if self.precision == torch.float32:
            return super().infer(x, **fit_params)
        # without the cache: one that an interrupted training left open holds weights for good
        kind = torch.device(self.device).type
        with torch.autocast(kind, dtype=torch.bfloat16, cache_enabled=False):
            return super().infer(x, **fit_params).float()


class _Resume(skorch.callbacks.Callback):
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
        history = skorch.history.History(json.loads(state["history"]))
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
                f"checkpoint={self.file}: this file is not a checkpoint. Delete it or "
                "choose another name."
            )
        try:
            state = torch.load(BytesIO(content), map_location=device, weights_only=True)
            if set(state) != {"key", "module", "optimizer", "history", "draws"}:
                raise ValueError(f"it holds {sorted(map(str, state))}")
        except Exception as error:  # a damaged archive fails in torch in any way
            reason = str(error).partition("\n")[0]
            warnings.warn(
                f"checkpoint={self.file} is damaged ({reason}): training starts over.",
                stacklevel=2,
            )
            return None
        return state

    def _draws(self, net):
        """Return the generators of the training: of the batches and of each dropout."""
        layers = [m for m in net.module_.modules() if isinstance(m, Dropout)]
        return [net.iterator_train__generator, *(m.draws(net.device) for m in layers)]
