"""How networks are trained: batches, the membership loss, skorch's net without its surprises."""

import numpy as np
import torch
from skorch import NeuralNet
from skorch.callbacks import EarlyStopping
from torch import nn
from torch.nn import functional as F


class BalancedLoss(nn.Module):
    """Membership loss in which members and non-members weigh alike, however many there are."""

    member_weight: torch.Tensor  # a buffer

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
            rows: slice | torch.Tensor = slice(start, start + self.batch_size)
            if order is not None:
                rows = order[rows]
            yield {key: value[rows] for key, value in self.X.items()}, self.y[rows]


class Net(NeuralNet):
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
            # an earlier training that was interrupted inside torch's no_grad has left them off
            with torch.enable_grad():
                self.fit_loop(X, y, **fit_params)
        except KeyboardInterrupt:  # also skorch's way of stopping early
            stops = [cb for _, cb in self.callbacks_ if isinstance(cb, EarlyStopping)]
            if not any(stop.misses_ == stop.patience for stop in stops):
                raise
        self.notify("on_train_end", X=X, y=y)
        return self


class MembershipNet(Net):
    """The net of an inference model, with an optimizer that is not one of torch's classes."""

    def train_step(self, batch, **fit_params):
        """Take a step; skorch's own would look for optimizers of torch's classes."""
        self.optimizer_.zero_grad()
        step = self.train_step_single(batch, **fit_params)
        self.optimizer_.step()
        return step


class ClassNet(Net):
    """A classifier's net, whose records may weigh more and less, one on average."""

    def infer(self, x, **fit_params):
        """Return the logits of a batch."""
        return super().infer(x["input"], **fit_params)

    def get_loss(self, y_pred, y_true, X=None, training=False):
        """Return the mean cross-entropy, weighted if the batch holds weights."""
        if "sample_weight" not in X:
            return super().get_loss(y_pred, y_true, X=X, training=training)
        loss = F.cross_entropy(y_pred, y_true.to(y_pred.device), reduction="none")
        return (X["sample_weight"].to(y_pred.device) * loss).mean()
