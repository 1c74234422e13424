import subprocess
import sys

import numpy as np
import pytest

pytest.importorskip("torch")

from sklearn_aeppt import displays
from sklearn_aeppt.attacks import MIMAttack, query
from sklearn_aeppt.displays import (
    ClassCdfDisplay,
    IterationLossDisplay,
    MembershipRocDisplay,
    PerturbationDisplay,
    TradeoffDisplay,
)
from sklearn_aeppt.metrics import perturbation_size

plt = pytest.importorskip("matplotlib.pyplot")


@pytest.fixture(autouse=True)
def close_figures():
    plt.switch_backend("agg")
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def attack(overfit):
    model, X, _, is_member = overfit
    attack = MIMAttack("substitute", max_epochs=10, random_state=0)
    return attack.fit(query(model, X), is_member)


def legend_overlaps_axes(ax):
    ax.figure.draw_without_rendering()
    return ax.get_legend().get_window_extent().overlaps(ax.get_window_extent())


def test_roc_from_estimator_gets_scores_and_calls_from_predictions(attack, overfit):
    model, X, _, is_member = overfit
    view = query(model, X)
    one = MembershipRocDisplay.from_estimator(attack, view, is_member)
    two = MembershipRocDisplay.from_predictions(is_member, attack.decision_function(view))
    np.testing.assert_array_equal(one.fpr, two.fpr)
    np.testing.assert_array_equal(one.tpr, two.tpr)
    assert one.name == "MIMAttack" and two.name is None
    assert (one.n_members, one.n_non_members) == (300, 300)
    assert one.fpr[-1] == one.tpr[-1] == 1


def test_roc_axes():
    y = np.arange(40) < 20
    display = MembershipRocDisplay.from_predictions(y, np.arange(40.0)[::-1], name="perfect")
    ax = display.ax_
    assert ax.get_xscale() == ax.get_yscale() == "log"
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("False positive rate", "True positive rate")
    x, height = display.line_.get_data()
    assert height[x <= 0.5 / 20].max() == 1  # found without a false positive, and drawn
    assert (x[0], height[0]) == (0.5 / 20, 0.5 / 20)
    np.testing.assert_array_equal(x[1:], display.fpr.clip(0.5 / 20))
    np.testing.assert_array_equal(height[1:], display.tpr)
    assert display.line_.get_drawstyle() == "steps-post"
    other = MembershipRocDisplay.from_predictions(y, np.arange(40.0), name="inverted", ax=ax)
    assert other.ax_ is ax
    assert other.line_.get_color() != display.line_.get_color()
    assert other.line_.get_linestyle() != display.line_.get_linestyle()
    labels = [text.get_text() for text in ax.get_legend().get_texts()]
    assert sorted(labels) == ["chance", "inverted", "perfect"]
    assert not legend_overlaps_axes(ax)


def test_class_cdf_shows_the_sorted_values():
    rng = np.random.default_rng(0)
    values, y = rng.random(300), np.repeat([5, 6, 7, 8, 9], [80, 70, 60, 50, 40])
    is_member = rng.random(300) < 0.5
    display = ClassCdfDisplay.from_predictions(values, y, is_member)
    assert display.classes.tolist() == [5, 6, 7, 8]  # the four largest
    line = display.axes_[1].lines[0]
    mine = np.sort(values[(y == 6) & is_member])
    x, share = line.get_data()
    np.testing.assert_array_equal(x[1:-1], mine)
    np.testing.assert_allclose(share[:-1], np.arange(len(mine) + 1) / len(mine))
    assert not legend_overlaps_axes(display.axes_[0])
    assert [ax.get_xlabel() for ax in display.axes_] == [f"class {c}" for c in (5, 6, 7, 8)]


def test_class_cdf_from_estimator(attack, overfit):
    model, X, y, is_member = overfit
    _, ax = plt.subplots()
    display = ClassCdfDisplay.from_estimator(model, X, y, is_member, classes=[2], ax=ax)
    top = query(model, X)["proba"].max(axis=1)
    np.testing.assert_array_equal(display.members[0], np.sort(top[(y == 2) & is_member]))
    assert ax.get_xlabel() == "Top confidence (probability), class 2"
    display = ClassCdfDisplay.from_estimator(model, X, y, is_member, classes=[1, 0], attack=attack)
    logit = attack.decision_function(query(model, X))
    loss = np.log1p(np.exp(logit[(y == 1) & ~is_member]))
    np.testing.assert_allclose(display.non_members[0], np.sort(loss))
    assert "nats" in display.xlabel


def test_class_cdf_errors():
    values, y, is_member = np.arange(4.0), [0, 0, 1, 1], [1, 0, 1, 0]
    with pytest.raises(ValueError, match=r"classes=\[7\] have no records"):
        ClassCdfDisplay.from_predictions(values, y, is_member, classes=[7])
    with pytest.raises(ValueError, match="1 axes for 2 classes"):
        ClassCdfDisplay.from_predictions(values, y, is_member, ax=plt.subplots()[1])


def test_iteration_loss_from_estimator(defended, overfit):
    _, X, _, is_member = overfit
    display = IterationLossDisplay.from_estimator(defended, X, is_member)
    np.testing.assert_array_equal(display.is_member, is_member)
    assert display.loss.shape == (defended.max_iter + 1, len(X))
    # before the first iteration: the substitute's loss against its own belief
    logit = defended.substitute_.decision_function(query(defended.estimator_, X))
    np.testing.assert_allclose(display.loss[0], np.log1p(np.exp(-np.abs(logit))), atol=1e-5)
    assert (display.loss[0] <= np.log(2)).all()
    # with the draws of these records, whatever else is asked about
    again = IterationLossDisplay.from_estimator(defended, X[280:320], is_member[280:320])
    np.testing.assert_allclose(again.loss, display.loss[:, 280:320], atol=1e-4)
    # the perturbation climbs it
    assert np.median(display.loss[-1]) > np.median(display.loss[0])
    np.testing.assert_allclose(
        display.lines_[0].get_ydata(), np.median(display.loss[:, is_member], axis=1), rtol=1e-6
    )
    assert not legend_overlaps_axes(display.ax_)


def test_iteration_loss_errors():
    with pytest.raises(ValueError, match="inconsistent"):
        IterationLossDisplay.from_predictions(np.zeros((3, 4)), [1, 0, 1])
    with pytest.raises(ValueError, match="two-dimensional"):
        IterationLossDisplay.from_predictions(np.zeros(3), [1, 0, 1])


@pytest.mark.parametrize("log", [True, False])
def test_perturbation_display(defended, overfit, log):
    model, X, _, _ = overfit
    display = PerturbationDisplay.from_estimator(defended, X[:5], record=3, log=log)
    p, q = model.predict_proba(X[:5]), defended.predict_proba(X[:5])
    np.testing.assert_array_equal(display.before, p[3])
    np.testing.assert_array_equal(display.after, q[3])
    size = perturbation_size(p[3:4], q[3:4])
    assert display.ax_.get_title(loc="right") == f"L1 = {size:.3g}"
    assert display.ax_.get_yscale() == ("log" if log else "linear")
    before, after = display.ax_.lines
    floor = 1e-6 if log else 0
    np.testing.assert_array_equal(before.get_ydata(), p[3].clip(floor))
    np.testing.assert_array_equal(after.get_ydata(), q[3].clip(floor))
    assert not legend_overlaps_axes(display.ax_)


def test_perturbation_display_of_many_classes_and_errors():
    p = np.full((1, 100), 0.01)
    display = PerturbationDisplay.from_predictions(p, p)
    assert display.ax_.get_xlabel() == "Class (index of the column)"
    with pytest.raises(ValueError, match="must have the same"):
        PerturbationDisplay.from_predictions(p, p[:, :50])
    with pytest.raises(ValueError, match="3 entries for 100 columns"):
        PerturbationDisplay.from_predictions(p, p, classes=[1, 2, 3])


def test_tradeoff_display():
    display = TradeoffDisplay.from_predictions(
        [0.2, 0.0, 0.1],
        [0.61, 0.74, 0.68],
        0.6,
        interval=([0.60, 0.73, 0.67], [0.62, 0.75, 0.69]),
        limit=([0.1, 0.0], [0.6, 0.74]),
        name="equalized",
    )
    np.testing.assert_array_equal(display.size, [0, 0.1, 0.2])
    np.testing.assert_allclose(display.line_.get_ydata(), [74, 68, 61])
    np.testing.assert_array_equal(display.interval[0], [0.73, 0.67, 0.60])
    np.testing.assert_array_equal(display.limit[0], [0, 0.1])
    labels = [text.get_text() for text in display.ax_.get_legend().get_texts()]
    assert labels == ["equalized", "least that any defense needs", "label alone: 60.0%"]
    assert not legend_overlaps_axes(display.ax_)
    other = TradeoffDisplay.from_predictions([0], [0.7], 0.6, name="b", ax=display.ax_)
    assert other.line_.get_color() != display.line_.get_color()
    excess = TradeoffDisplay.from_predictions([0, 0.1], [0.74, 0.6], 0.6, excess=True)
    np.testing.assert_allclose(excess.line_.get_ydata(), [14, 0], atol=1e-9)
    assert "points" in excess.ax_.get_ylabel()


def test_tradeoff_display_refuses_percent():
    with pytest.raises(ValueError, match="accuracy has values outside"):
        TradeoffDisplay.from_predictions([0], [74.0], 0.6)
    with pytest.raises(ValueError, match="floor has values outside"):
        TradeoffDisplay.from_predictions([0], [0.74], 61.0)


def test_import_needs_no_matplotlib_and_plot_says_so():
    code = (
        "import sys; sys.modules['matplotlib'] = None\n"
        "from sklearn_aeppt.displays import TradeoffDisplay\n"
        "try:\n"
        "    TradeoffDisplay.from_predictions([0], [0.7], 0.6)\n"
        "except ImportError as error:\n"
        "    print(error)\n"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "TradeoffDisplay.plot requires matplotlib" in out.stdout


def test_every_public_name_is_found_and_no_other():
    assert dir(displays) == displays.__all__ == sorted(displays.MODULES)
    for name in displays.__all__:
        module = f"{displays.__name__}.{displays.MODULES[name]}"
        assert getattr(displays, name).__module__ == module
    with pytest.raises(AttributeError, match="has no attribute 'RocDisplay'"):
        getattr(displays, "RocDisplay")  # noqa: B009
