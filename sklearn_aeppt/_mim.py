"""The membership inference network (MIM) behind a scikit-learn face; skorch and torch stay here."""

from copy import deepcopy
from itertools import pairwise
from numbers import Integral, Real

import numpy as np
import torch
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted
from skorch import NeuralNet
from skorch.callbacks import EarlyStopping, ProgressBar
from skorch.dataset import ValidSplit
from skorch.utils import noop
from torch import nn
from torch.nn import functional as F

from sklearn_aeppt._query import check_membership, read_view
from sklearn_aeppt._saved_module import SavedModule, check_width, check_widths
from sklearn_aeppt._score_attack import LogitAttack

#: Widths of the hidden layers of each branch; a further architecture costs one line.
ARCHITECTURES = {
    "substitute": {"prediction": (256,), "label": (256,), "joint": (64,)},
    "mim0": {"prediction": (1024, 512, 64), "label": (512, 64), "joint": (256, 64)},
    "mim1": {"prediction": (), "label": (), "joint": (1024, 512, 256)},
}


def _linear(n_in, n_out, generator):
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
            return nn.ModuleList(_linear(a, b, generator) for a, b in pairwise(widths))

        self.n_classes = n_classes
        self.prediction = stack((n_classes, *prediction))
        self.label = stack((n_classes, *label))
        width = (n_classes, *prediction)[-1] + (n_classes, *label)[-1]
        self.joint = stack((width, *joint))
        self.output = _linear((width, *joint)[-1], 1, generator)

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


class BalancedLoss(nn.Module):
    """Membership loss in which members and non-members weigh alike, however many there are."""

    def __init__(self, kind, member_weight):
        super().__init__()
        self.kind = kind
        self.register_buffer("member_weight", torch.tensor(float(member_weight)))

    def forward(self, logit, y):
        """Return the mean loss of logits (n,) against memberships (n,) in {0, 1}."""
        if self.kind == "cross_entropy":
            return F.binary_cross_entropy_with_logits(logit, y, pos_weight=self.member_weight)
        weight = torch.where(y > 0, self.member_weight, 1.0)
        return (weight * (torch.sigmoid(logit) - y) ** 2).mean()


class TensorBatches:
    """Batches cut from whole tensors: skorch's default loader would fetch record by record."""

    def __init__(self, dataset, batch_size, shuffle=False, generator=None):
        indices = getattr(dataset, "indices", None)  # a torch Subset, as skorch's split makes
        whole = dataset if indices is None else dataset.dataset
        take = slice(None) if indices is None else np.asarray(indices)
        self.X = {key: torch.tensor(value[take]) for key, value in whole.X.items()}
        n = len(next(iter(self.X.values())))
        self.y = torch.zeros(n) if whole.y is None else torch.tensor(whole.y[take])
        self.n, self.batch_size = n, n if batch_size == -1 else batch_size
        self.shuffle, self.generator = shuffle, generator

    def __len__(self):
        """Return the number of batches."""
        return -(-self.n // self.batch_size)

    def __iter__(self):
        """Yield (X, y) in a fresh random order if `shuffle`, in the given order otherwise."""
        order = torch.randperm(self.n, generator=self.generator) if self.shuffle else None
        for start in range(0, self.n, self.batch_size):
            rows = slice(start, start + self.batch_size)
            if order is not None:
                rows = order[rows]
            yield {key: value[rows] for key, value in self.X.items()}, self.y[rows]


class MIMAttack(SavedModule, LogitAttack):
    """Learned membership inference attack: the paper's networks over what the adversary sees.

    Also what `AEPPTClassifier` takes as its `substitute`. Members and non-members count with
    equal weight however many there are of each.

    Parameters
    ----------
    architecture : {"mim0", "mim1", "substitute"}, default="mim0"
        "mim0": the paper's adversary, prediction branch K-1024-512-64, label branch K-512-64,
        joint 128-256-64-1; "mim1": one plain network 1024-512-256-1; "substitute": the
        defender's smaller one, K-256 and K-256, joint 512-64-1.
    loss : {"cross_entropy", "l2"}, default="cross_entropy"
        "l2" is the paper's MIM2.
    max_epochs : int, default=100
        Passes over the training records.
    lr : float, default=0.001
        Learning rate of Adam.
    batch_size : int, default=256
        Records a step.
    early_stopping : bool, default=False
        Hold `validation_fraction` of the records out and stop after `n_iter_no_change` epochs
        in which their loss did not fall, back at the best epoch's weights.
    validation_fraction : float in (0, 1), default=0.1
    n_iter_no_change : int, default=10
    device : str, default="cpu"
        A torch device, such as "cuda".
    random_state : int, RandomState instance or None, default=None
        Governs initial weights, the order of the batches and the validation split. Global
        generators are left alone.
    verbose : int, default=0
        1 shows a progress bar over the batches of each epoch, 2 a line for each epoch as well.

    Attributes
    ----------
    classes_ : ndarray of shape (2,)
        Non-member, member (0 and 1, or whatever two values `y` held, in sorted order).
    module_ : torch.nn.Module
        ``module_(proba, label) -> logit``, in evaluation mode.
    history_ : skorch.history.History
        The loss of each epoch, as in ``history_[:, "train_loss"]``.
    n_features_in_ : int
        K.

    References
    ----------
    AEPPT (arXiv 2011.13696), Section 5.2 and Table VI.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_aeppt.attacks import MIMAttack
    >>> rng = np.random.default_rng(0)
    >>> sure, unsure = rng.dirichlet([9, .1, .1], 200), rng.dirichlet([2, 1, 1], 200)
    >>> proba, member = np.r_[sure, unsure], np.r_[np.ones(200), np.zeros(200)]
    >>> attack = MIMAttack("substitute", max_epochs=20, random_state=0).fit(proba, member)
    >>> attack.score(proba, member) > 0.8
    True
    """

    _kinds = (ThreeBranch,)
    _parameter_constraints: dict = {
        "architecture": [StrOptions(set(ARCHITECTURES))],
        "loss": [StrOptions({"cross_entropy", "l2"})],
        "max_epochs": [Interval(Integral, 1, None, closed="left")],
        "lr": [Interval(Real, 0, None, closed="neither")],
        "batch_size": [Interval(Integral, 1, None, closed="left")],
        "early_stopping": ["boolean"],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
        "n_iter_no_change": [Interval(Integral, 1, None, closed="left")],
        "device": [str],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        architecture="mim0",
        loss="cross_entropy",
        max_epochs=100,
        lr=0.001,
        *,
        batch_size=256,
        early_stopping=False,
        validation_fraction=0.1,
        n_iter_no_change=10,
        device="cpu",
        random_state=None,
        verbose=0,
    ):
        self.architecture = architecture
        self.loss = loss
        self.max_epochs = max_epochs
        self.lr = lr
        self.batch_size = batch_size
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.device = device
        self.random_state = random_state
        self.verbose = verbose

    def fit(self, X, y):
        """Train the network.

        Parameters
        ----------
        X : SliceDict of `query`, or array-like of shape (n, K)
            Confidences and labels; a plain array is read as confidences.
        y : array-like of shape (n,)
            Membership: 1 (or True) for members, 0 for non-members.

        Returns
        -------
        self : MIMAttack
        """
        self._validate_params()
        proba, label = read_view(self, X, reset=True)
        self.classes_, target = check_membership(y, len(proba))
        seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        net = self._build_net(proba.shape[1], target, seed)
        net.fit({"proba": proba, "label": label}, target.astype(np.float32))
        self.history_ = net.history
        self.module_ = net.module_.eval()
        return self

    @staticmethod
    def _saved_sizes(state):
        """Return what a saved module's arguments must be, by what else was saved."""
        return {"n_classes": state.get("n_features_in_")}

    def _build_net(self, n_classes, target, seed):
        callbacks = []
        if self.early_stopping:
            stop = EarlyStopping(
                patience=self.n_iter_no_change, load_best=True, sink=print if self.verbose else noop
            )
            callbacks.append(stop)
        if self.verbose:
            callbacks.append(ProgressBar())
        split = ValidSplit(self.validation_fraction, stratified=True, random_state=seed)
        return _Net(
            ThreeBranch,
            criterion=BalancedLoss,
            criterion__kind=self.loss,
            criterion__member_weight=(target == 0).sum() / (target == 1).sum(),
            module__n_classes=n_classes,
            module__seed=seed,
            **{f"module__{key}": value for key, value in ARCHITECTURES[self.architecture].items()},
            optimizer=torch.optim.Adam,
            optimizer__fused=True,
            lr=self.lr,
            max_epochs=self.max_epochs,
            batch_size=self.batch_size,
            iterator_train=TensorBatches,
            iterator_train__shuffle=True,
            iterator_train__generator=torch.Generator().manual_seed(seed),
            iterator_valid=TensorBatches,
            iterator_valid__batch_size=16384,
            train_split=split if self.early_stopping else None,
            callbacks=callbacks,
            callbacks__print_log=None if self.verbose < 2 else "keep",
            device=self.device,
            verbose=self.verbose,
        )

    def decision_function(self, X):
        """Return the membership logit of each record, ndarray of shape (n,), float64."""
        check_is_fitted(self)
        proba, label = read_view(self, X, reset=False)
        # in float64, so that a record's score does not depend on the batch it stands in
        module = deepcopy(self.module_).double()
        device = next(module.parameters()).device
        logits = []
        with torch.inference_mode():
            for start in range(0, len(proba), 16384):
                rows = slice(start, start + 16384)
                p = torch.tensor(proba[rows], dtype=torch.float64, device=device)
                c = torch.tensor(label[rows], device=device)
                logits.append(module(p, c).cpu())
        return torch.cat(logits).numpy()


class _Net(NeuralNet):
    """skorch's net; an interrupted training is an error, not a half-trained model."""

    def _set_training(self, training=True):
        if self.module_.training != training:  # skorch would walk the modules at every step
            super()._set_training(training)

    def partial_fit(self, X, y=None, classes=None, **fit_params):
        """Train as skorch does, but pass on a ctrl-C, which skorch itself swallows here."""
        if not self.initialized_:
            self.initialize()
        self.notify("on_train_begin", X=X, y=y)
        try:
            self.fit_loop(X, y, **fit_params)
        except KeyboardInterrupt:  # also skorch's way of stopping early
            stops = [cb for _, cb in self.callbacks_ if isinstance(cb, EarlyStopping)]
            if not any(stop.misses_ == stop.patience for stop in stops):
                raise
        self.notify("on_train_end", X=X, y=y)
        return self
