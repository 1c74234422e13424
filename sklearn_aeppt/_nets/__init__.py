"""The door to torch and skorch, an extra: whoever needs them imports them from here.

Without them the rest of the library works; what needs them says how to install them.
"""

try:
    import skorch
    import skorch.callbacks
    import skorch.dataset
    import skorch.helper
    import torch
except ImportError as error:
    raise ImportError(
        f"This needs torch and skorch: pip install 'sklearn-aeppt[torch]' ({error})."
    ) from error

__all__ = ["skorch", "torch"]
