"""The paper's iterative perturbation of confidence vectors; no estimator in it.

For every record, with m = 1 if the membership inference model g believes "member", else 0::

    q = p
    repeat max_iter times:
        q = clip(q + r * step_size * sign(grad_q loss(g(q, c), m)), 0, 1)      r ~ U(0, 1)

(AEPPT, arXiv 2011.13696, Algorithm 1, Eq. 1-3). The sign of the loss gradient is the sign of the
logit's gradient, negated where m = 1; taken from the logit it cannot vanish in a saturated sigmoid.
"""

import torch
from torch.nn import functional as F

from sklearn_aeppt._nets._three_branch import ThreeBranch


class AnalyticGradient:
    """Sign-exact gradient of a `ThreeBranch` logit with respect to the confidences.

    The label branch does not change while the confidences move, so its share of the first joint
    layer is folded into one table row per class. What is left of an iteration is one product
    with each weight matrix on the way up and one on the way down, in buffers made once.
    """

    def __init__(self, module):
        with torch.inference_mode():
            width = module.prediction[-1].out_features
            first, *rest = module.joint
            every = torch.arange(module.n_classes, device=first.weight.device)
            self.table = torch.addmm(first.bias, module.embed(every), first.weight[:, width:].T)
            self.layers = [
                *((layer.weight.detach(), layer.bias.detach()) for layer in module.prediction),
                (first.weight[:, :width].contiguous(), None),
                *((layer.weight.detach(), layer.bias.detach()) for layer in rest),
            ]
            self.output, self.output_bias = module.output.weight.detach(), module.output.bias
        self.fold_at = len(module.prediction)

    def bind(self, q, label):
        """Return ``step() -> gradient`` of the logit at the current content of `q`, shape (n, K).

        The returned tensor is overwritten by the next call. ``step.logit()`` gives the logit.
        """
        n, last = len(q), len(self.layers) - 1
        folded = self.table[label]
        top = self.output.expand(n, -1)
        hidden = [q.new_empty(n, w.shape[0]) for w, _ in self.layers]
        down = [q.new_empty(n, w.shape[1]) for w, _ in self.layers]
        above = torch.empty_like(hidden[-1])
        mask = torch.ops.aten.threshold_backward.grad_input  # above where hidden > 0, else 0
        # everything an iteration touches is looked up and transposed here, once: for a single
        # record the bookkeeping costs as much as the arithmetic
        way_up = [
            (folded if i == self.fold_at else bias, [q, *hidden][i], weight.T, hidden[i])
            for i, (weight, bias) in enumerate(self.layers)
        ]
        way_down = [
            ([*down[1:], above][i], self.layers[i][0], down[i], hidden[i - 1])
            for i in range(last, 0, -1)
        ]
        end = ([*down[1:], above][0], self.layers[0][0])

        def up():
            for added, below, weight, out in way_up:
                torch.addmm(added, below, weight, out=out).relu_()

        def gradient():
            up()
            mask(top, hidden[last], 0, grad_input=above)
            for upper, weight, out, active in way_down:
                mask(torch.mm(upper, weight, out=out), active, 0, grad_input=out)
            return torch.mm(*end, out=down[0])

        def logit():
            up()
            return torch.addmm(self.output_bias, hidden[last], self.output.T).squeeze(1)

        gradient.logit = logit  # type: ignore[attr-defined]  # functions take any
        return gradient


class AutogradGradient:
    """The same for any module ``module(proba, label) -> logit``, through autograd."""

    def __init__(self, module):
        self.module = module

    def bind(self, q, label):
        """Return ``step() -> gradient``, as `AnalyticGradient.bind` does."""

        def gradient():
            with torch.inference_mode(False), torch.enable_grad():
                x = q.clone().requires_grad_()
                return torch.autograd.grad(self.module(x, label).sum(), x)[0]

        # functions take any attribute
        gradient.logit = lambda: self.module(q, label)  # type: ignore[attr-defined]
        return gradient


def logit_gradient(module):
    """Return the `AnalyticGradient` of a three-branch network, an `AutogradGradient` of another."""
    by_hand = isinstance(module, ThreeBranch) and module.prediction and module.joint
    return AnalyticGradient(module) if by_hand else AutogradGradient(module)


def perturb_block(gradient, p, label, draws, step_size, on_iteration=None):
    """Run Algorithm 1 on one block of records that fits in memory.

    Parameters
    ----------
    gradient : AnalyticGradient or AutogradGradient
    p : float tensor of shape (n, K)
        Confidences; left as they are.
    label : int64 tensor of shape (n,)
        Predicted classes, the label branch's input.
    draws : float tensor of shape (max_iter, n)
        r of Eq. 2, one per iteration and record.
    step_size : float
    on_iteration : callable or None
        Called as ``on_iteration(q)`` before the first and after each iteration.

    Returns
    -------
    q : float tensor of shape (n, K)
        Every entry in [0, 1]; rows need not sum to one and may have another argmax.
    """
    # A matrix product sums the odd rows at its end in another order. Rounded up to fours, a
    # record's answer does not depend on the block it stands in; alone, it may in the last bits.
    n, spare = len(p), -len(p) % 4 if len(p) > 1 else 0
    q = F.pad(p, (0, 0, 0, spare)) if spare else p.clone()
    label, draws = F.pad(label, (0, spare)), F.pad(draws, (0, spare))
    with torch.inference_mode():
        step = gradient.bind(q, label)
        # believed members go down the logit, believed non-members up
        uphill = torch.where(step.logit() >= 0, -1, 1).to(p.dtype)
        moves = (draws * (step_size * uphill)).unsqueeze(2)
        if on_iteration is not None:
            on_iteration(q[:n])
        for move in moves:
            q.addcmul_(step().sign_(), move).clamp_(0, 1)
            if on_iteration is not None:
                on_iteration(q[:n])
    return q[:n]
