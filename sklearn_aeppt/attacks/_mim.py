"""The paper's membership inference networks with a scikit-learn interface."""

from __future__ import annotations

from copy import deepcopy
from numbers import Integral, Real
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from sklearn_aeppt._nets import skorch, torch
from sklearn_aeppt._nets._adam import Adam
from sklearn_aeppt._nets._saved_module import SavedModule
from sklearn_aeppt._nets._three_branch import ARCHITECTURES, ThreeBranch
from sklearn_aeppt._nets._training import BalancedLoss, MembershipNet, TensorBatches
from sklearn_aeppt.attacks._base import LogitAttack
from sklearn_aeppt.attacks._query import View, check_membership, read_view


class MIMAttack(SavedModule, LogitAttack):
    """Learned attack: the paper's membership inference networks over confidences and labels.

    `AEPPTClassifier` takes one as its `substitute`. Members and non-members have the same total
    weight in the loss, however many there are of each.

    Parameters
    ----------
    architecture : {"mim0", "mim1", "substitute"}, default="mim0"
        "mim0": the paper's adversary, prediction branch K-1024-512-64, label branch K-512-64,
        joint 128-256-64-1; "mim1": one plain network 1024-512-256-1; "substitute": the
        defender's smaller one, K-256 and K-256, joint 512-64-1.
    loss : {"cross_entropy", "l2"}, default="cross_entropy"
        The loss; "l2" is that of the paper's MIM2.
    max_epochs : int >= 1, default=100
        Number of passes over the training records, at most.
    lr : float > 0, default=0.001
        Learning rate of Adam.
    batch_size : int >= 1, default=256
        Number of records in each step.
    early_stopping : bool, default=False
        Whether to hold out `validation_fraction` of the records, to stop after `n_iter_no_change`
        epochs in which their loss did not fall, and to return to the weights of the best epoch.
    validation_fraction : float in (0, 1), default=0.1
        Share of the records that is held out for early stopping, stratified by membership.
    n_iter_no_change : int >= 1, default=10
        Number of epochs without improvement after which early stopping ends the training.
    device : str, default="cpu"
        A torch device, such as "cuda".
    random_state : int, RandomState instance or None, default=None
        Seeds the initial weights, the order of the batches and the validation split, without
        touching global generators. Pass an int for reproducible results.
    verbose : int, default=0
        1 shows a progress bar over the batches of each epoch, 2 a line for each epoch as well.

    Attributes
    ----------
    classes_ : ndarray of shape (2,)
        Non-member, member: the two values of `y`, sorted.
    module_ : torch.nn.Module
        The trained network ``module_(proba, label) -> logit``, in evaluation mode.
    history_ : skorch.history.History
        Loss of each epoch, as in ``history_[:, "train_loss"]``.
    n_features_in_ : int
        Number K of the target's classes.

    See Also
    --------
    GradientBoostingAttack : Gradient boosting on features of the output; needs no torch.
    sklearn_aeppt.AEPPTClassifier : The defense that is trained against such a network.

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
        architecture: str = "mim0",
        loss: str = "cross_entropy",
        max_epochs: int = 100,
        lr: float = 0.001,
        *,
        batch_size: int = 256,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 10,
        device: str = "cpu",
        random_state: int | np.random.RandomState | None = None,
        verbose: int = 0,
    ) -> None:
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

    def fit(self, X: View, y: ArrayLike) -> Self:
        """Train the network.

        Parameters
        ----------
        X : SliceDict of `query`, or array-like of shape (n, K)
            The target's outputs: confidences and label indices. A plain array is read as
            confidences; each record's label is its predicted one then.
        y : array-like of shape (n,)
            Membership, two distinct values; the greater one (1 or True) marks members.

        Returns
        -------
        self : MIMAttack
            The fitted attack.

        Raises
        ------
        ValueError
            If `X` holds no valid outputs, or `y` does not hold two values, one for each record.
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
            stop = skorch.callbacks.EarlyStopping(
                patience=self.n_iter_no_change,
                load_best=True,
                sink=print if self.verbose else skorch.utils.noop,
            )
            callbacks.append(stop)
        if self.verbose:
            callbacks.append(skorch.callbacks.ProgressBar())
        split = skorch.dataset.ValidSplit(
            self.validation_fraction, stratified=True, random_state=seed
        )
        return MembershipNet(
            ThreeBranch,
            criterion=BalancedLoss,
            criterion__kind=self.loss,
            criterion__member_weight=(target == 0).sum() / (target == 1).sum(),
            module__n_classes=n_classes,
            module__seed=seed,
            **{f"module__{key}": value for key, value in ARCHITECTURES[self.architecture].items()},
            optimizer=Adam,
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

    def decision_function(self, X: View) -> NDArray[np.float64]:
        """Return the membership logit of each record.

        Parameters
        ----------
        X : SliceDict of `query`, or array-like of shape (n, K)
            The target's outputs, as in `fit`.

        Returns
        -------
        score : float64 ndarray of shape (n,)
            Log odds of membership, under equal priors.
        """
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
