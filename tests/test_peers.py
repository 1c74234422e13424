"""Other toolboxes' attacks run on our defenses unchanged; skipped where a toolbox is missing."""

import warnings

import numpy as np
import pytest
from sklearn.naive_bayes import GaussianNB

pytest.importorskip("torch")

from sklearn_aeppt import AEPPTClassifier, EqualizedClassifier
from sklearn_aeppt.attacks import MIMAttack

pytestmark = pytest.mark.filterwarnings("ignore")  # theirs


@pytest.fixture(scope="module")
def records():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(240, 30))
    return X, rng.integers(3, size=240), np.arange(240) < 120


@pytest.fixture(params=["aeppt", "equalized"])
def defended(request, records):
    X, y, is_member = records
    if request.param == "equalized":
        defense = EqualizedClassifier(GaussianNB(), random_state=0)
    else:
        substitute = MIMAttack("substitute", max_epochs=5)
        defense = AEPPTClassifier(
            GaussianNB(), step_size=1e-3, substitute=substitute, random_state=0
        )
    return defense.fit(X, y, is_member=is_member)


def test_art_black_box(defended, records):
    pytest.importorskip("art")
    from art.attacks.inference.membership_inference import MembershipInferenceBlackBox
    from art.estimators.classification.scikitlearn import ScikitlearnClassifier

    X, y, m = records
    attack = MembershipInferenceBlackBox(ScikitlearnClassifier(defended), attack_model_type="rf")
    attack.fit(X[m][:60], y[m][:60], X[~m][:60], y[~m][:60])
    said = attack.infer(np.r_[X[m][60:], X[~m][60:]], np.r_[y[m][60:], y[~m][60:]]).ravel()
    assert said.shape == (120,) and set(np.unique(said)) <= {0, 1}


def _target(defended, records):
    target_module = pytest.importorskip("sacroml.attacks.target")
    X, y, m = records
    target = target_module.Target(
        model=defended, dataset_name="made up",
        X_train=X[m], y_train=y[m], X_test=X[~m], y_test=y[~m],
    )  # fmt: skip
    for i in range(X.shape[1]):
        target.add_feature(f"V{i}", [i], "float")
    return target


def test_sacro_worst_case(defended, records, tmp_path):
    target = _target(defended, records)
    from sacroml.attacks.worst_case_attack import WorstCaseAttack

    attack = WorstCaseAttack(output_dir=str(tmp_path), write_report=False, n_reps=1, n_dummy_reps=0)
    attack.attack(target)
    assert 0 <= attack.attack_metrics[0]["AUC"] <= 1


def test_sacro_lira_trains_defended_shadow_models(defended, records, tmp_path):
    target = _target(defended, records)
    from sacroml.attacks.likelihood_attack import LIRAAttack

    attack = LIRAAttack(output_dir=str(tmp_path), write_report=False, n_shadow_models=16)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        attack.attack(target)
    assert 0 <= attack.attack_metrics[0]["AUC"] <= 1
