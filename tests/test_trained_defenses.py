"""Defenses in training, and the networks that they start from."""

import pickle

import numpy as np
import pytest

pytest.importorskip("torch")

import torch
from sklearn import config_context
from sklearn.base import clone
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline

from sklearn_aeppt._nets._target_networks import _SmallConv
from sklearn_aeppt.attacks import LiRAAttack, query
from sklearn_aeppt.defenses import (
    AdversarialRegularizationClassifier,
    DropoutClassifier,
    MemGuardClassifier,
    ModelStackingClassifier,
    RoundingClassifier,
    TemperatureClassifier,
    TopKClassifier,
)
from sklearn_aeppt.networks import NetworkClassifier, _Resume

NET = {"hidden_layer_sizes": (32,), "lr": 0.01, "max_epochs": 40, "random_state": 0}
STACK = [("nb", GaussianNB()), ("forest", RandomForestClassifier(n_estimators=10))]
TRAINED = [
    NetworkClassifier(**NET),
    DropoutClassifier(0.3, **NET),
    AdversarialRegularizationClassifier(1.0, **NET),
    ModelStackingClassifier(STACK, random_state=0),
]


@pytest.fixture(scope="module")
def noisy():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(400, 20)).astype(np.float32), rng.integers(3, size=400)
    y = np.where(rng.random(400) < 0.6, X[:, :3].argmax(axis=1), y)
    return train_test_split(X, y, test_size=0.5, random_state=0)


def gap(model, X, X_test, y, y_test):
    return model.score(X, y) - model.score(X_test, y_test)


@pytest.mark.parametrize("model", TRAINED, ids=lambda m: type(m).__name__)
def test_fits_pickles_clones_and_leaves_the_global_generators_alone(model, noisy):
    X, X_test, y, _ = noisy
    before = np.random.get_state()[1].copy(), torch.random.get_rng_state()  # noqa: NPY002
    first, again = (clone(model).fit(X, y) for _ in range(2))
    assert (np.random.get_state()[1] == before[0]).all()  # noqa: NPY002
    assert torch.equal(torch.random.get_rng_state(), before[1])
    proba = first.predict_proba(X_test)
    np.testing.assert_allclose(proba.sum(axis=1), 1)
    np.testing.assert_array_equal(proba, again.predict_proba(X_test))
    np.testing.assert_array_equal(proba, pickle.loads(pickle.dumps(first)).predict_proba(X_test))
    np.testing.assert_allclose(first.predict_proba(X_test[3:4]), proba[3:4], rtol=1e-6)


@pytest.mark.parametrize(
    ("model", "grid"),
    [
        (RoundingClassifier(LogisticRegression()), {"decimals": [1, 2]}),
        (TopKClassifier(LogisticRegression()), {"k": [1]}),
        (TemperatureClassifier(LogisticRegression()), {"temperature": [1.0, 5.0]}),
        (MemGuardClassifier(LogisticRegression(), max_iter=3), {"epsilon": [0.1, 1.0]}),
        (DropoutClassifier(**NET), {"dropout": [0.1, 0.5]}),
        (NetworkClassifier(**NET), {"weight_decay": [0.0, 0.01]}),
        (AdversarialRegularizationClassifier(**NET), {"alpha": [0.0, 1.0]}),
        (ModelStackingClassifier(STACK), {"forest__n_estimators": [2, 5]}),
    ],
    ids=lambda m: type(m).__name__,
)
def test_grid_search_over_the_main_parameter(model, grid, noisy):
    X, _, y, _ = noisy
    search = GridSearchCV(model, grid, cv=2, scoring="neg_log_loss", error_score="raise")
    scores = search.fit(X, y).cv_results_["mean_test_score"]
    assert np.isfinite(scores).all()


@pytest.mark.parametrize("model", TRAINED, ids=lambda m: type(m).__name__)
def test_weights_shift_the_decisions_and_count_by_their_ratios(model, noisy):
    X, _, y, _ = noisy
    heavy = np.where(y == 0, 20.0, 1.0)
    plain, alike, weighted, scaled = (
        clone(model).fit(X, y, sample_weight=weight).predict_proba(X)
        for weight in (None, np.full(len(y), 2.0), heavy, list(4 * heavy))
    )
    assert weighted[:, 0].mean() > plain[:, 0].mean() + 0.01
    if isinstance(model, NetworkClassifier):  # the models of the stack are penalized
        np.testing.assert_allclose(plain, alike, atol=1e-4)
        np.testing.assert_allclose(weighted, scaled, atol=1e-6)


@pytest.mark.parametrize(
    "model", [NetworkClassifier(**NET), AdversarialRegularizationClassifier(0.0, **NET)], ids=str
)
def test_a_record_of_weight_zero_trains_nothing(model, noisy):
    X, X_test, y, y_test = noisy
    weight = np.r_[np.ones(200), np.zeros(100)]
    more, labels = np.r_[X, X_test[:100]], np.r_[y, y_test[:100]]
    options = {}
    if isinstance(model, AdversarialRegularizationClassifier):
        more, labels = np.r_[more, X_test[100:]], np.r_[labels, y_test[100:]]
        weight = np.r_[weight, np.full(100, np.pi)]  # of reference records: without effect
        options = {"is_member": np.arange(400) < 300}
    fitted = clone(model).fit(more, labels, sample_weight=weight, **options)
    plain = NetworkClassifier(**NET).fit(X, y)
    np.testing.assert_allclose(fitted.predict_proba(X), plain.predict_proba(X), atol=1e-5)
    first = np.arange(len(labels)) < 300
    for wrong in (np.where(first, 0.0, 1.0), np.where(first, -1.0, 1.0)):
        with pytest.raises(ValueError, match=r"(?i)sample.weights? must"):
            clone(model).fit(more, labels, sample_weight=wrong, **options)


def test_in_one_batch_a_weight_of_two_is_the_record_twice(noisy):
    X, _, y, _ = noisy
    net = NetworkClassifier(**NET, batch_size=1000, weight_decay=0.01)
    times = np.arange(200) % 4
    weighted = clone(net).fit(X, y, sample_weight=times).predict_proba(X)
    repeated = clone(net).fit(X.repeat(times, axis=0), y.repeat(times)).predict_proba(X)
    np.testing.assert_allclose(weighted, repeated, atol=1e-3)


def test_a_checkpoint_of_other_weights_is_not_taken_up(noisy, tmp_path):
    X, _, y, _ = noisy
    net = NetworkClassifier(**{**NET, "max_epochs": 3}, checkpoint=tmp_path / "net.pt").fit(X, y)
    weight = np.where(y == 0, 20.0, 1.0)
    again = clone(net).fit(X, y, sample_weight=weight).predict_proba(X)
    expected = clone(net).set_params(checkpoint=None).fit(X, y, sample_weight=weight)
    np.testing.assert_array_equal(again, expected.predict_proba(X))


def test_each_model_of_a_stack_gets_the_weights_of_its_part(noisy):
    X, _, y, _ = noisy
    told = {}

    class Listens(GaussianNB):
        def fit(self, X, y, sample_weight=None):
            told[self.var_smoothing] = sample_weight
            return super().fit(X, y, sample_weight)

    weight, models = np.arange(1.0, 201), [Listens(var_smoothing=i) for i in (1e-9, 2e-9, 3e-9)]
    stack = ModelStackingClassifier([("a", models[0]), ("b", models[1])], models[2], random_state=0)
    stack.fit(X, y, sample_weight=weight)
    for model, rows in zip(models, stack.parts_):
        np.testing.assert_array_equal(told[model.var_smoothing], weight[rows])
    deaf = ModelStackingClassifier([("nb", GaussianNB()), ("knn", KNeighborsClassifier())])
    with pytest.raises(ValueError, match=r"sample_weight is given, but knn=KNeighborsClassifier"):
        deaf.fit(X, y, sample_weight=weight)


def test_networks_request_weights(noisy):
    X, _, y, _ = noisy
    weight = np.where(y == 0, 20.0, 1.0)
    nets = [m for m in TRAINED if isinstance(m, NetworkClassifier)]
    with config_context(enable_metadata_routing=True):
        for net in nets:
            net = clone(net).set_params(max_epochs=5).set_fit_request(sample_weight=True)
            search = GridSearchCV(
                net.set_score_request(sample_weight=False), {"lr": [0.01]}, cv=2, refit=True
            ).fit(X, y, sample_weight=weight)
            plain = clone(net).fit(X, y, sample_weight=weight)
            np.testing.assert_array_equal(search.predict_proba(X), plain.predict_proba(X))


def test_they_close_the_gap(noisy):
    X, X_test, y, y_test = noisy
    sides = X, X_test, y, y_test
    net = {**NET, "hidden_layer_sizes": (128,), "max_epochs": 150}
    plain = gap(NetworkClassifier(**net).fit(X, y), *sides)
    assert plain > 0.3
    assert gap(DropoutClassifier(0.8, **net).fit(X, y), *sides) < plain - 0.03
    assert gap(NetworkClassifier(weight_decay=0.1, **net).fit(X, y), *sides) < plain - 0.03
    forests = [(str(i), RandomForestClassifier(random_state=i)) for i in range(2)]
    assert gap(ModelStackingClassifier(forests, random_state=0).fit(X, y), *sides) < plain - 0.1
    X_all, y_all = np.r_[X, X_test], np.r_[y, y_test]
    is_member = np.arange(400) < 200
    regularized = AdversarialRegularizationClassifier(10.0, **net)
    regularized.fit(X_all, y_all, is_member=is_member)
    assert gap(regularized, *sides) < plain - 0.03


def test_adversarial_regularization_without_weight_is_the_plain_network(noisy):
    X, X_test, y, y_test = noisy
    is_member = np.arange(400) < 200
    game = AdversarialRegularizationClassifier(0.0, **NET)
    game.fit(np.r_[X, X_test], np.r_[y, y_test], is_member=is_member)
    plain = NetworkClassifier(**NET).fit(X, y)
    np.testing.assert_allclose(game.predict_proba(X), plain.predict_proba(X), atol=1e-5)


def test_reference_records_do_not_train_the_classifier(noisy):
    """Their labels can be anything: with no weight on the game they change nothing."""
    X, X_test, y, y_test = noisy
    is_member = np.arange(400) < 200
    model = AdversarialRegularizationClassifier(0.0, **NET)
    first = clone(model).fit(np.r_[X, X_test], np.r_[y, y_test], is_member=is_member)
    other = clone(model).fit(np.r_[X, X_test[::-1]], np.r_[y, y_test], is_member=is_member)
    np.testing.assert_allclose(first.predict_proba(X), other.predict_proba(X), atol=1e-6)


def test_parts_of_a_stack_are_disjoint_and_alike(noisy):
    X, _, y, _ = noisy
    parts = ModelStackingClassifier(STACK, random_state=0).fit(X, y).parts_
    assert len(parts) == 3
    np.testing.assert_array_equal(np.sort(np.concatenate(parts)), np.arange(len(y)))
    counts = np.array([np.bincount(y[rows], minlength=3) for rows in parts])
    assert (counts.max(axis=0) - counts.min(axis=0) <= 1).all()
    rare = ModelStackingClassifier(STACK, random_state=0)
    rare.fit(X, np.r_[["a", "b"] * 99, ["c"], ["a"]])
    assert rare.predict_proba(X).shape == (200, 3)
    assert 198 in rare.parts_[-1]


@pytest.mark.parametrize("labels", [np.array(["no", "yes"]), np.array([20, 1])])
def test_the_final_estimator_of_a_stack_learns_the_labels_themselves(noisy, labels):
    X, _, y, _ = noisy
    y = labels[(y == 1).astype(int)]
    shown = {}
    for weight in (1, 50):
        final = LogisticRegression(class_weight={labels[0]: 1, labels[1]: weight})
        stack = ModelStackingClassifier(STACK, final, random_state=0).fit(X, y)
        np.testing.assert_array_equal(stack.classes_, np.sort(labels))
        learned = stack.stack_.final_estimator_.estimator_.classes_
        np.testing.assert_array_equal(learned, np.sort(labels))
        np.testing.assert_array_equal(stack.stack_.predict(X), stack.predict(X))
        shown[weight] = stack.predict_proba(X)[:, list(stack.classes_).index(labels[1])]
    assert shown[50].mean() > shown[1].mean() + 0.3
    plain = ModelStackingClassifier(STACK, random_state=0)
    words = plain.fit(X, np.array(["no", "yes"])[(y == labels[1]).astype(int)]).predict_proba(X)
    np.testing.assert_array_equal(words, plain.fit(X, y == labels[1]).predict_proba(X))


def test_a_stack_takes_any_kind_of_records(noisy):
    frame = pytest.importorskip("pandas").DataFrame(noisy[0], columns=[f"c{i}" for i in range(20)])
    stack = ModelStackingClassifier(STACK, n_jobs=2, random_state=0).fit(frame, noisy[2])
    assert stack.predict(frame).shape == (200,)
    with pytest.raises(ValueError, match="feature names should match"):
        stack.predict(frame.rename(columns={"c0": "other"}))


def test_alexnet_takes_images_in_both_forms():
    rng = np.random.default_rng(0)
    y = np.arange(60) % 3
    X = (rng.random((60, 32, 32, 3)) * 0.3 + y[:, None, None, None] * 0.3).astype(np.float32)
    net = NetworkClassifier("alexnet", activation="relu", lr=0.001, max_epochs=15, random_state=0)
    net.fit(X, y)
    assert net.score(X, y) > 0.9
    np.testing.assert_array_equal(net.predict(X), net.predict(X.reshape(60, -1)))
    with pytest.raises(ValueError, match="architecture='alexnet' takes images of shape"):
        net.fit(X[..., 0].reshape(60, -1), y)


@pytest.mark.parametrize(("size", "side"), [(3, 2), (5, 4), (3, 3)])
def test_small_maps_are_convolved_by_one_product(size, side):
    layer = _SmallConv(6, 5, size, padding=size // 2).double()
    X = torch.randn(7, 6, side, side, dtype=torch.double)
    expected = torch.nn.functional.conv2d(X, layer.weight, layer.bias, padding=size // 2)
    torch.testing.assert_close(layer(X), expected)


def test_a_training_that_asks_for_more_epochs_goes_on_and_for_fewer_starts_anew(noisy, tmp_path):
    X, _, y, _ = noisy
    short, long = (NetworkClassifier(**{**NET, "max_epochs": n}).fit(X, y) for n in (3, 6))
    net = clone(short).set_params(checkpoint=tmp_path / "net.pt").fit(X, y)
    first = net.history_[:, "dur"]
    for n, expected in ((6, long), (3, short)):
        net.set_params(max_epochs=n).fit(X, y)
        assert (net.history_[:3, "dur"] == first) == (n == 6)
        np.testing.assert_array_equal(net.predict_proba(X), expected.predict_proba(X))


def test_an_autocast_that_was_interrupted_changes_no_later_training(noisy):
    X, _, y, _ = noisy
    net = NetworkClassifier(**{**NET, "precision": "bfloat16", "max_epochs": 5, "random_state": 0})
    expected = net.fit(X, y).predict_proba(X)
    torch.autocast_increment_nesting()  # as if ctrl-C had come inside of __exit__
    try:
        np.testing.assert_array_equal(net.fit(X, y).predict_proba(X), expected)
    finally:
        torch.autocast_decrement_nesting()
        torch.clear_autocast_cache()


@pytest.mark.parametrize("params", [{}, {"dropout": 0.3}, {"precision": "bfloat16"}])
def test_a_training_that_was_cut_off_goes_on_to_the_same_network(
    noisy, tmp_path, monkeypatch, params
):
    X, _, y, _ = noisy
    net = NetworkClassifier(**{**NET, **params, "max_epochs": 5, "random_state": 0})
    file = tmp_path / "new" / "net.pt"
    halting = clone(net).set_params(checkpoint=file)
    save, saved = _Resume.on_epoch_end, []

    def halt(self, net, **kwargs):
        save(self, net, **kwargs)
        saved.append(file.read_bytes())
        if len(saved) == 3:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(_Resume, "on_epoch_end", halt)
        with pytest.raises(KeyboardInterrupt):
            halting.fit(X, y)
    whole, resumed = net.fit(X, y), halting.fit(X, y)
    assert len(resumed.history_) == 5
    assert resumed.history_[2, "dur"] != whole.history_[2, "dur"]  # taken up, not trained again
    np.testing.assert_array_equal(whole.predict_proba(X), resumed.predict_proba(X))

    other = clone(halting).set_params(random_state=1).fit(X, y)  # the file is of another training
    expected = clone(net).set_params(random_state=1).fit(X, y)
    np.testing.assert_array_equal(other.predict_proba(X), expected.predict_proba(X))

    file.write_text("a report that somebody still needs")
    with pytest.raises(ValueError, match="not a checkpoint"):
        halting.fit(X, y)
    assert file.read_text() == "a report that somebody still needs"


def test_shadow_models_of_trained_defenses(noisy):
    X, X_test, y, y_test = noisy
    X, y, is_member = np.r_[X, X_test], np.r_[y, y_test], np.arange(400) < 200
    model = make_pipeline(AdversarialRegularizationClassifier(1.0, **{**NET, "max_epochs": 5}))
    last = {"adversarialregularizationclassifier__is_member": is_member}
    view = query(model.fit(X, y, **last), X, y)
    attack = LiRAAttack(model, n_shadow_models=4, random_state=0).fit(view[::2], is_member[::2])
    assert attack.predict(view[1::2]).shape == (200,)
