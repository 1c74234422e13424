"""Draws the picture of docs/auditing.md: ``python docs/audit_location30.py FOLDER`` of the data."""

import sys
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

sys.path.insert(0, str(Path(__file__).parents[1]))
from examples.studies._data import key_from, overfit_network, tables
from examples.studies.defenses import draw
from sklearn_aeppt import AEPPTClassifier, EqualizedClassifier
from sklearn_aeppt.audit import audit

X, y, is_member = draw(*tables(sys.argv[1])["location30"], 2500, 0)
members, others = is_member.nonzero()[0], (~is_member).nonzero()[0]
seen, unseen = others[::2], others[1::2]  # those that the defenses are fitted on, and the audited
model = overfit_network(0).fit(X[members], y[members])
given = {"key": key_from("picture", 0), "random_state": 0}
targets = {
    "undefended": model,
    "AEPPT": AEPPTClassifier(model, **given),
    "equalized": EqualizedClassifier(model, **given),
    "equal rows, template": EqualizedClassifier(
        model, pairwise_delta=0, other_classes="template", **given
    ),
}
for defense in list(targets.values())[1:]:
    defense.fit(X[members], X[seen], y_mem=y[members], y_non=y[seen])
sides = X[members], y[members], X[unseen], y[unseen]
comparison = audit(targets, *sides, random_state=0, fitted_on=X[members], verbose=1)
print(comparison)
figure, axes = plt.subplot_mosaic(
    [["all", "all"], ["undefended", "AEPPT"], ["equalized", "equal rows, template"]],
    figsize=(13, 15), layout="constrained",
)  # fmt: skip
comparison.plot(axes["all"])
for name, report in comparison.reports.items():
    report.plot(axes[name])
out = sys.argv[2] if len(sys.argv) > 2 else Path(__file__).with_suffix(".png")
figure.savefig(out, dpi=75)
