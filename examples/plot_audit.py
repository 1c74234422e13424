"""
Audit a model and two defenses
==============================

How much each attack learns about membership from a model's predictions, and how much of it remains
behind a defense.
"""

# %%
# A random forest that has memorized its training records.
import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.ensemble import RandomForestClassifier

from sklearn_aeppt import EqualizedClassifier
from sklearn_aeppt.audit import audit
from sklearn_aeppt.defenses import RoundingClassifier

# Without key=, each fit takes a new key from the operating system; this one reproduces the page.
KEY = b"known to all who read this page"

X, y = load_digits(return_X_y=True)
is_member = np.random.default_rng(0).random(len(X)) < 0.5
model = RandomForestClassifier(random_state=0).fit(X[is_member], y[is_member])

# %%
# All targets are audited on the same records; every attack is retrained on the target's outputs.
targets = {
    "undefended": model,
    "rounded": RoundingClassifier(model, decimals=1).fit(X, y, is_member=is_member),
    "equalized": EqualizedClassifier(model, key=KEY, random_state=0).fit(X, y, is_member=is_member),
}
sides = X[is_member], y[is_member], X[~is_member], y[~is_member]
comparison = audit(targets, *sides, "quick", random_state=0)
for sentence in comparison.verdicts:
    print(sentence)

# %%
# The strongest attack on each target, against the size of the perturbation.
comparison.plot()
plt.show()
