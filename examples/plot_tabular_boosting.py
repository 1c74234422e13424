"""
Gradient boosting on a data frame
=================================

A pipeline on a pandas data frame is wrapped without changes: frames are passed to the model as they
are, and the defended model takes the same columns.
"""

# %%
# Gradient boosting on 30 measured features of tumors. About 30 % of the labels are flipped, so that
# the model has something to memorize.
import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import RobustScaler

from sklearn_aeppt import EqualizedClassifier
from sklearn_aeppt.audit import audit

# Without key=, each fit takes a new key from the operating system; this one reproduces the page.
KEY = b"known to all who read this page"

X, y = load_breast_cancer(return_X_y=True, as_frame=True)
rng = np.random.default_rng(0)
y = y.where(rng.random(len(y)) > 0.3, 1 - y)
is_member = rng.random(len(y)) < 0.5
model = make_pipeline(
    RobustScaler(), HistGradientBoostingClassifier(learning_rate=0.3, random_state=0)
).fit(X[is_member], y[is_member])

# %%
# Predicted labels and column names are preserved.
defended = EqualizedClassifier(model, key=KEY, random_state=0)
defended.fit(X[is_member], X[~is_member], y_mem=y[is_member], y_non=y[~is_member])
print(defended.feature_names_in_[:3])
print((defended.predict(X) == model.predict(X)).all())

# %%
# The accuracy of attackers who retrain on the outputs.
sides = X[is_member], y[is_member], X[~is_member], y[~is_member]
targets = {"undefended": model, "equalized": defended}
comparison = audit(targets, *sides, "quick", random_state=0)
for sentence in comparison.verdicts:
    print(sentence)
comparison.plot()
plt.show()
