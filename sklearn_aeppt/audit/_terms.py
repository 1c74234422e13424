"""What advice tells to do, in the terms of whoever made the report: Python or the command line."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Terms:
    """How the steps that a report advises are called."""

    protect: str
    full: str
    groups: str
    fitted_on: str
    trained: str


PYTHON = Terms(
    protect="EqualizedClassifier(model).fit(X, y, is_member=mask)",
    full='Run attacks="full"',
    groups="give groups=",
    fitted_on="fitted_on=",
    trained="sklearn_aeppt.defenses",
)
COMMAND_LINE = Terms(
    protect="sklearn-aeppt protect --model MODEL --members FILE --non-members FILE --out "
    "defended.skops",
    full="Run --attacks full",
    groups="audit them in Python, with groups=",
    fitted_on="--fitted-on",
    trained="sklearn_aeppt.defenses (Python)",
)
