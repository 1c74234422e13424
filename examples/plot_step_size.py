"""
Choose AEPPT's step size by grid search
=======================================

The paper chooses the step at which the attack accuracy is as close to 50 % as possible. This
example compares the rule with what it does not measure, an attacker who retrains. A pipeline on a
pandas table is defended like any other model.
"""

# %%
# A pipeline on a table with named columns, and the paper's adversary, trained on undefended
# outputs.
import matplotlib.pyplot as plt
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import GridSearchCV
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_aeppt import AEPPTClassifier
from sklearn_aeppt.attacks import GradientBoostingAttack, MIMAttack, query
from sklearn_aeppt.displays import TradeoffDisplay
from sklearn_aeppt.metrics import (
    aeppt_refit,
    attack_scorer,
    label_only_floor,
    perturbation_scorer,
)

# Without key=, each fit takes a new key from the operating system; this one reproduces the page.
KEY = b"known to all who read this page"

X, y = load_breast_cancer(return_X_y=True, as_frame=True)
y = y ^ (X.index % 5 == 0)  # label noise, so that there is something to memorize
is_member = X.index % 2 == 0
network = MLPClassifier((256,), alpha=0, max_iter=3000, random_state=0)
model = make_pipeline(StandardScaler(), network).fit(X[is_member], y[is_member])
fixed = MIMAttack(max_epochs=40, random_state=0).fit(query(model, X, y), is_member)

# %%
# The fitted model is never changed by the search; ``y`` is the membership mask.
search = GridSearchCV(
    AEPPTClassifier(
        model, substitute=MIMAttack("substitute", max_epochs=40), key=KEY, random_state=0
    ),
    {"step_size": [1e-4, 1e-3, 3e-3, 1e-2]},
    scoring={
        "neg_abs_advantage": attack_scorer(fixed),
        "perturbation": perturbation_scorer(),
        "fixed": attack_scorer(fixed, metric="neg_accuracy"),
        "retrained": attack_scorer(
            GradientBoostingAttack(random_state=0), metric="neg_accuracy", random_state=0
        ),
    },
    refit=aeppt_refit,
    cv=3,
).fit(X, is_member)
print(search.best_params_)

# %%
# The accuracy of the fixed attack falls as the step grows; that of the retrained attack does not.
found, pred = search.cv_results_, model.predict(X)
floor = label_only_floor(y[is_member], pred[is_member], y[~is_member], pred[~is_member])
ax = None
for name in ("fixed", "retrained"):
    display = TradeoffDisplay.from_predictions(
        -found["mean_test_perturbation"], -found[f"mean_test_{name}"], floor, name=name, ax=ax
    )
    ax = display.ax_
plt.show()
