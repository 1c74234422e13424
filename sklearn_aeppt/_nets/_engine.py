"""Which engine perturbs: increments compiled by numba where they apply, else torch.

The rule: numba can be imported (the extra ``fast``), and the network is a `ThreeBranch` in single
precision on the CPU with one layer in its prediction branch and one joint layer, as the paper's
substitute is. Measured for 2 to 1,000 classes, 1 to 4,096 records and steps up to 0.01, increments
are then never the slower ones (docs/results/increments.md).
"""

from functools import cache
from weakref import WeakKeyDictionary

import numpy as np
import torch

from sklearn_aeppt._nets._perturbation import logit_gradient, perturb_block
from sklearn_aeppt._nets._three_branch import ThreeBranch

#: Module -> (state of its weights, its prepared arrays): for one record, preparing takes longer
#: than perturbing.
_prepared: WeakKeyDictionary = WeakKeyDictionary()


def perturb_rows(module, proba, label, draws, step_size):
    """Run Algorithm 1 on one block of records, as `perturb_block` does, in and out as arrays.

    Parameters
    ----------
    module : torch.nn.Module
        ``module(proba, label) -> logit``.
    proba : ndarray of shape (n, K)
        Confidences; taken as float32.
    label : int ndarray of shape (n,)
        Predicted classes.
    draws : float32 ndarray of shape (max_iter, n)
        r of Eq. 2.
    step_size : float

    Returns
    -------
    q : float32 ndarray of shape (n, K)
    """
    proba, label = np.ascontiguousarray(proba, np.float32), np.ascontiguousarray(label, np.int64)
    arrays = increments_of(module)
    if arrays is not None:
        q = np.empty_like(proba)
        draws = np.ascontiguousarray(draws, np.float32)
        _numba_engine().perturb(proba, label, draws, float(step_size), *arrays, q)
        return q
    device = next(module.parameters(), torch.empty(0)).device  # where it was loaded to
    q = perturb_block(
        logit_gradient(module),
        torch.tensor(proba, device=device),
        torch.as_tensor(label, device=device),
        torch.as_tensor(draws, device=device),
        step_size,
    )
    return q.cpu().numpy()


def increments_of(module):
    """Return the arrays with which the numba engine perturbs for `module`, None if it does not."""
    if type(module) is not ThreeBranch or (len(module.prediction), len(module.joint)) != (1, 1):
        return None
    weights = list(module.parameters())
    if any(w.dtype != torch.float32 or w.device.type != "cpu" for w in weights):
        return None
    if _numba_engine() is None:
        return None
    state = None
    if not any(w.is_inference() for w in weights):  # these do not count their changes
        state = [(id(w), w.data_ptr(), w._version) for w in weights]
        if module in _prepared and _prepared[module][0] == state:
            return _prepared[module][1]
    arrays = _prepare(module)
    if state is not None:
        _prepared[module] = state, arrays
    return arrays


def _prepare(module):
    """Return the prepared arrays of a network; None if a weight is NaN or infinite."""
    with torch.inference_mode():
        if not all(torch.isfinite(w).all() for w in module.parameters()):
            return None  # torch carries NaN through to an error
        first, joint = module.prediction[0], module.joint[0]
        width = first.out_features
        side = joint.weight[:, width:].double()
        every = torch.arange(module.n_classes)
        table = module.embed(every).double() @ side.T + joint.bias.double()
        arrays = (first.weight, first.bias, joint.weight[:, :width], table, module.output.weight[0])
        return _numba_engine().prepare(*(a.numpy() for a in arrays), float(module.output.bias))


@cache
def _numba_engine():
    """Return the module of compiled increments, None where numba cannot be imported."""
    from sklearn_aeppt._nets import _increments  # numba takes half a second: only when asked

    return None if _increments.numba is None else _increments
