"""Adversarial regularization: a network trained against a membership inference model."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Real
from types import SimpleNamespace
from typing import Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval

from sklearn_aeppt._members import draw_members, split_by_mask
from sklearn_aeppt._nets import torch
from sklearn_aeppt._nets._three_branch import ARCHITECTURES, ThreeBranch
from sklearn_aeppt._nets._training import ClassNet
from sklearn_aeppt.networks import NetworkClassifier


class AdversarialRegularizationClassifier(NetworkClassifier):
    """Network trained in a min-max game with a membership inference model.

    For every batch the inference model h first takes a step to tell the batch from reference
    records, then the classifier f takes a step on::

        cross-entropy(f(x), y) + alpha * log h(f(x), y)

    so that it fits its members only as far as h cannot tell. Changes the model itself: labels,
    ranking and calibration become those of the regularized network, and the reference records
    train nothing but h.

    Parameters
    ----------
    alpha : float >= 0, default=3.0
        Weight of the inference model's gain; 0 is the plain network.
    attack_lr : float > 0, default=0.001
        Learning rate of the inference model's Adam.
    member_fraction : float in (0, 1), default=0.5
        Share of each class that trains the classifier; the rest are the reference records.
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
        Governs the split, weights, batches and dropout. Global generators are left alone.
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
    sklearn_aeppt.networks.NetworkClassifier : The same network, trained on all records.
    DropoutClassifier : Regularizes without an attacker in mind.

    References
    ----------
    Nasr, Shokri, Houmansadr (2018), "Machine learning with membership privacy using adversarial
    regularization", Equation 9 and Algorithm 1.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn_aeppt.defenses import AdversarialRegularizationClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> net = AdversarialRegularizationClassifier(
    ...     alpha=1.0, hidden_layer_sizes=(32,), lr=0.01, max_epochs=50, random_state=0
    ... )
    >>> net.fit(X, y).score(X, y) > 0.9
    True
    """

    _parameter_constraints: dict = {
        **NetworkClassifier._parameter_constraints,
        "alpha": [Interval(Real, 0, None, closed="left")],
        "attack_lr": [Interval(Real, 0, None, closed="neither")],
        "member_fraction": [Interval(Real, 0, 1, closed="neither")],
    }

    def __init__(
        self,
        alpha: float = 3.0,
        *,
        attack_lr: float = 0.001,
        member_fraction: float = 0.5,
        architecture: str = "fully_connected",
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
        self.alpha = alpha
        self.attack_lr = attack_lr
        self.member_fraction = member_fraction

    def fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        *,
        is_member: ArrayLike | None = None,
    ) -> Self:
        """Train the classifier on the members, against an inference model.

        Parameters
        ----------
        X : array-like of shape (n, n_features), or (n, 32, 32, 3) for images
            Records of finite numbers, members and reference records; converted to float32.
        y : array-like of shape (n,)
            Class labels, of two classes or more.
        sample_weight : array-like of shape (n,), default=None
            Weights of the members in the classifier's cross-entropy, which count by their ratios
            alone. To the inference model all records weigh alike, but a member of weight zero is
            left out; the weights of the reference records have no effect.
        is_member : array-like of shape (n,), boolean or 0/1, default=None
            True for the rows that train the classifier; the others are reference records. None
            draws `member_fraction` of each class at random.

        Returns
        -------
        self : AdversarialRegularizationClassifier
            The fitted classifier.

        Raises
        ------
        ValueError
            If a parameter is out of its range, if `X` or `y` is invalid, if lengths differ, if
            `y` holds one class only, if weights are negative or zero for all members, or if
            `is_member` is not a boolean mask with members and others.
        """
        self._validate_params()
        records, classes, index = self._read_training(X, y)
        weight = self._read_weight(sample_weight, records)
        if is_member is None:
            rng = check_random_state(self.random_state)
            is_member = draw_members(index, self.member_fraction, rng)
        members, reference = split_by_mask(records, index, is_member, "is_member")
        net = self._build_net(
            _AdversarialNet,
            records.shape[1],
            len(classes),
            alpha=self.alpha,
            attack_lr=self.attack_lr,
            reference=(torch.tensor(reference.X), torch.tensor(reference.y)),
        )
        if weight is not None:
            weight = weight[np.asarray(is_member, dtype=bool)]
        return self._train(net, members.X, classes, members.y, weight)


class _AdversarialNet(ClassNet):
    """skorch's net, whose every step is one of the inference model and one of the classifier."""

    def __init__(self, *args, alpha, attack_lr, reference, **kwargs):
        super().__init__(*args, **kwargs)
        self.alpha = alpha
        self.attack_lr = attack_lr
        self.reference = reference

    def train_step(self, batch, **fit_params):
        inputs, y = batch
        X, y = inputs["input"].to(self.device), y.to(self.device)
        if not hasattr(self, "_opponent"):
            self._start_opponent()
        opponent = self._opponent
        self._set_training(False)
        other = torch.randint(len(self.reference[1]), (len(X),), generator=opponent.draws)
        with torch.no_grad():
            p, p_other = (
                torch.softmax(self.module_(x), dim=1)
                for x in (X, self.reference[0][other].to(self.device))
            )
        y_other = self.reference[1][other].to(self.device)
        logit = opponent.attack(torch.cat([p, p_other]), torch.cat([y, y_other]))
        member = (torch.arange(len(logit), device=logit.device) < len(X)).float()
        opponent.optimizer.zero_grad(set_to_none=True)
        torch.nn.functional.binary_cross_entropy_with_logits(logit, member).backward()
        opponent.optimizer.step()

        self._set_training(True)
        logits = self.module_(X)
        gain = torch.nn.functional.logsigmoid(
            opponent.attack(torch.softmax(logits, dim=1), y)
        ).mean()
        loss = self.get_loss(logits, y, X=inputs, training=True) + self.alpha * gain
        self.optimizer_.zero_grad(set_to_none=True)
        loss.backward()
        self.optimizer_.step()
        return {"loss": loss.detach(), "y_pred": logits.detach()}

    def _start_opponent(self):
        params = self.get_params_for("module")
        attack = ThreeBranch(
            params["n_classes"], **ARCHITECTURES["substitute"], seed=params["seed"]
        )
        attack.to(self.device)
        # in a namespace: skorch would train a module of its own with the classifier's optimizer
        self._opponent = SimpleNamespace(
            attack=attack,
            optimizer=torch.optim.Adam(attack.parameters(), lr=self.attack_lr),
            draws=torch.Generator().manual_seed(params["seed"]),
        )
