"""scikit-learn's own checks over every public estimator, in several settings."""

import pytest
from extras import torch
from sklearn.base import is_classifier
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.tree import DecisionTreeClassifier
from sklearn.utils.estimator_checks import parametrize_with_checks

from sklearn_aeppt import EqualizedClassifier, OutOfFoldClassifier
from sklearn_aeppt.attacks import (
    CollisionAttack,
    FlipAttack,
    GapAttack,
    GradientBoostingAttack,
    LabelOnlyAttack,
    RandomForestAttack,
    RoundingAttack,
    ThresholdAttack,
    VariantsAttack,
)
from sklearn_aeppt.defenses import (
    ModelStackingClassifier,
    OutputDefense,
    RoundingClassifier,
    TemperatureClassifier,
    TopKClassifier,
)

KEY = b"a key of the tests, known to all"  # checks that ask two fits for the same outputs need one
ESTIMATORS = [
    EqualizedClassifier(LogisticRegression(), key=KEY),
    EqualizedClassifier(
        LogisticRegression(),
        cost="l1",
        other_classes="rescaled",
        pairwise_delta=0.5,
        n_bins=4,
        key=KEY,
    ),
    EqualizedClassifier(
        LogisticRegression(), other_classes="template", delta=0.1, n_label_groups=2, key=KEY
    ),
    RoundingClassifier(LogisticRegression(), decimals=2),
    TopKClassifier(LogisticRegression(), k=1),
    TemperatureClassifier(LogisticRegression()),
    OutOfFoldClassifier(LogisticRegression(), cv=3, n_repeats=2),
    OutOfFoldClassifier(LogisticRegression(), cv=2, n_repeats=1, labels="kept", bandwidth=0.0),
    OutOfFoldClassifier(RandomForestClassifier(20), cv="oob", bandwidth=0.5),
    ModelStackingClassifier([("a", LogisticRegression()), ("b", DecisionTreeClassifier())]),
    GapAttack(),
    LabelOnlyAttack(n_queries=1),
    ThresholdAttack(),
    ThresholdAttack("modified_entropy", per_class=False),
    GradientBoostingAttack(max_iter=20),
    CollisionAttack(),
    VariantsAttack(n_queries=1, max_iter=20),
    VariantsAttack(n_queries=1, labels_only=True, max_iter=20),
    RandomForestAttack(n_estimators=20, min_samples_leaf=1),
    FlipAttack(ThresholdAttack("loss")),
    RoundingAttack(GradientBoostingAttack(max_iter=20, random_state=0), decimals=1),
]
if torch is not None:
    from sklearn_aeppt import AEPPTClassifier
    from sklearn_aeppt.attacks import MIMAttack
    from sklearn_aeppt.defenses import (
        AdversarialRegularizationClassifier,
        DropoutClassifier,
        MemGuardClassifier,
    )
    from sklearn_aeppt.networks import NetworkClassifier

    quick = MIMAttack("substitute", max_epochs=2)
    ESTIMATORS += [
        AEPPTClassifier(LogisticRegression(), step_size=1e-3, substitute=quick, key=KEY),
        AEPPTClassifier(
            DecisionTreeClassifier(random_state=0),
            step_size=1e-3,
            substitute=quick,
            batch_size=7,
            key=KEY,
        ),
        AEPPTClassifier(
            LogisticRegression(),
            step_size=1e-3,
            substitute=MIMAttack("mim1", max_epochs=2),
            query_noise="fresh",
        ),
        MemGuardClassifier(LogisticRegression(), max_iter=3, defense_classifier=quick, key=KEY),
        NetworkClassifier(hidden_layer_sizes=(16,), lr=0.02, max_epochs=60, weight_decay=1e-4),
        DropoutClassifier(0.1, hidden_layer_sizes=(32,), lr=0.02, max_epochs=60),
        AdversarialRegularizationClassifier(0.3, hidden_layer_sizes=(16,), lr=0.02, max_epochs=60),
        MIMAttack("substitute", max_epochs=20),
        MIMAttack("mim0", max_epochs=10),
        MIMAttack("mim1", loss="l2", max_epochs=20),
    ]
#: Minutes, for a step that is searched at each of a hundred fits.
SLOW = []
if torch is not None:
    SLOW.append(
        AEPPTClassifier(
            LogisticRegression(), step_size="auto", substitute=quick, max_iter=3, key=KEY
        )
    )
FRESH = "query_noise='fresh' answers anew each time, as the paper does; the check asks twice"


WORDS = "which of two words means member cannot be known: 'out' is greater than 'in'"
WEIGHTS = "a record of weight two trains the estimator twice; the defense counts records once"
BATCHES = "batches, dropout and the parts of a stack are drawn from records, whatever they weigh"


def expected_failures(estimator):
    expected = {}
    if getattr(estimator, "query_noise", None) == "fresh":
        asking_twice = ("check_estimators_pickle", "check_classifiers_train")
        expected |= dict.fromkeys((*asking_twice, "check_fit_idempotent"), FRESH)
    if type(estimator).__name__.endswith("Attack"):
        expected["check_classifiers_classes"] = WORDS
    by_record = hasattr(estimator, "hidden_layer_sizes") or isinstance(
        estimator, ModelStackingClassifier
    )
    if isinstance(estimator, (OutputDefense, OutOfFoldClassifier)) or by_record:
        for kind in ("dense", "sparse"):
            reason = BATCHES if by_record else WEIGHTS
            expected[f"check_sample_weight_equivalence_on_{kind}_data"] = reason
    return expected


# how little a step does to four records is no reason to fail a check of the interface
@pytest.mark.filterwarnings("ignore:No step_size up to:UserWarning")
@pytest.mark.filterwarnings("ignore:k=1 hides nothing of 2 classes:UserWarning")
@parametrize_with_checks(ESTIMATORS, expected_failed_checks=expected_failures)
def test_sklearn_checks(estimator, check):
    check(estimator)


if SLOW:

    @pytest.mark.slow
    @pytest.mark.filterwarnings("ignore:No step_size up to:UserWarning")
    @parametrize_with_checks(SLOW, expected_failed_checks=expected_failures)
    def test_sklearn_checks_of_a_searched_step(estimator, check):
        check(estimator)


@pytest.mark.parametrize("estimator", [*ESTIMATORS, *SLOW], ids=str)
def test_is_a_classifier_to_sklearn(estimator):
    assert is_classifier(estimator)
