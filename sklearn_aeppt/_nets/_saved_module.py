"""How estimators that hold a torch module are saved: as arrays, which skops can read and check."""

import json
import re
from collections.abc import Callable
from inspect import signature
from numbers import Integral
from typing import Any

import numpy as np
import torch
from skorch.history import History

DEVICE = re.compile(r"cpu|mps|cuda(:\d{1,3})?")


class SavedModule:
    """Mixin: `module_` is saved as its kind, its arguments and its weights, `history_` as JSON.

    The module notes in `arguments` what it was made from; `_kinds` names the modules that the
    estimator may hold. Each has a static method ``weight_shapes(**arguments)`` -> name -> shape of
    its weights, which raises a ValueError for arguments that make no sense: a file is checked
    against it before anything is made. A module from a GPU loads on a machine without one.
    ``_saved_sizes(state)`` names the arguments that the rest of the state fixes.
    """

    _kinds: tuple[Any, ...]
    _saved_sizes: Callable[[dict[str, Any]], dict[str, Any]]

    def __getstate__(self):
        state: Any = super().__getstate__()
        if "module_" in state:
            module = state["module_"]
            weights = {key: value.numpy(force=True) for key, value in module.state_dict().items()}
            state = {
                **state,
                "module_": {
                    "kind": type(module).__name__,
                    "arguments": module.arguments,
                    "weights": weights,
                },
                "history_": json.dumps(state["history_"], default=float),
            }
        return state

    def __setstate__(self, state):
        state = dict(state)
        if "module_" in state:
            try:
                device = _device(state.get("device"))
                state["module_"] = self._read_module(state).to(device).eval()
                state["history_"] = _history(state.get("history_"))
            except ValueError as error:
                raise ValueError(
                    f"This {type(self).__name__} was not saved by this library, or was changed "
                    f"since: {error}. Save it again, or fit it again."
                ) from error
        super().__setstate__(state)  # type: ignore[misc]  # that of BaseEstimator

    def _read_module(self, state):
        """Return the saved module; nothing is allocated before its arguments fit its weights."""
        saved = _entries(state["module_"], {"kind", "arguments", "weights"}, "module_")
        kinds = {kind.__name__: kind for kind in self._kinds}
        if not isinstance(saved["kind"], str) or saved["kind"] not in kinds:
            raise ValueError(f"kind={saved['kind']!r:.80} is not one of {', '.join(kinds)}")
        kind, weights = kinds[saved["kind"]], saved["weights"]
        arguments = _entries(
            saved["arguments"], set(signature(kind.weight_shapes).parameters), "arguments"
        )
        for name, expected in self._saved_sizes(state).items():
            if arguments[name] != expected:
                raise ValueError(f"{name}={arguments[name]!r:.80} should be {expected}")
        shapes = kind.weight_shapes(**arguments)
        for name, value in _entries(weights, set(shapes), "weights").items():
            _check_weight(name, value, shapes[name])
        module = kind(**arguments)
        module.load_state_dict({key: torch.tensor(value) for key, value in weights.items()})
        return module


def check_width(name, value):
    """Refuse what is no number of units."""
    if isinstance(value, bool) or not isinstance(value, Integral) or value < 1:
        raise ValueError(f"{name}={value!r:.80} is not a positive integer")


def check_widths(name, value):
    """Refuse what is no sequence of numbers of units."""
    if not isinstance(value, (tuple, list)):
        raise ValueError(f"{name}={value!r:.80} is not a tuple of integers")
    for width in value:
        check_width(name, width)


def _entries(value, expected, name):
    if not isinstance(value, dict) or set(value) != expected:
        found = sorted(map(str, value)) if isinstance(value, dict) else type(value).__name__
        raise ValueError(f"{name} holds {found!s:.200} instead of {sorted(expected)}")
    return value


def _check_weight(name, value, shape):
    if not isinstance(value, np.ndarray) or value.dtype != np.float32 or value.shape != shape:
        found = getattr(value, "dtype", type(value).__name__), getattr(value, "shape", ())
        raise ValueError(
            f"the weights {name} are {found[0]} of shape {found[1]} instead of float32 "
            f"of shape {shape}"
        )
    if not np.isfinite(value).all():
        raise ValueError(f"the weights {name} hold NaN or infinity")


def _device(name):
    """Return the device of that name, or the CPU where this machine has no such device."""
    if not isinstance(name, str) or not DEVICE.fullmatch(name):
        raise ValueError(f"device={name!r:.80} is not one of 'cpu', 'mps', 'cuda' and 'cuda:N'")
    kind, _, index = name.partition(":")
    if kind == "cuda":
        there = torch.cuda.is_available() and int(index or 0) < torch.cuda.device_count()
    else:
        there = kind == "cpu" or torch.backends.mps.is_available()
    return name if there else "cpu"


def _history(text):
    if not isinstance(text, str):
        raise ValueError(f"history_ is {type(text).__name__}, not a string")
    epochs = json.loads(text)
    if not isinstance(epochs, list) or not all(isinstance(epoch, dict) for epoch in epochs):
        raise ValueError("history_ is not a list of epochs")
    return History(epochs)
