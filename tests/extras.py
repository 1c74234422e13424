"""Whether the extra [torch] is there; tests that need it are skipped without it."""

import pytest

try:
    import skorch
    import torch
except ModuleNotFoundError:
    torch = skorch = None

needs_torch = pytest.mark.skipif(torch is None, reason="needs torch and skorch")
