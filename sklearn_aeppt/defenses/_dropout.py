"""Dropout: a network that cannot lean on single records."""

from sklearn_aeppt.networks import NetworkClassifier


class DropoutClassifier(NetworkClassifier):
    """Network trained with dropout, as a defense against membership inference.

    Dropout narrows the gap between training and test records, and with it all that an attacker
    can find. Changes the model itself: labels, ranking and calibration become those of the
    regularized network. `NetworkClassifier` describes the other parameters.

    Parameters
    ----------
    dropout : float in [0, 1), default=0.5
        Share of the activations dropped in training.
    architecture, hidden_layer_sizes, activation, weight_decay, lr, max_epochs, batch_size, \
device, random_state, verbose
        As in `NetworkClassifier`.

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
        dropout=0.5,
        *,
        architecture="fully_connected",
        hidden_layer_sizes=(1024, 512, 256),
        activation="tanh",
        weight_decay=0.0,
        lr=0.0001,
        max_epochs=100,
        batch_size=64,
        device="cpu",
        random_state=None,
        verbose=0,
    ):
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
