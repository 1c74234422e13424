"""Classifiers whose ``predict_proba`` does not give away whose records trained them.

`AEPPTClassifier` wraps a fitted classifier and perturbs the confidences it shows, as the paper
"Use the Spear as a Shield" (arXiv 2011.13696) does; `EqualizedClassifier` shows members and
non-members the same distribution. ``sklearn_aeppt.attacks`` holds the adversaries,
``sklearn_aeppt.metrics`` and ``sklearn_aeppt.displays`` what to judge them by.
"""

__version__ = "0.1.0"  # first: the modules below note it in what is saved

from sklearn_aeppt.defenses._aeppt import AEPPTClassifier
from sklearn_aeppt.defenses._equalized import EqualizedClassifier

__all__ = ["AEPPTClassifier", "EqualizedClassifier"]
