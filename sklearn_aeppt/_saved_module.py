"""How estimators that hold a torch module are saved: as arrays, which skops can read and check."""

import json

import torch
from skorch.history import History


class SavedModule:
    """Mixin: `module_` is saved as its kind, its arguments and its weights, `history_` as JSON.

    The module notes in `arguments` what it was made from; `_kinds` names the modules that the
    estimator may hold. A module from a GPU loads on a machine without one.
    """

    def __getstate__(self):
        state = super().__getstate__()
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
            saved = state["module_"]
            kind = {kind.__name__: kind for kind in self._kinds}[saved["kind"]]
            module = kind(**saved["arguments"])
            weights = {key: torch.tensor(value) for key, value in saved["weights"].items()}
            module.load_state_dict(weights)
            on_gpu = torch.device(state["device"]).type != "cuda" or torch.cuda.is_available()
            state["module_"] = module.to(state["device"] if on_gpu else "cpu").eval()
            state["history_"] = History(json.loads(state["history_"]))
        super().__setstate__(state)
