"""Hides torch and skorch, as if they were not installed: ``AEPPT_BLOCK_TORCH=1 pytest``."""

import sys
from importlib.abc import MetaPathFinder

BLOCKED = ("torch", "skorch")


class NoTorch(MetaPathFinder):
    """Finder that answers every import of a blocked package as Python does for missing ones."""

    def find_spec(self, fullname, path=None, target=None):
        if fullname.partition(".")[0] in BLOCKED:
            raise ModuleNotFoundError(f"No module named {fullname!r}", name=fullname)


def block():
    """Make the blocked packages missing from here on."""
    assert not any(name in sys.modules for name in BLOCKED), "too late, torch is imported already"
    sys.meta_path.insert(0, NoTorch())
