"""
Audit a model and two defenses of it
====================================

Which attacker gets how much out of a model's answers, and what is left of it behind a defense.
"""

# %%
# A forest that knows its members by heart.
import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.ensemble import RandomForestClassifier

from sklearn_aeppt import EqualizedClassifier
from sklearn_aeppt.audit import audit
from sklearn_aeppt.defenses import RoundingClassifier

# Left out, the key is a new one from the operating system: this one makes the page's figures again.
KEY = b"known to all who read this page"

X, y = load_digits(return_X_y=True)
is_member = np.random.default_rng(0).random(len(X)) < 0.5
model = RandomForestClassifier(random_state=0).fit(X[is_member], y[is_member])

# %%
# All of them on the same records, attacked by whoever trains on what they show.
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
# The strongest attack on each, against how much the defense changes.
comparison.plot()
plt.show()
