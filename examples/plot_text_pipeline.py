"""
Text classification
===================

Texts are one-dimensional records, so members and non-members go into one list, with a boolean mask.
"""

# %%
# Short synthetic messages of two classes, composed of a few phrases. A linear model on word n-grams
# memorizes them.
import matplotlib.pyplot as plt
import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from sklearn_aeppt import EqualizedClassifier
from sklearn_aeppt.attacks import query

# Without key=, each fit takes a new key from the operating system; this one reproduces the page.
KEY = b"known to all who read this page"

rng = np.random.default_rng(0)
openings = ["please refund", "where is", "cancel", "thanks for", "I never got", "broken again,"]
things = ["the blue kettle", "my order", "that subscription", "the second parcel", "order nine"]
words = np.array(["soon", "late", "never", "still", "maybe", "twice", "again", "friday", "cold"])


def message():
    opening, thing = rng.choice(openings), rng.choice(things)
    return f"{opening} {thing} {' '.join(rng.choice(words, 6))}", opening in openings[:3]


texts, y = zip(*(message() for _ in range(3000)))
y = np.where(rng.random(3000) < 0.25, ~np.array(y), y)  # a fourth of the labels are wrong
is_member = rng.random(3000) < 0.5
model = make_pipeline(TfidfVectorizer(ngram_range=(1, 3)), LogisticRegression(C=100))
model.fit([t for t, m in zip(texts, is_member) if m], y[is_member])

# %%
# The defense is fitted with the mask and queried like the model.
defended = EqualizedClassifier(model, key=KEY, random_state=0).fit(
    list(texts), y, is_member=is_member
)
print(model.predict_proba(texts[:2]).round(3))
print(defended.predict_proba(texts[:2]).round(3))

# %%
# Confidences of correct predictions for members and non-members: different without the defense, the
# same with it.
right = model.predict(texts) == y
fig, axes = plt.subplots(1, 2, figsize=(9, 3.5), layout="constrained", sharey=True)
for ax, (name, target) in zip(axes, {"undefended": model, "equalized": defended}.items()):
    top = query(target, list(texts))["proba"].max(axis=1)
    for side, rows in (("members", is_member), ("non-members", ~is_member)):
        ax.ecdf(top[rows & right], label=side)
    ax.set_xlabel(f"Top confidence, {name}")
    ax.legend()
axes[0].set_ylabel("Cumulative share of correct predictions")
plt.show()
