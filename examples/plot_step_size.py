"""
Choose AEPPT's step size by grid search
=======================================

The paper's rule, the attacker's accuracy as close to 50 % as can be, beside what the rule cannot
see: an attacker who retrains. A pipeline on a pandas table is defended like any other model.
"""

# %%
# A pipeline on a table with named columns, and the paper's adversary, trained on undefended
# answers.
import matplotlib.pyplot as plt
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import GridSearchCV
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_aeppt import AEPPTClassifier
from sklearn_aeppt.attacks import BoostingAttack, MIMAttack, query
from sklearn_aeppt.displays import TradeoffDisplay
from sklearn_aeppt.metrics import (
    attack_scorer,
    label_only_floor,
    paper_rule,
    perturbation_scorer,
)

# Left out, the key is a new one from the operating system: this one makes the page's figures again.
KEY = b"known to all who read this page"

X, y = load_breast_cancer(return_X_y=True, as_frame=True)
y = y ^ (X.index % 5 == 0)  # noise in the labels, for something to be learned by heart
is_member = X.index % 2 == 0
network = MLPClassifier((256,), alpha=0, max_iter=3000, random_state=0)
model = make_pipeline(StandardScaler(), network).fit(X[is_member], y[is_member])
fixed = MIMAttack(max_epochs=40, random_state=0).fit(query(model, X, y), is_member)

# %%
# The model stays as it is throughout the search; ``y`` is the membership mask.
search = GridSearchCV(
    AEPPTClassifier(
        model, substitute=MIMAttack("substitute", max_epochs=40), key=KEY, random_state=0
    ),
    {"step_size": [1e-4, 1e-3, 3e-3, 1e-2]},
    scoring={
        "closeness": attack_scorer(fixed),
        "perturbation": perturbation_scorer(),
        "fixed": attack_scorer(fixed, metric="neg_accuracy"),
        "retrained": attack_scorer(
            BoostingAttack(random_state=0), metric="neg_accuracy", random_state=0
        ),
    },
    refit=paper_rule,
    cv=3,
).fit(X, is_member)
print(search.best_params_)

# %%
# The fixed attacker falls as the step grows; the one who retrains does not.
found, pred = search.cv_results_, model.predict(X)
floor = label_only_floor(y[is_member], pred[is_member], y[~is_member], pred[~is_member])
ax = None
for name in ("fixed", "retrained"):
    display = TradeoffDisplay.from_predictions(
        -found["mean_test_perturbation"], -found[f"mean_test_{name}"], floor, name=name, ax=ax
    )
    ax = display.ax_
plt.show()
