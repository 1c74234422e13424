"""
Two defenses of one model
=========================

AEPPT fools an attack that was trained on undefended outputs. Behind the equalized defense, even an
attack that is retrained on the defended outputs learns little beyond what the label reveals.
"""

# %%
# A random forest that has memorized its training records, and an adversary who knows the membership
# of half of the records.
import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import train_test_split

from sklearn_aeppt import AEPPTClassifier, EqualizedClassifier
from sklearn_aeppt.attacks import GradientBoostingAttack, query
from sklearn_aeppt.displays import MembershipRocDisplay
from sklearn_aeppt.metrics import label_only_floor, perturbation_size

# Without key=, each fit takes a new key from the operating system; this one reproduces the page.
KEY = b"known to all who read this page"

X, y = load_digits(return_X_y=True)
is_member = np.random.default_rng(0).random(len(X)) < 0.5
model = RandomForestClassifier(random_state=0).fit(X[is_member], y[is_member])
known, scored = train_test_split(
    np.arange(len(X)), test_size=0.5, stratify=is_member, random_state=0
)

# %%
# The same boosting attack, retrained and scored on the outputs of each target.
targets = {
    "undefended": model,
    "AEPPT": AEPPTClassifier(model, key=KEY, random_state=0).fit(X, y, is_member=is_member),
    "equalized": EqualizedClassifier(model, key=KEY, random_state=0).fit(X, y, is_member=is_member),
}
pred = model.predict(X)
floor = label_only_floor(y[is_member], pred[is_member], y[~is_member], pred[~is_member])
plain = query(model, X, y)
fig, ax = plt.subplots()
print(f"label-only floor: {100 * floor:.1f} %")
for name, target in targets.items():
    view = query(target, X, y)
    attack = GradientBoostingAttack(random_state=0).fit(view[known], is_member[known])
    accuracy = 100 * attack.score(view[scored], is_member[scored])
    size = perturbation_size(plain["proba"], view["proba"])
    print(f"{name}: retrained attack {accuracy:.1f} %, mean L1 {size:.2f}")
    MembershipRocDisplay.from_estimator(attack, view[scored], is_member[scored], name=name, ax=ax)
plt.show()
