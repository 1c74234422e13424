"""Classifiers whose ``predict_proba`` does not give away whose records trained them.

`AEPPTClassifier` wraps a fitted classifier and perturbs the confidences it shows, as the paper
"Use the Spear as a Shield" (arXiv 2011.13696) does; `EqualizedClassifier` shows members and
non-members the same distribution. ``sklearn_aeppt.attacks`` holds the adversaries,
``sklearn_aeppt.metrics`` and ``sklearn_aeppt.displays`` what to judge them by.
"""

from typing import TYPE_CHECKING

from sklearn_aeppt._lazy import lazy
from sklearn_aeppt._version import __version__ as __version__

if TYPE_CHECKING:  # a type checker does not see lazy names
    from sklearn_aeppt._precomputed import PrecomputedClassifier as PrecomputedClassifier
    from sklearn_aeppt.defenses._aeppt import AEPPTClassifier as AEPPTClassifier
    from sklearn_aeppt.defenses._equalized import EqualizedClassifier as EqualizedClassifier
    from sklearn_aeppt.defenses._out_of_fold import OutOfFoldClassifier as OutOfFoldClassifier

#: Public name -> the module that it comes from.
MODULES = {
    "AEPPTClassifier": "defenses",
    "EqualizedClassifier": "defenses",
    "OutOfFoldClassifier": "defenses",
    "PrecomputedClassifier": "_precomputed",
}
SUBMODULES = (
    "attacks",
    "audit",
    "datasets",
    "defenses",
    "displays",
    "metrics",
    "networks",
    "testing",
)

__getattr__, __dir__, __all__ = lazy(__name__, MODULES, SUBMODULES)
