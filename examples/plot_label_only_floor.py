"""
Why no label-preserving defense gets below the floor
====================================================

A defense that keeps the predicted labels cannot hide whether a label is right, and labels are right
more often for members. The figure shows what remains to be hidden.
"""

# %%
# A network that has memorized its training records, although many of their labels are noise.
import matplotlib.pyplot as plt
import numpy as np
from sklearn.neural_network import MLPClassifier

from sklearn_aeppt import EqualizedClassifier
from sklearn_aeppt.attacks import query
from sklearn_aeppt.metrics import label_only_floor

# Without key=, each fit takes a new key from the operating system; this one reproduces the page.
KEY = b"known to all who read this page"

rng = np.random.default_rng(0)
X, y = rng.normal(size=(4000, 20)), rng.integers(4, size=4000)
y = np.where(rng.random(4000) < 0.6, X[:, :4].argmax(axis=1), y)
is_member = np.arange(4000) < 2000
model = MLPClassifier((128,), alpha=0, max_iter=1500, random_state=0)
model.fit(X[is_member], y[is_member])
right = model.predict(X) == y
floor = label_only_floor(
    y[is_member], model.predict(X[is_member]), y[~is_member], model.predict(X[~is_member])
)
train, test = 100 * right[is_member].mean(), 100 * right[~is_member].mean()
print(f"train accuracy {train:.1f} %, test accuracy {test:.1f} %")
print(f"label-only floor {100 * floor:.1f} %")

# %%
# Left: the label-only attack calls a record a member where its label is right, and succeeds this
# often no matter what is released besides the label. Middle: the confidences add information, since
# they are higher for members. Right: the equalized defense removes it. The two distributions for
# right labels then have the same shape; only the number of right labels differs, and that is the
# floor.
defended = EqualizedClassifier(model, key=KEY, random_state=0).fit(X, y, is_member=is_member)
fig, axes = plt.subplots(1, 3, figsize=(10, 3.4), layout="constrained")
sides = {"members": is_member, "non-members": ~is_member}
for x, rows in enumerate(sides.values()):
    share = [100 * (right & rows).sum() / rows.sum(), 100 * (~right & rows).sum() / rows.sum()]
    axes[0].bar(x, share[0], color="C0", label="label right" if x == 0 else None)
    axes[0].bar(x, share[1], bottom=share[0], color="0.8", label=None if x else "label wrong")
axes[0].set_xticks([0, 1], sides)
axes[0].set_ylabel("Records (%)")
axes[0].set_title(f"Label-only floor: {100 * floor:.1f} %")
axes[0].legend(loc="lower right")
for ax, (name, target) in zip(axes[1:], {"undefended": model, "equalized": defended}.items()):
    top = query(target, X)["proba"].max(axis=1)
    for side, rows in sides.items():
        ax.hist(
            top[rows & right], bins=np.linspace(0.25, 1, 31), density=True, alpha=0.6, label=side
        )
    ax.set_xlabel("Top confidence where the label is right")
    ax.set_yticks([])
    ax.set_title(name)
    ax.legend()
plt.show()
