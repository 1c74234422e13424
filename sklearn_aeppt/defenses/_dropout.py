"""Dropout: a network that cannot lean on single records."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sklearn_aeppt.networks import NetworkClassifier


class DropoutClassifier(NetworkClassifier):
    """Network trained with dropout, as a defense against membership inference.

    Dropout narrows the gap between training and test records, and with it all that an attacker
    can find. Changes the model itself: labels, ranking and calibration become those of the
    regularized network.

    Parameters
    ----------
    dropout : float in [0, 1), default=0.5
        Share of the activations dropped in training, after each hidden layer; for "alexnet"
        before the last layer.
    architecture : {"fully_connected", "alexnet"}, default="fully_connected"
        "alexnet" takes images of 32 by 32 with three channels in [0, 1], as rows of 3,072 pixels
        or of shape (n, 32, 32, 3).
    hidden_layer_sizes : tuple of int, default=(1024, 512, 256)
        Widths of the hidden layers of the fully connected network.
    activation : {"tanh", "relu"}, default="tanh"
        Activation after each hidden layer.
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
    sklearn_aeppt.networks.NetworkClassifier : The same network without dropout by default.
    AdversarialRegularizationClassifier : Regularizes against an attacker.

    References
    ----------
    Salem, Zhang, Humbert, Berrang, Fritz, Backes (2019), "ML-Leaks", Section VI.A.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn_aeppt.defenses import DropoutClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> net = DropoutClassifier(
    ...     0.2, hidden_layer_sizes=(32,), lr=0.01, max_epochs=50, random_state=0
    ... )
    >>> net.fit(X, y).score(X, y) > 0.9
    True
    """

    def __init__(
        self,
        dropout: float = 0.5,
        *,
        architecture: str = "fully_connected",
        hidden_layer_sizes: Sequence[int] = (1024, 512, 256),
        activation: str = "tanh",
        weight_decay: float = 0.0,
        lr: float = 0.0001,
        max_epochs: int = 100,
        batch_size: int = 64,
        device: str = "cpu",
        random_state: int | np.random.RandomState | None = None,
        verbose: int = 0,
    ) -> None:
        super().__init__(
            architecture,
            hidden_layer_sizes=hidden_layer_sizes,
            activation=activation,
            dropout=dropout,
            weight_decay=weight_decay,
            lr=lr,
            max_epochs=max_epochs,
            batch_size=batch_size,
            device=device,
            random_state=random_state,
            verbose=verbose,
        )
