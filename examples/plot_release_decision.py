"""
From a table to a release decision
==================================

A hospital wants to publish a model that was trained on the records of its patients. Who decides
wrote down beforehand what may be found; the audit finds it or does not; the decision names what
remains, who accepts it, and until when.
"""

# %%
# **The data.** Measurements of 569 tumors, each of one patient. Half of the records train the
# model; the other half is drawn from the same table by the same seed, so that the split can be made
# again by whoever checks the decision.
import json
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory

import matplotlib.pyplot as plt
from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import train_test_split

from sklearn_aeppt.audit import Policy, apply_policy, audit

X, y = load_breast_cancer(return_X_y=True, as_frame=True)
X_mem, X_non, y_mem, y_non = train_test_split(X, y, test_size=0.5, stratify=y, random_state=0)

# %%
# **The policy**, before any model is trained. The hospital does not want to rely on a leak that was
# not found: what is above the limits has to be *excluded*. So the limits cannot be arbitrarily low;
# they are what some 280 patients a side can exclude. The model's file itself is published, so that
# it must store no records and have no leaf with fewer than 10 patients.
policy = Policy(
    name="release of the tumor model",
    mode="excluded",
    limits={"excess": 0.1, "accuracy": 0.6, "auc": 0.65, "tpr_at_0.01_fpr": 0.05},
    records={"members": 250, "non_members": 250},
    require={"kinds": ["labels_only", "variants"], "checks": ["blind", "near_duplicates"]},
    structure={"smallest_leaf": 10, "stored_records": 0},
)

# %%
# **The first candidate** is a forest with scikit-learn's defaults. It is turned down for two
# reasons: an attack that is right about more than 60 % of the patients cannot be excluded, and
# some of its leaves hold a single patient.
TODAY = date(2026, 12, 1)
sides = X_mem, y_mem, X_non, y_non


def decide(model, policy):
    """Return the audit of a model, judged on the day of the decision."""
    report = audit(model, *sides, "standard", random_state=0, name=repr(model))
    return apply_policy(report, policy, today=TODAY)


first = decide(RandomForestClassifier(random_state=0).fit(X_mem, y_mem), policy)
for rule in first.policy["rules"]:
    print(f"{rule['outcome']:11} {rule['rule']} ({rule['where']}): {rule['reason']}")
print(first.policy["message"])

# %%
# **The second candidate** has leaves of at least 10 patients, for about two points of accuracy.
model = RandomForestClassifier(min_samples_leaf=10, random_state=0).fit(X_mem, y_mem)
second = decide(model, policy)
print(f"accuracy on other patients: {first.test_accuracy:.1%} before, {second.test_accuracy:.1%}")
print(second.policy["message"])

# %%
# **What remains** is a rule that these records cannot answer: a true positive rate at 1 % false
# positives takes 1,000 patients who did not train the model, and there are 285. Nobody can decide
# that by more computing. Somebody can accept it, for a time, by name. That is a waiver.
waiver = {
    "rule": "tpr_at_0.01_fpr",
    "reason": "285 patients are all there are; the next release has records of a second hospital",
    "until": "2027-12-31",
    "by": "the hospital's privacy officer",
}
signed = apply_policy(second, {**policy.to_dict(), "waivers": [waiver]}, today=TODAY)
print(signed.policy["message"])
print(signed.verdict)

# %%
# **The file** goes with the model: the figures, every rule with its limit and bounds, the waiver
# with its reason and name. In 2028 the same file with the same policy fails.
with TemporaryDirectory() as folder:
    signed.to_json(Path(folder) / "decision.json")
    held = json.loads((Path(folder) / "decision.json").read_text())["policy"]
print(held["outcome"], held["judged_on"], [rule["outcome"] for rule in held["rules"]])
print(apply_policy(signed, held["policy"], today=date(2028, 1, 1)).policy["message"])

# %%
# What the attacks achieved on the model that is released.
signed.plot()
plt.show()
