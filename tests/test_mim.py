import os

import numpy as np
import pytest

pytest.importorskip("torch")

import torch
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score, learning_curve
from skorch.dataset import Dataset
from skorch.helper import SliceDict

from sklearn_aeppt._nets._adam import Adam
from sklearn_aeppt._nets._three_branch import ARCHITECTURES, ThreeBranch
from sklearn_aeppt._nets._training import BalancedLoss, TensorBatches
from sklearn_aeppt.attacks import MIMAttack, query

quick = MIMAttack("substitute", max_epochs=5, random_state=0)


@pytest.fixture(scope="module")
def game(overfit):
    model, X, y, is_member = overfit
    return query(model, X, y), is_member


def test_query_is_what_the_adversary_sees(overfit):
    model, X, y, _ = overfit
    view = query(model, X, y)
    assert view["proba"].dtype == np.float32 and view["label"].dtype == np.int64
    np.testing.assert_array_equal(model.classes_[view["label"]], y)
    np.testing.assert_array_equal(query(model, X)["label"], view["proba"].argmax(axis=1))


def test_query_turns_labels_of_any_kind_into_indices(overfit):
    _, X, y, is_member = overfit
    names = np.array(["oak", "ash", "elm", "fir"])[y]
    model = LogisticRegression().fit(X[is_member], names[is_member])
    view = query(model, X, names)
    np.testing.assert_array_equal(model.classes_[view["label"]], names)
    with pytest.raises(ValueError, match=r"\['yew'\].*does not know"):
        query(model, X[:1], ["yew"])


def test_layers_are_the_papers():
    def widths(layers):
        return [(layer.in_features, layer.out_features) for layer in layers]

    substitute = ThreeBranch(100, **ARCHITECTURES["substitute"])
    assert widths(substitute.prediction) == widths(substitute.label) == [(100, 256)]
    assert widths(substitute.joint) == [(512, 64)] and substitute.output.out_features == 1
    mim0 = ThreeBranch(100, **ARCHITECTURES["mim0"])
    assert widths(mim0.prediction) == [(100, 1024), (1024, 512), (512, 64)]
    assert widths(mim0.label) == [(100, 512), (512, 64)]
    assert widths(mim0.joint) == [(128, 256), (256, 64)]
    mim1 = ThreeBranch(100, **ARCHITECTURES["mim1"])
    assert widths(mim1.joint) == [(200, 1024), (1024, 512), (512, 256)]


def test_label_look_up_equals_the_product_with_one_hot():
    module = ThreeBranch(5, **ARCHITECTURES["substitute"])
    label = torch.tensor([0, 3, 4])
    one_hot = torch.nn.functional.one_hot(label, 5).float()
    torch.testing.assert_close(module.embed(label), torch.relu(module.label[0](one_hot)))


@pytest.mark.parametrize("architecture", list(ARCHITECTURES))
def test_attack_beats_chance_on_an_overfit_model(architecture, game):
    view, is_member = game
    attack = MIMAttack(architecture, max_epochs=40, random_state=0)
    scores = cross_val_score(attack, view, is_member, cv=3, scoring="roc_auc")
    assert scores.mean() > 0.7


def test_attack_is_at_chance_when_membership_is_random(game):
    view, _ = game
    coin = np.random.default_rng(1).random(len(view)) < 0.5
    scores = cross_val_score(MIMAttack("substitute", max_epochs=20, random_state=0), view, coin)
    assert abs(scores.mean() - 0.5) < 3 * 0.5 / np.sqrt(len(view))


def test_goes_through_model_selection(game):
    view, is_member = game
    grid = GridSearchCV(quick, {"architecture": ["substitute", "mim1"]}, cv=2)
    grid.fit(view, is_member)
    assert grid.best_score_ > 0.5
    learning_curve(quick, view, is_member, train_sizes=[0.5, 1.0], cv=2, shuffle=True)


def test_plain_array_is_read_as_confidences_with_the_predicted_label(game):
    view, is_member = game
    plain = clone(quick).fit(view["proba"], is_member)
    labeled = SliceDict(proba=view["proba"], label=view["proba"].argmax(axis=1))
    expected = clone(quick).fit(labeled, is_member)
    np.testing.assert_array_equal(
        plain.decision_function(view["proba"]), expected.decision_function(labeled)
    )


def test_members_and_non_members_weigh_alike():
    logit, y = torch.zeros(10), torch.tensor([1.0] * 2 + [0.0] * 8)
    for kind in ("cross_entropy", "l2"):
        loss = BalancedLoss(kind, member_weight=4.0)
        x = logit.clone().requires_grad_()
        (gradient,) = torch.autograd.grad(loss(x, y), x)
        assert gradient[:2].sum().item() == pytest.approx(-gradient[2:].sum().item())


def test_unbalanced_sides_do_not_tilt_the_attack(game):
    view, is_member = game
    rows = np.r_[np.flatnonzero(is_member)[:30], np.flatnonzero(~is_member)]
    attack = MIMAttack("substitute", max_epochs=30, random_state=0)
    said = attack.fit(view[rows], is_member[rows]).predict(view)
    assert said[is_member].mean() > 0.5 > said[~is_member].mean()


def test_batches_are_slices_of_every_record_once():
    X = {"proba": np.arange(20, dtype=np.float32).reshape(10, 2), "label": np.arange(10)}
    y = np.arange(10, dtype=np.float32)
    in_order = list(TensorBatches(Dataset(X, y), batch_size=4))
    assert [len(b[1]) for b in in_order] == [4, 4, 2] == [len(b[0]["proba"]) for b in in_order]
    generator = torch.Generator().manual_seed(0)
    shuffled = TensorBatches(Dataset(X, y), batch_size=4, shuffle=True, generator=generator)
    first, second = ([b[1] for b in shuffled] for _ in range(2))
    assert sorted(torch.cat(first).tolist()) == list(range(10))
    assert torch.cat(first).tolist() != torch.cat(second).tolist()
    for batch, labels in shuffled:
        assert (batch["proba"][:, 0] == 2 * labels).all()
    assert len(shuffled) == 3


def test_same_seed_same_attack_and_global_generators_untouched(game):
    view, is_member = game
    torch.manual_seed(7)
    np.random.seed(7)  # noqa: NPY002
    before = torch.random.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    first = clone(quick).fit(view, is_member).decision_function(view)
    torch.manual_seed(8)
    changed = torch.random.get_rng_state()
    second = clone(quick).fit(view, is_member).decision_function(view)
    np.testing.assert_array_equal(first, second)
    assert torch.equal(torch.random.get_rng_state(), changed)
    assert (np.random.get_state()[1] == before[1]).all()  # noqa: NPY002


def test_steps_are_those_of_torchs_adam():
    modules = [ThreeBranch(5, **ARCHITECTURES["substitute"], seed=0) for _ in range(2)]
    ours = Adam([{"params": list(modules[0].parameters())}], lr=0.01)
    torchs = torch.optim.Adam(modules[1].parameters(), lr=0.01, fused=True)
    rng = torch.Generator().manual_seed(0)
    for _ in range(20):
        proba, label = torch.rand(30, 5, generator=rng), torch.randint(5, (30,), generator=rng)
        for module, optimizer in zip(modules, (ours, torchs)):
            optimizer.zero_grad()
            module(proba, label).pow(2).sum().backward()
            optimizer.step()
    for one, other in zip(*(module.parameters() for module in modules)):
        assert torch.equal(one, other)


def test_early_stopping_goes_back_to_the_best_epoch(game):
    view, is_member = game
    attack = MIMAttack("mim0", max_epochs=200, early_stopping=True, random_state=0)
    history = attack.fit(view, is_member).history_
    assert len(history) < 200
    assert np.argmin(history[:, "valid_loss"]) == len(history) - 1 - attack.n_iter_no_change


def test_interrupted_training_leaves_it_unfitted(game, monkeypatch):
    view, is_member = game

    def interrupt(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr(BalancedLoss, "forward", interrupt)
    attack = clone(quick)
    with pytest.raises(KeyboardInterrupt):
        attack.fit(view, is_member)
    assert not hasattr(attack, "module_")


def test_score_of_a_record_does_not_depend_on_its_batch(game):
    view, is_member = game
    attack = clone(quick).fit(view, is_member)
    alone = np.concatenate([attack.decision_function(view[[i]]) for i in range(50)])
    np.testing.assert_allclose(alone, attack.decision_function(view)[:50], rtol=1e-12)


def test_progress_is_shown_on_demand(game, capsys):
    view, is_member = game
    clone(quick).fit(view, is_member)
    assert capsys.readouterr() == ("", "")
    clone(quick).set_params(verbose=1).fit(view, is_member)
    assert "%" in "".join(capsys.readouterr())


@pytest.mark.skipif(not torch.cuda.is_available(), reason=f"no GPU among {os.cpu_count()} cores")
def test_gpu_agrees_with_cpu(game):
    view, is_member = game
    cpu = clone(quick).fit(view, is_member).decision_function(view)
    gpu = clone(quick).set_params(device="cuda").fit(view, is_member).decision_function(view)
    np.testing.assert_allclose(gpu, cpu, rtol=1e-2, atol=1e-2)


@pytest.mark.parametrize(
    ("X", "y", "message"),
    [
        (SliceDict(label=np.zeros(4, int)), [0, 1, 0, 1], "holds no 'proba'"),
        (SliceDict(proba=np.eye(4), label=np.full(4, 4)), [0, 1, 0, 1], "from 0 to 3"),
        (np.eye(4), [1, 1, 1, 1], "one class only"),
        (np.eye(4), [0, 1, 2, 1], "must hold members"),
        (np.eye(4), [0, 1, 1], "3 memberships for 4 records"),
        (np.eye(4) * np.nan, [0, 1, 0, 1], "NaN"),
    ],
)
def test_bad_input_says_the_mend(X, y, message):
    with pytest.raises(ValueError, match=message):
        clone(quick).fit(X, y)
