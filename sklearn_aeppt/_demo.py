"""The demo: train an overfit model, attack it, protect it, attack it again."""

from pathlib import Path

import numpy as np
from sklearn.base import clone
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.datasets import load_digits
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder
from sklearn.utils import _safe_indexing
from tqdm.auto import tqdm

from sklearn_aeppt import EqualizedClassifier
from sklearn_aeppt._saving import writing
from sklearn_aeppt._tables import load_records
from sklearn_aeppt.attacks import GradientBoostingAttack, query
from sklearn_aeppt.metrics import clopper_pearson, label_only_floor, perturbation_size

ABOUT_AEPPT = (
    "AEPPT stops an attack that was trained on undefended outputs. The attack in the second row is",
    "retrained on the defended outputs; EqualizedClassifier is designed to stop it.",
)
EPOCHS = 40
NO_TORCH = "AEPPT and its networks need torch and skorch: pip install 'sklearn-aeppt[torch]'."


def demo(data=None, target=None, out="aeppt_demo.png", seed=0):
    """Run the demo and return its table as text.

    Parameters
    ----------
    data : path-like or None
        ``.npz`` with ``X`` and ``y``, ``.csv`` or ``.parquet``. None takes scikit-learn's digits.
    target : str or None
        Column of the class labels in a table; None takes the last one.
    out : path-like
        The figure to write.
    seed : int
    """
    name = "digits" if data is None else Path(data).name
    X, y = load_digits(return_X_y=True) if data is None else load_records(data, target)
    X, y, dropped = drop_rare_classes(X, y)
    mem, non = train_test_split(np.arange(len(y)), test_size=0.5, stratify=y, random_state=seed)
    both, member = np.r_[mem, non], np.arange(len(y)) < len(mem)
    take = lambda rows: _safe_indexing(X, rows)  # noqa: E731
    with tqdm(total=6, unit="step", desc="training the model") as bar:
        model = overfit_model(X, seed).fit(take(mem), y[mem])
        bar.update()
        bar.set_description("protecting the model")
        aeppt, attack = aeppt_around(model, seed), GradientBoostingAttack(random_state=seed)
        equalized = EqualizedClassifier(model, random_state=seed)
        equalized.fit(take(mem), take(non), y_mem=y[mem], y_non=y[non])
        targets = {"undefended": model, "AEPPT": aeppt, "equalized": equalized}
        if aeppt is None:
            del targets["AEPPT"]
        else:
            aeppt.fit(take(mem), take(non))
        bar.update()

        # the adversary knows who is a member in one half, and is scored on the other
        known, scored = train_test_split(
            np.arange(len(both)), test_size=0.5, stratify=member, random_state=seed
        )
        views = {name: query(t, take(both), y[both]) for name, t in targets.items()}
        hits = {}
        for trained_on, view in views.items():
            bar.set_description(f"attacking, {trained_on}")
            attack = clone(attack).fit(view[known], member[known])
            for shown, seen in views.items():
                right = attack.predict(seen[scored]) == member[scored]
                hits[trained_on, shown] = right.sum(), len(scored)
            bar.update()
        bar.set_description("done")
        bar.update()

    pred = model.predict(take(both))
    before = views["undefended"]["proba"]
    kept = [np.mean(before.argmax(1) == view["proba"].argmax(1)) for view in views.values()]
    size = [perturbation_size(before, view["proba"]) for view in views.values()]
    floor = label_only_floor(y[mem], pred[member], y[non], pred[~member])
    rows = [
        ("", *views),
        (
            "attack accuracy, trained on undefended outputs",
            *(percent(*hits["undefended", shown]) for shown in views),
        ),
        (
            "attack accuracy, retrained on the released outputs",
            *(percent(*hits[shown, shown]) for shown in views),
        ),
        (
            "label-only floor, which no defense of confidences can lower",
            *[f"{floor:.1%}"] * len(views),
        ),
        ("labels kept", *(f"{share:.1%}" for share in kept)),
        ("mean L1 change of a confidence vector", *(f"{change:.3f}" for change in size)),
    ]
    accuracy = [np.mean(pred[side] == y[both][side]) for side in (member, ~member)]
    adversary = type(attack).__name__
    if aeppt is None:
        closing = [NO_TORCH]
    else:
        closing = [*ABOUT_AEPPT, f"AEPPT: step_size='auto' chose {aeppt.step_size_:.2g}."]
    lines = [
        f"{name}: {len(mem)} members, {len(non)} non-members, {len(model.classes_)} classes, "
        f"train accuracy {accuracy[0]:.1%}, test accuracy {accuracy[1]:.1%}"
        + (f" ({dropped} records in classes of fewer than 4 left out)" if dropped else ""),
        f"attack: {adversary}",
        "",
        *(f"{label:60}" + "".join(f"{cell:>22}" for cell in cells) for label, *cells in rows),
        "",
        "Brackets: 95 % Clopper-Pearson intervals.",
        *closing,
        draw(out, views, member, hits, floor, adversary),
    ]
    return "\n".join(lines)


def aeppt_around(model, seed):
    """Return AEPPT around the model; without torch None."""
    try:
        from sklearn_aeppt import AEPPTClassifier
        from sklearn_aeppt.attacks import MIMAttack
    except ImportError:
        return None
    # fewer epochs than the paper: nobody waits a minute for a demo
    substitute = MIMAttack("substitute", max_epochs=EPOCHS)
    return AEPPTClassifier(model, substitute=substitute, random_state=seed)


def percent(hits, trials):
    """Return a proportion with its 95 % interval as text."""
    low, high = clopper_pearson(hits, trials)
    return f"{hits / trials:.1%} [{100 * low:.1f}, {100 * high:.1f}]"


def overfit_model(X, seed):
    """Return a forest of full depth; behind a one-hot encoder where columns are not numbers."""
    forest = RandomForestClassifier(random_state=seed)
    if not hasattr(X, "columns"):
        return forest
    encode = make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore"), make_column_selector(dtype_exclude="number")),
        remainder="passthrough",
    )
    return make_pipeline(encode, forest)


def drop_rare_classes(X, y):
    """Leave out classes with fewer than 4 records: each must stand on both sides."""
    _, code, count = np.unique(y, return_inverse=True, return_counts=True)
    rows = np.flatnonzero(count[code] >= 4)
    if len(np.unique(code[rows])) < 2 or len(rows) < 40:
        raise ValueError(
            f"{len(rows)} records in {len(np.unique(code[rows]))} classes of at least 4: give 40 "
            "records or more, in two classes or more, with the labels as --target."
        )
    return _safe_indexing(X, rows), np.asarray(y)[rows], len(y) - len(rows)


def draw(out, views, member, hits, floor, adversary):
    """Draw what the adversary sees and how accurate they are; return a line about the figure."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        return "No figure: drawing it needs sklearn-aeppt[plots]."
    figure = Figure(figsize=(15, 3.6), layout="constrained")
    *shown, right = figure.subplots(1, len(views) + 1, width_ratios=[*(1 for _ in views), 1.3])
    for axis, (name, view) in zip(shown, views.items()):
        top = view["proba"].max(axis=1)
        for side, label, color in (
            (member, "members", "#0072B2"),
            (~member, "non-members", "#D55E00"),
        ):
            axis.ecdf(top[side], label=label, color=color)
        axis.set(title=name, xlabel="largest released confidence", xlim=(0, 1.02))
    shown[0].set_ylabel("share of records at or below")
    shown[0].legend(loc="upper left")
    bars = {
        "undefended": ("undefended", "undefended"),
        "AEPPT,\nfixed attacker": ("undefended", "AEPPT"),
        "AEPPT,\nretrained": ("AEPPT", "AEPPT"),
        "equalized,\nretrained": ("equalized", "equalized"),
    }
    bars = {name: key for name, key in bars.items() if key in hits}
    for x, key in enumerate(bars.values()):
        share = hits[key][0] / hits[key][1]
        low, high = clopper_pearson(*hits[key])
        right.bar(x, share, color="#56B4E9", width=0.6)
        right.errorbar(x, share, [[share - low], [high - share]], color="black", capsize=4)
    right.axhline(floor, color="#D55E00", label=f"label-only floor, {floor:.1%}")
    right.axhline(0.5, color="gray", linestyle=":", label="random guessing")
    right.set(title=f"accuracy of {adversary}", ylim=(0.3, 1), xticks=range(len(bars)))
    right.set_xticklabels(bars)
    right.legend(loc="upper right")
    with writing(out) as file:
        figure.savefig(file, format=Path(out).suffix[1:] or None, dpi=120)
    return f"Figure: {out}"
