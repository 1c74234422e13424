"""Adam for the membership inference models, without torch's class of it.

The first use of any of torch's optimizer classes imports torch's compiler, which takes longer than
the training of a substitute. The step is torch's own.
"""

import torch
from torch.optim.adam import adam


class Adam:
    """The steps of ``torch.optim.Adam(fused=True)``."""

    def __init__(self, param_groups, lr):
        self.lr = lr
        self.params = [param for group in param_groups for param in group["params"]]
        self.means = [torch.zeros_like(param) for param in self.params]
        self.squares = [torch.zeros_like(param) for param in self.params]
        self.steps = [torch.zeros((), device=param.device) for param in self.params]

    def zero_grad(self):
        """Forget the gradients."""
        for param in self.params:
            param.grad = None

    def step(self):
        """Take a step along the gradients."""
        with torch.no_grad():
            adam(
                self.params,
                [param.grad for param in self.params],
                self.means,
                self.squares,
                [],
                self.steps,
                fused=True,
                amsgrad=False,
                beta1=0.9,
                beta2=0.999,
                lr=self.lr,
                weight_decay=0.0,
                eps=1e-8,
                maximize=False,
            )
